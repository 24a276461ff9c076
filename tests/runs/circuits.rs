//! Plugins that can't be compiled in time, and plugins that end badly at every call.

use std::{fmt::Write as _, fs};

use evenkeel_tests::evenkeel::Home;
use serde_json::json;

const ASSETS: &str = r#"
[[asset]]
id = "one"
role = "host"
"#;

const ROLE: &str = r#"
[role.host.roots.data]
path = "."
allow = ["read"]
"#;

const LOOK: &str = r#"
name = "look"
summary = "Looks at the disk"

[targets]
select = 'asset="one"'

[[step]]
id = "look"
uses = "disk-usage@1"
with = { root = "data", warn = 100, critical = 100 }
grant = { files = ["read data"] }
"#;

const BOMB: &str = r#"
name = "bomb"
summary = "Uses a plugin that takes too long to compile"

[targets]
select = 'asset="one"'

[[step]]
id = "bomb"
uses = "bomb@1"
"#;

fn home(sandbox: &str) -> anyhow::Result<Home> {
    Home::ready(&[
        ("evenkeel.toml", &format!("[sandbox]\n{sandbox}\n{ROLE}")),
        ("assets.toml", ASSETS),
        ("runbooks/look.toml", LOOK),
    ])
}

/// A legal plugin of 100,000 `if`s in one function.
fn bomb() -> anyhow::Result<Vec<u8>> {
    let mut body = String::new();
    for n in 0..100_000 {
        let (a, b) = (n % 64, (n + 7) % 64);
        write!(
            body,
            "(if (local.get {a}) (then (local.set {b} (i32.add (local.get {a}) (i32.const 1)))))"
        )?;
    }
    let locals = "i32 ".repeat(64);
    let mut bytes = wat::parse_str(format!(
        r#"(component
            (core module (func (local {locals}) {body}))
            (instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i)))"#
    ))?;
    let manifest = json!({
        "name": "bomb", "version": "1.0.0", "summary": "takes long", "kinds": { "check": { "type": "object" } },
    });
    let name = "evenkeel:manifest";
    let mut section = vec![u8::try_from(name.len())?];
    section.extend(name.bytes());
    section.extend(serde_json::to_vec(&manifest)?);
    // A custom section, its size in two bytes of LEB128.
    let size = section.len();
    bytes.extend([0, u8::try_from(size & 0x7f)? | 0x80, u8::try_from(size >> 7)?]);
    bytes.extend(section);
    Ok(bytes)
}

#[test]
fn a_plugin_that_takes_too_long_to_compile_fails_its_own_runs_and_no_others() -> anyhow::Result<()> {
    let home = home("")?;
    // Compiled while there is time for it.
    home.done(&["run", "look"])?;
    home.write("evenkeel.toml", &format!("[sandbox]\ncompile_cpu = \"1s\"\n{ROLE}"))?;
    fs::write(home.path().join("plugins/bomb-1.0.0.wasm"), bomb()?)?;
    home.write("runbooks/bomb.toml", BOMB)?;
    home.done(&["lock"])?;
    home.done(&["check"])?;

    let mut daemon = home.serve()?;
    let reason = "compiling it takes more than 1 s of CPU time: the limit is `[sandbox] compile_cpu` in evenkeel.toml";
    daemon.wait_for_log(&["WARN", "plugin bomb", "can't be loaded", reason])?;
    let said = home.run(&["run", "bomb"])?;
    assert_eq!(said.code, 12, "{said:#?}");
    assert!(said.stdout.contains(reason), "{said:#?}");
    home.done(&["run", "look"])?;
    Ok(())
}

#[test]
fn a_plugin_that_ends_badly_at_every_call_is_not_called_until_a_person_says_so() -> anyhow::Result<()> {
    let home = home("")?;
    let mut daemon = home.serve()?;
    // Less than any plugin begins with.
    home.write("evenkeel.toml", &format!("[sandbox]\nmemory = \"1MiB\"\n{ROLE}"))?;
    daemon.wait_for_log(&["the changed home is served"])?;
    for _ in 0..3 {
        let said = home.run(&["run", "look"])?;
        assert!(
            said.code == 12 && said.stdout.contains("`[sandbox] memory`"),
            "{said:#?}"
        );
    }

    let said = home.run(&["run", "look"])?;

    assert_eq!(said.code, 12, "{said:#?}");
    for words in [
        "is not called for",
        "3 calls in a row ended badly",
        "`evenkeel plugin close disk-usage` closes it",
    ] {
        assert!(said.stdout.contains(words), "no {words:?} in {said:#?}");
    }
    let listed = home.done(&["plugin", "list"])?;
    assert!(
        listed.stderr.contains("`disk-usage@1.0.0` is not called for"),
        "{listed:#?}"
    );
    assert!((daemon.metric("evenkeel_circuits_open", &[])? - 1.0).abs() < 0.5);

    let other = home.run(&["plugin", "close", "cache-clean"])?;
    assert!(
        other.code == 1 && other.stderr.contains("no circuit of `cache-clean` is open"),
        "{other:#?}"
    );
    let closed = home.done(&["plugin", "close", "disk-usage"])?;
    assert_eq!(closed.stdout, "1 circuit of disk-usage closed\n");
    assert_eq!(home.done(&["plugin", "list"])?.stderr, "");
    let called = home.run(&["run", "look"])?;
    assert!(
        called.stdout.contains("`[sandbox] memory`"),
        "it is called again: {called:#?}"
    );
    Ok(())
}
