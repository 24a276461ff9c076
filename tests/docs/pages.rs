//! The pages, one by one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use anyhow::ensure;
use evenkeel_tests::{evenkeel::Home, workspace};

use crate::{
    markdown::{Block, blocks},
    shell::Shell,
};

/// The commands of all blocks with that mark, in order.
pub fn commands(page: &str, mark: &str) -> anyhow::Result<String> {
    let blocks = blocks(page)?;
    let marked: Vec<&str> = blocks
        .iter()
        .filter(|block| block.is("sh", mark))
        .map(|block| block.text.as_str())
        .collect();
    ensure!(!marked.is_empty(), "{page} has no block of commands marked `{mark}`");
    Ok(marked.concat())
}

#[test]
fn the_operators_page_works_as_it_stands() -> anyhow::Result<()> {
    let shell = Shell::in_an_empty_directory()?;

    let said = shell.run(&commands("docs/operators.md", "run")?)?;

    assert!(said.contains("clean: 1 runbook"), "{said}");
    assert!(said.contains("run 2: `free-disk-space`"), "{said}");
    Ok(())
}

/// In a home that has the runbook of the page, which has a schedule.
#[test]
fn the_page_on_schedules_works_as_it_stands() -> anyhow::Result<()> {
    let runbook = DISK
        .replace("name = \"disk\"", "name = \"free-disk-space\"")
        .replace("alert = \"DiskFilling\"", &first_toml("docs/schedules.md")?);
    let home = Home::ready(&[
        (
            "evenkeel.toml",
            "[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
        ),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n"),
        ("runbooks/disk.toml", &runbook),
    ])?;
    let commands = commands("docs/schedules.md", "run")?;
    let commands = format!("export EVENKEEL_HOME='{}'\n{commands}", home.path().display());

    let said = Shell::in_an_empty_directory()?.run(&commands)?;

    assert!(said.contains("2026-03-29T03:00:00+02:00"), "{said}");
    assert!(
        said.contains("`free-disk-space` at `30 3 * * *` (Asia/Shanghai), missed last, jitter 10m"),
        "{said}"
    );
    assert!(said.contains("\"more\": 0"), "{said}");
    Ok(())
}

/// What the first block of TOML says, without its header.
fn first_toml(page: &str) -> anyhow::Result<String> {
    let blocks = blocks(page)?;
    let block = blocks.into_iter().find(|block| block.language == "toml");
    let text = block.map(|block| block.text).unwrap_or_default();
    Ok(text.replace("[[on]]\n", ""))
}

#[test]
fn the_shipped_runbooks_can_be_tried_as_their_page_says() -> anyhow::Result<()> {
    let shell = Shell::in_an_empty_directory()?;

    let said = shell.run(&commands("runbooks/README.md", "run")?)?;

    assert!(said.contains("run 1: `run-repair-script`"), "{said}");
    assert!(
        said.contains("verdict      planned") && said.contains("verdict      repaired"),
        "{said}"
    );
    Ok(())
}

#[test]
fn the_api_page_works_against_a_daemon() -> anyhow::Result<()> {
    let home = Home::ready(&[
        (
            "evenkeel.toml",
            "[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
        ),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n"),
        ("runbooks/disk.toml", DISK),
    ])?;
    let daemon = home.serve()?;
    let mut shell = Shell::in_an_empty_directory()?;
    shell.set("EVENKEEL_URL", &daemon.url);
    // A home elsewhere than in the environment would be another one's.
    let commands = commands("docs/api.md", "run")?;
    let commands = format!("export EVENKEEL_HOME='{}'\n{commands}", home.path().display());

    let said = shell.run(&commands)?;

    assert!(said.contains(r#"{"accepted":1}"#), "{said}");
    assert!(said.contains("evenkeel_alerts_received_total 1"), "{said}");
    assert_eq!(home.finished(1).len(), 1);
    Ok(())
}

const DISK: &str = r#"
name = "disk"
summary = "Looks how full the disk is"

[[on]]
alert = "DiskFilling"

[[step]]
id = "look"
uses = "disk-usage@1"
with = { root = "data" }
grant = { files = ["read data"] }
"#;

#[test]
fn the_first_runbook_of_the_readme_works_as_it_stands() -> anyhow::Result<()> {
    let mut shell = Shell::in_an_empty_directory()?;
    let programs = tempfile::tempdir()?;
    looks_like_the_checkout(&shell, programs.path())?;
    shell.look_first_in(programs.path().to_owned());

    let said = shell.run(&commands("README.md", "first-runbook")?)?;

    let home = shell.directory().join("my-home");
    assert!(home.join("plugins/disk-usage-1.0.0.wasm").exists(), "{said}");
    assert!(home.join("data/evenkeel.db").exists(), "{said}");
    assert!(said.contains("run 1: `free-disk-space` on `local`"), "{said}");
    Ok(())
}

/// Links to all that is in the checkout, so that what the commands make is made elsewhere. Cargo
/// would take it for another workspace and build all of it anew: it is sent to the checkout, and
/// the program that the tests have built already is not built again on its own.
fn looks_like_the_checkout(shell: &Shell, programs: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(workspace::root())? {
        let entry = entry?;
        if entry.file_name() != "target" {
            symlink(entry.path(), shell.directory().join(entry.file_name()))?;
        }
    }
    symlink(workspace::target_dir(), shell.directory().join("target"))?;
    let cargo = workspace::cargo();
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$*\" = 'build -p evenkeel' ] && [ -x target/debug/evenkeel ]; then exit 0; fi\n\
         [ \"$PWD\" != '{}' ] || cd '{}' || exit\n\
         exec '{}' \"$@\"\n",
        shell.directory().display(),
        workspace::root().display(),
        cargo.get_program().to_string_lossy(),
    );
    let program = programs.join("cargo");
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The page is followed to the letter: each block that is marked as a file is written where it
/// says, each block of commands is typed, in the order of the page.
#[test]
fn a_plugin_is_made_by_following_its_page_to_the_letter() -> anyhow::Result<()> {
    let mut shell = Shell::in_an_empty_directory()?;
    // What the SDK is made of has been built there before.
    shell.set("CARGO_TARGET_DIR", workspace::target_dir());
    let script: String = blocks("docs/plugins.md")?.iter().filter_map(typed).collect();
    ensure!(!script.is_empty(), "docs/plugins.md has no block to follow");

    let said = shell.run(&script)?;

    assert!(said.contains("test tests::little_space_is_critical ... ok"), "{said}");
    assert!(said.contains("check takes:"), "{said}");
    assert_runs(&shell.directory().join("free-space-0.1.0.wasm"))
}

/// A home takes it like any other.
fn assert_runs(plugin: &Path) -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write(
        "evenkeel.toml",
        "[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
    )?;
    home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    home.write("runbooks/space.toml", SPACE)?;
    fs::create_dir(home.path().join("plugins"))?;
    fs::copy(plugin, home.path().join("plugins/free-space-0.1.0.wasm"))?;
    home.done(&["lock"])?;
    let said = home.done(&["run", "space"])?;
    assert!(said.stdout.contains("ok `space-low`:"), "{}", said.stdout);
    assert!(said.stdout.contains("are free on `data`"), "{}", said.stdout);
    Ok(())
}

const SPACE: &str = r#"
name = "space"
summary = "Looks how much space is left"

[[step]]
id = "space"
uses = "free-space@0.1"
with = { root = "data", least_bytes = 1 }
grant = { files = ["read data"] }
"#;

/// What somebody who follows the page would type for a block; nothing for what is only shown.
fn typed(block: &Block) -> Option<String> {
    if block.is("sh", "run") {
        return Some(block.text.clone());
    }
    let file = block.value("file")?;
    const END: &str = "THE-END-OF-THE-FILE";
    let directory = format!("mkdir -p \"$(dirname '{file}')\"\n");
    Some(format!("{directory}cat > '{file}' <<'{END}'\n{}{END}\n", block.text))
}

/// The other blocks of Rust on the page are examples of their own: items, or statements.
#[test]
fn the_examples_of_rust_on_the_plugins_page_compile_and_hold() -> anyhow::Result<()> {
    let mut shell = Shell::in_an_empty_directory()?;
    shell.set("CARGO_TARGET_DIR", workspace::target_dir());
    let examples: Vec<_> = blocks("docs/plugins.md")?
        .into_iter()
        .filter(|block| block.language == "rust" && block.value("file").is_none())
        .collect();
    ensure!(!examples.is_empty(), "docs/plugins.md has no example");
    let source: String = examples.iter().map(as_module).collect();
    let root = workspace::root();
    fs::create_dir(shell.directory().join("src"))?;
    fs::write(
        shell.directory().join("src/lib.rs"),
        format!("#![allow(dead_code, unused)]\n{source}"),
    )?;
    fs::copy(root.join("Cargo.lock"), shell.directory().join("Cargo.lock"))?;
    fs::copy(
        root.join("rust-toolchain.toml"),
        shell.directory().join("rust-toolchain.toml"),
    )?;
    let sdk = root.join("plugin-sdk");
    let manifest = format!(
        "[package]\nname = \"examples-of-the-page\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nevenkeel-sdk = {{ path = \"{}\" }}\n",
        sdk.display()
    );
    fs::write(shell.directory().join("Cargo.toml"), manifest)?;

    let said = shell.run("cargo test --lib")?;

    assert!(said.contains("test result: ok."), "{said}");
    Ok(())
}

fn as_module(block: &Block) -> String {
    let line = block.line;
    let has_statements = block.text.lines().any(|line| line.starts_with("let "));
    if has_statements {
        format!("mod line_{line} {{\n#[test]\nfn holds() {{\n{}}}\n}}\n", block.text)
    } else {
        format!("mod line_{line} {{\n{}}}\n", block.text)
    }
}
