//! Plugins that are not Rust, made as their page says, run as any other within a quarter of what a home allows by default.

use std::{fs, process::Command, time::Instant};

use anyhow::ensure;
use evenkeel_tests::{evenkeel::Home, workspace};

use crate::{pages::commands, shell::Shell};

/// A quarter of each default.
const LIMITS: &str = r#"
[sandbox]
memory = "64MiB"
cpu = "2500ms"
calls = 2500
log_lines = 250
log_bytes = "64KiB"
journal_bytes = "4MiB"

[role.host.roots.data]
path = "."
allow = ["read"]
"#;

#[test]
fn a_plugin_in_javascript_is_made_as_the_page_says_and_fits_the_limits() -> anyhow::Result<()> {
    needs("npm", &["--version"], "Node.js with npm (`apt-get install npm`)")?;
    let home = home_with("javascript", "free-space-js")?;
    assert_runs(&home, "free-space-js")
}

#[test]
fn a_plugin_in_python_is_made_as_the_page_says_and_fits_the_limits() -> anyhow::Result<()> {
    let venv = ["-c", "import ensurepip, venv"];
    needs(
        "python3",
        &venv,
        "Python 3.10 or later with venv (`apt-get install python3-venv`)",
    )?;
    let home = home_with("python", "free-space-py")?;
    assert_runs(&home, "free-space-py")
}

fn needs(program: &str, arguments: &[&str], what: &str) -> anyhow::Result<()> {
    let said = Command::new(program).args(arguments).output();
    ensure!(
        said.is_ok_and(|said| said.status.success()),
        "docs/plugins.md makes a plugin with {what}, which is not here: install it"
    );
    Ok(())
}

/// Types what the page says, and puts what comes of it into a home.
fn home_with(mark: &str, plugin: &str) -> anyhow::Result<Home> {
    let mut shell = Shell::in_an_empty_directory()?;
    // What was fetched once is not fetched again.
    shell.set("npm_config_cache", workspace::target_dir().join("npm"));
    shell.set("PIP_CACHE_DIR", workspace::target_dir().join("pip"));
    let begun = Instant::now();
    let said = shell.run(&commands("docs/plugins.md", mark)?)?;
    ensure!(
        said.contains("check takes:") && said.contains("least_bytes: integer, required"),
        "{said}"
    );
    let component = format!("{plugin}-0.1.0.wasm");
    let made = shell.directory().join(&component);
    println!(
        "{plugin}: {} KiB, made in {:.1?}, its toolchain fetched",
        fs::metadata(&made)?.len() / 1024,
        begun.elapsed()
    );
    let home = Home::empty()?;
    home.write("evenkeel.toml", LIMITS)?;
    home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    home.write("runbooks/space.toml", &runbook("space", plugin, "data"))?;
    home.write("runbooks/other.toml", &runbook("other", plugin, "elsewhere"))?;
    fs::create_dir(home.path().join("plugins"))?;
    fs::copy(made, home.path().join("plugins").join(component))?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

fn runbook(name: &str, plugin: &str, root: &str) -> String {
    format!(
        "name = \"{name}\"\nsummary = \"Looks how much space is left\"\n\n[[step]]\nid = \"space\"\n\
         uses = \"{plugin}@0.1\"\nwith = {{ root = \"{root}\", least_bytes = 1 }}\n\
         grant = {{ files = [\"read data\"] }}\ntimeout = \"10m\"\n"
    )
}

fn assert_runs(home: &Home, plugin: &str) -> anyhow::Result<()> {
    for how in ["compiled first", "out of the cache"] {
        let begun = Instant::now();
        let said = home.done(&["run", "space"])?;
        println!("{plugin}: a run, {how}: {:.2?}", begun.elapsed());
        ensure!(said.stdout.contains("ok `space-low`:"), "{}", said.stdout);
        ensure!(said.stdout.contains("log info: looked at data"), "{}", said.stdout);
        ensure!(said.stdout.contains("verdict      healthy"), "{}", said.stdout);
    }
    // What it is not granted is an error that it can tell, and no trap.
    let said = home.run(&["run", "other"])?;
    ensure!(said.code != 0, "{}", said.stdout);
    ensure!(
        said.stdout
            .contains("check failed with `denied`: `read elsewhere` is not granted"),
        "{}",
        said.stdout
    );
    Ok(())
}
