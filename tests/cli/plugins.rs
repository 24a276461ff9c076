//! `plugin build`, `plugin list` and `plugin inspect`.

use std::fs;

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, plugins, stable::stable, workspace};

#[test]
fn installed_plugins_are_listed() -> anyhow::Result<()> {
    let home = super::home()?;
    let listed = home.done(&["plugin", "list"])?;
    assert_golden("cli/golden/plugin-list.txt", &stable(&listed.stdout, home.path()));
    Ok(())
}

#[test]
fn a_plugin_shows_what_it_asks_for_and_takes_without_running() -> anyhow::Result<()> {
    let home = super::home()?;
    for name in plugins::names()? {
        let shown = home.done(&["plugin", "inspect", &name])?;
        assert_golden(
            &format!("cli/golden/inspect/{name}.txt"),
            &stable(&shown.stdout, home.path()),
        );
    }
    let by_file = home.done(&["plugin", "inspect", "plugins/cache-clean-1.0.0.wasm"])?;
    let by_version = home.done(&["plugin", "inspect", "cache-clean@1.0.0"])?;
    assert_eq!(by_file.stdout, by_version.stdout);
    Ok(())
}

#[test]
fn a_plugin_that_is_not_installed_is_said() -> anyhow::Result<()> {
    let home = super::home()?;
    for wrong in ["cache-claen", "cache-clean@9.9.9"] {
        let said = home.run(&["plugin", "inspect", wrong])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(
            said.stderr.contains(&format!("no plugin `{wrong}` is installed")),
            "{said:#?}"
        );
    }
    let empty = Home::empty()?;
    empty.done(&["init"])?;
    let said = empty.done(&["plugin", "list"])?;
    assert!(said.stderr.contains("no plugin is installed"), "{said:#?}");
    assert_eq!(empty.json(&["plugin", "list"])?.as_array().map(Vec::len), Some(0));
    Ok(())
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_the_reason() -> anyhow::Result<()> {
    let home = super::home()?;
    let whole = fs::read(home.path().join("plugins/cache-clean-1.0.0.wasm"))?;
    let module = b"\0asm\x01\0\0\0";
    let cases: [(&str, &[u8]); 5] = [
        ("empty.wasm", b""),
        ("text.wasm", b"I am a plugin"),
        ("module.wasm", module),
        ("half.wasm", &whole[..whole.len() / 2]),
        ("header.wasm", &whole[..8]),
    ];
    for (name, bytes) in cases {
        fs::write(home.path().join(name), bytes)?;
        let said = home.run(&["plugin", "inspect", name])?;
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{name}: {said:#?}");
        assert_golden(
            &format!("cli/golden/no-plugin/{name}.txt"),
            &stable(&said.stderr, home.path()),
        );
    }
    Ok(())
}

#[test]
fn a_broken_file_among_the_plugins_is_named_and_the_others_are_listed() -> anyhow::Result<()> {
    let home = super::home()?;
    home.write("plugins/broken-1.0.0.wasm", "no component")?;

    let listed = home.run(&["plugin", "list"])?;

    assert!(listed.stdout.contains("cache-clean"), "{listed:#?}");
    assert!(listed.stderr.contains("broken-1.0.0.wasm"), "{listed:#?}");
    Ok(())
}

#[test]
fn building_puts_the_plugin_into_the_home() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.done(&["init"])?;
    plugins::shipped()?;
    let source = workspace::root().join("plugins/disk-usage");

    let built = home.done(&["plugin", "build", &source.to_string_lossy()])?;

    assert!(built.stdout.contains("disk-usage-1.0.0.wasm"), "{built:#?}");
    let installed = home.json(&["plugin", "list"])?;
    assert_eq!(installed[0]["manifest"]["name"], "disk-usage");
    let json = home.json(&["plugin", "build", &source.to_string_lossy()])?;
    assert_eq!(
        json["digest"], installed[0]["digest"],
        "the same source makes the same plugin"
    );
    let left: Vec<_> = fs::read_dir(home.path().join("plugins"))?.collect::<Result<_, _>>()?;
    assert_eq!(left.len(), 1, "nothing but the plugin: {left:?}");
    Ok(())
}

#[test]
fn outside_of_a_home_a_plugin_is_built_into_this_directory() -> anyhow::Result<()> {
    plugins::shipped()?;
    let outside = Home::empty()?;
    let source = workspace::root().join("plugins/disk-usage");
    outside.done(&["plugin", "build", &source.to_string_lossy()])?;
    assert!(outside.path().join("disk-usage-1.0.0.wasm").exists());
    Ok(())
}

#[test]
fn a_directory_that_is_no_plugin_s_is_refused_with_the_reason() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let said = home.run(&["plugin", "build"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("plugin.toml"), "{said:#?}");

    home.write("plugin.toml", PLUGIN_TOML)?;
    let said = home.run(&["plugin", "build"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("Cargo.toml"), "{said:#?}");
    Ok(())
}

/// Its name is no shipped plugin's, whose files are in the same target directory.
const PLUGIN_TOML: &str = r#"
name = "own-disk-usage"
version = "1.2.0"
summary = "Looks"

[capabilities]
files = ["read"]
"#;

#[test]
fn a_mistake_in_plugin_toml_is_shown_at_its_place() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write(
        "plugin.toml",
        "name = \"Disk\"\nversion = \"1\"\nsumary = \"Looks\"\n\n[capabilities]\nfiles = [\"raed\"]\nfilse = [\"read\"]\n",
    )?;

    let said = home.run(&["plugin", "build"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert_golden("cli/golden/plugin-toml.txt", &stable(&said.stderr, home.path()));
    Ok(())
}

#[test]
fn how_a_plugin_that_is_not_rust_is_built_is_up_to_it_and_what_goes_wrong_is_said() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let head = "name = \"own\"\nversion = \"1.0.0\"\nsummary = \"Looks\"\n";
    let cases = [
        (
            "",
            "says in plugin.toml how it is built, with the keys `command` and `component` under `[build]`",
        ),
        (
            "[build]\ncommand = [\"no-such-tool\", \"x\"]\ncomponent = \"p.wasm\"\n",
            "can't start `no-such-tool`, which plugin.toml names under `[build]`; is what builds it installed?",
        ),
        (
            "[build]\ncommand = [\"sh\", \"-c\", \"echo no >&2; exit 3\"]\ncomponent = \"p.wasm\"\n",
            "`sh -c echo no >&2; exit 3` ended with exit status: 3; its messages are above",
        ),
        (
            "[build]\ncommand = [\"true\"]\ncomponent = \"p.wasm\"\n",
            "`true` ended well and made no `p.wasm`",
        ),
        (
            "[build]\ncommand = [\"sh\", \"-c\", \"echo I am a plugin > p.wasm\"]\ncomponent = \"p.wasm\"\n",
            "it is not WebAssembly",
        ),
    ];
    for (build, wanted) in cases {
        home.write("plugin.toml", &format!("{head}{build}"))?;
        let said = home.run(&["plugin", "build"])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.stderr.contains(wanted), "{wanted}: {said:#?}");
        assert!(said.stdout.is_empty(), "{said:#?}");
    }
    Ok(())
}

/// The source of disk-usage under another Cargo.toml.
fn crate_with(home: &Home, version: &str, crate_type: &str) -> anyhow::Result<()> {
    let root = workspace::root();
    home.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"own-disk-usage\"\nversion = \"{version}\"\nedition = \"2024\"\n\n\
             [lib]\ncrate-type = [{crate_type}]\npath = \"{}\"\n\n\
             [dependencies]\nevenkeel-sdk = {{ path = \"{}\" }}\n\n[workspace]\n",
            root.join("plugins/disk-usage/src/lib.rs").display(),
            root.join("plugin-sdk").display(),
        ),
    )?;
    // The versions that are there already.
    fs::copy(root.join("Cargo.lock"), home.path().join("Cargo.lock"))?;
    Ok(())
}

/// Plugins outside of the workspace are built beside its own, so that what they share is built once.
fn build(home: &Home) -> anyhow::Result<std::process::Output> {
    let target = workspace::target_dir();
    Ok(home
        .command()?
        .env("CARGO_TARGET_DIR", target)
        .args(["plugin", "build"])
        .output()?)
}

#[test]
fn a_plugin_has_one_version() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("plugin.toml", PLUGIN_TOML)?;
    crate_with(&home, "1.1.0", "\"cdylib\"")?;

    let said = build(&home)?;

    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(
        words.contains("plugin.toml says version 1.2.0, Cargo.toml says 1.1.0"),
        "{words}"
    );
    assert!(!home.path().join("own-disk-usage-1.2.0.wasm").exists());

    crate_with(&home, "1.2.0", "\"cdylib\"")?;
    let said = build(&home)?;
    assert!(said.status.success(), "{said:?}");
    assert!(home.path().join("own-disk-usage-1.2.0.wasm").exists());
    Ok(())
}

#[test]
fn a_crate_that_makes_no_component_is_refused_with_the_fix() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("plugin.toml", PLUGIN_TOML)?;
    crate_with(&home, "1.2.0", "\"rlib\"")?;
    let said = build(&home)?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(words.contains("cdylib"), "{words}");
    Ok(())
}

#[test]
fn without_rust_building_says_what_is_missing() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("plugin.toml", PLUGIN_TOML)?;
    crate_with(&home, "1.2.0", "\"cdylib\"")?;
    let said = home
        .command()?
        .env("PATH", "/nowhere")
        .args(["plugin", "build"])
        .output()?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(words.contains("is Rust installed?"), "{words}");
    Ok(())
}

/// A rustc that knows no such target, as a distribution's may.
#[test]
fn without_the_target_building_says_how_to_get_it() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("plugin.toml", PLUGIN_TOML)?;
    crate_with(&home, "1.2.0", "\"cdylib\"")?;
    home.write("bin/rustc", "#!/bin/sh\necho /nowhere/lib\n")?;
    home.write("bin/cargo", "#!/bin/sh\nexit 7\n")?;
    for program in ["bin/rustc", "bin/cargo"] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(home.path().join(program), permissions)?;
    }
    let path = format!("{}/bin:/usr/bin:/bin", home.path().display());

    let said = home.command()?.env("PATH", path).args(["plugin", "build"]).output()?;

    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(words.contains("rustup target add wasm32-wasip2"), "{words}");
    Ok(())
}

#[test]
fn an_installed_plugin_that_changed_is_not_run() -> anyhow::Result<()> {
    let home = super::home()?;
    let path = home.path().join("plugins/disk-usage-1.0.0.wasm");
    let mut bytes = fs::read(&path)?;
    // A custom section of no meaning at the end: another file, the same plugin.
    bytes.extend_from_slice(b"\0\x05\x04note");
    fs::write(&path, bytes)?;

    let said = home.run(&["run", "look"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("evenkeel lock"), "{said:#?}");
    assert_eq!(home.run(&["check"])?.code, 1);
    home.done(&["lock"])?;
    home.done(&["run", "look"])?;
    Ok(())
}

#[test]
fn locking_again_changes_nothing() -> anyhow::Result<()> {
    let home = super::home()?;
    let before = fs::read(home.path().join("evenkeel.lock"))?;
    let said = home.done(&["lock"])?;
    assert!(said.stdout.contains("is as it should be"), "{said:#?}");
    assert_eq!(before, fs::read(home.path().join("evenkeel.lock"))?);
    Ok(())
}
