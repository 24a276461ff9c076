//! Rows 4, 20, 21, 26 and 27: components that are refused before anything of them runs. Rows 19
//! and 30 are shown in tests/runs, row 28 when plugins are added with their lock.

use std::{fs, path::PathBuf};

use anyhow::{Context, ensure};
use evenkeel_tests::{component, evenkeel::Home};
use serde_json::json;

use crate::{arena::Arena, computer::grown};

const RUNBOOK: &str = "name = \"odd\"\nsummary = \"Uses it\"\n[[step]]\nid = \"use\"\nuses = \"odd/check@1\"\n";

/// What a run of the component's check says.
fn run(bytes: &[u8]) -> anyhow::Result<String> {
    let home = Home::empty()?;
    home.write("evenkeel.toml", "")?;
    home.write("assets.toml", "")?;
    home.write("runbooks/odd.toml", RUNBOOK)?;
    home.write("plugins/odd.wasm", "")?;
    fs::write(home.path().join("plugins/odd.wasm"), bytes)?;
    let locked = home.run(&["lock"])?;
    let listed = home.run(&["plugin", "list"])?.stderr;
    let said = if locked.code == 0 {
        home.run(&["run", "odd"])?
    } else {
        locked
    };
    ensure!(said.code != 0, "it was run: {said:#?}");
    Ok(listed + &said.stdout + &said.stderr)
}

/// A component of this text that says it is a check.
fn odd(text: &str) -> anyhow::Result<Vec<u8>> {
    let manifest = json!({
        "name": "odd", "version": "1.0.0", "summary": "is odd", "kinds": { "check": { "type": "object" } },
    });
    let bytes = wat::parse_str(text).with_context(|| text.to_owned())?;
    Ok(component::with_manifest(bytes, manifest.to_string().as_bytes()))
}

fn says(bytes: &[u8], words: &str) -> anyhow::Result<()> {
    let said = run(bytes)?;
    ensure!(said.contains(words), "it does not say\n{words}\nbut\n{said}");
    Ok(())
}

/// 4: more memories, tables and instances than there is room for.
#[test]
fn what_can_not_fit_is_refused_when_it_is_loaded() -> anyhow::Result<()> {
    says(
        &grown("odd", "(module (memory 1))", 20)?,
        "The component transitively contains 21 Wasm linear memories, which exceeds the configured maximum of 8",
    )?;
    says(
        &grown("odd", "(module (table 1000000 funcref))", 1)?,
        "table index 0 has a minimum element size of 1000000 which exceeds the limit of 100000",
    )?;
    says(
        &grown("odd", "(module)", 100)?,
        "which exceeds the configured maximum of 64",
    )
}

/// 20: truncated bytes, random bytes, a core module.
#[test]
fn a_file_that_is_no_plugin_is_refused_and_says_why() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let whole = grown("odd", "(module)", 1)?;
    let noise: Vec<u8> = (0..4_096_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let noise_after_a_header = [&whole[..8], noise.as_slice()].concat();
    let cases: [(&str, &[u8], &str); 5] = [
        ("truncated", &whole[..whole.len() / 2], "it is damaged: "),
        ("random", &noise, "it is not WebAssembly"),
        ("random-after-a-header", &noise_after_a_header, "it is damaged: "),
        ("core", &wat::parse_str("(module)")?, "it is a core module"),
        ("older", b"\0asm\x0c\0\x01\0", "it is "),
    ];
    for (name, bytes, words) in cases {
        let file: PathBuf = home.path().join(name).with_extension("wasm");
        fs::write(&file, bytes)?;
        let said = home.run(&["plugin", "inspect", &file.to_string_lossy()])?;
        ensure!(said.code == 1 && said.stderr.contains(words), "{name}: {said:#?}");
    }
    Ok(())
}

/// 21: an unknown import, an export of the wrong type, a contract of the future.
#[test]
fn a_component_that_does_not_fit_the_contract_is_refused_and_says_which() -> anyhow::Result<()> {
    let check = r#"(instance $check) (export "evenkeel:plugin/check@0.1.0" (instance $check))"#;
    says(
        &odd(&format!(
            r#"(component (import "acme:cap/gold@1.0.0" (instance)) {check})"#
        ))?,
        "it imports `acme:cap/gold@1.0.0`, which this evenkeel does not provide",
    )?;
    says(
        &odd(&format!("(component {check})"))?,
        "it does not fit the contract: `evenkeel:plugin/check@0.1.0` has no function `run`",
    )?;
    says(
        &odd(r#"(component
            (core module $m (func (export "run") (param i32)))
            (core instance $i (instantiate $m))
            (func $run (param "params" u32) (canon lift (core func $i "run")))
            (instance $check (export "run" (func $run)))
            (export "evenkeel:plugin/check@0.1.0" (instance $check)))"#)?,
        "`evenkeel:plugin/check@0.1.0` has a `run` of another type",
    )?;
    says(
        &odd(r#"(component (instance $i) (export "evenkeel:plugin/check@0.2.0" (instance $i)))"#)?,
        "0.2.0",
    )
}

/// 26: the code of one plugin put in the place of another's, and code with one byte changed.
#[test]
fn compiled_code_that_someone_else_wrote_is_not_run() -> anyhow::Result<()> {
    let arena = Arena::new("", &[], Vec::new())?;
    let (home, daemon) = arena.close();
    daemon.terminate()?;
    let mut codes = Vec::new();
    for entry in fs::read_dir(home.path().join("data/cache"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cwasm") {
            codes.push(path);
        }
    }
    ensure!(!codes.is_empty(), "nothing is cached");
    for code in &codes {
        let mut bytes = fs::read(code)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(code)?;
        fs::write(code, &bytes)?;
    }
    let tampered = fs::read(&codes[0])?;

    let daemon = home.serve()?;
    let said = home.done(&["run", "neighbour"])?;

    ensure!(said.stdout.contains("healthy"), "{said:#?}");
    ensure!(fs::read(&codes[0])? != tampered, "it was kept");
    ensure!(daemon.log().contains("was not made by this host"), "{}", daemon.log());
    Ok(())
}
