//! Plugins that are not Rust, made as their page says, are plugins like any other: within what a home allows by default,
//! told of a denial, and replayed.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use anyhow::ensure;
use evenkeel_tests::{evenkeel::Home, workspace};

use crate::{pages::commands, shell::Shell};

/// A language with a template on the page.
struct Language {
    /// Of its blocks of commands.
    mark: &'static str,
    /// The name in the template's plugin.toml.
    plugin: &'static str,
    source: &'static str,
    /// Put after the template's source. Asked for 7 bytes it fails as nobody foresaw; asked for 8 its finding tells what
    /// an interpreter senses.
    sensing: &'static str,
    /// What is then in the log.
    failure: &'static str,
}

const JAVASCRIPT: Language = Language {
    mark: "javascript",
    plugin: "free-space-js",
    source: "app.js",
    sensing: r#"
const looks = check.run;
check.run = (params) => {
  const least = JSON.parse(params).least_bytes;
  if (least === 7) throw new TypeError("seven is lost");
  const [finding] = looks(params);
  if (least !== 8) return [finding];
  return [{ ...finding, summary: `sensed ${Date.now()} ${performance.now()} ${Math.random()}` }];
};
"#,
    failure: "seven is lost",
};

const PYTHON: Language = Language {
    mark: "python",
    plugin: "free-space-py",
    source: "app.py",
    sensing: r#"
import os
import time

looks = Check.run


def sense(self, params):
    least = json.loads(params)["least_bytes"]
    if least == 7:
        raise KeyError("seven is lost")
    [finding] = looks(self, params)
    if least == 8:
        begun = time.monotonic_ns()
        time.sleep(0.002)
        finding.summary = f"sensed {time.time_ns()} {time.monotonic_ns() - begun} {os.urandom(8).hex()}"
    return [finding]


Check.run = sense
"#,
    failure: "KeyError: 'seven is lost'",
};

/// Not a word of `[sandbox]`.
const DEFAULTS: &str = "[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n";

/// A quarter of each default, as the page promises.
const QUARTER: &str = r#"
[sandbox]
memory = "64MiB"
cpu = "2500ms"
calls = 2500
log_lines = 250
log_bytes = "64KiB"
journal_bytes = "4MiB"
"#;

#[test]
fn a_plugin_in_javascript_is_made_as_the_page_says_and_is_like_any_other() -> anyhow::Result<()> {
    needs("npm", &["--version"], "Node.js with npm (`apt-get install npm`)")?;
    is_like_any_other(&JAVASCRIPT)
}

#[test]
fn a_plugin_in_python_is_made_as_the_page_says_and_is_like_any_other() -> anyhow::Result<()> {
    let venv = "Python 3.10 or later with venv (`apt-get install python3-venv`)";
    needs("python3", &["-c", "import ensurepip, venv"], venv)?;
    is_like_any_other(&PYTHON)
}

fn needs(program: &str, arguments: &[&str], what: &str) -> anyhow::Result<()> {
    let said = Command::new(program).args(arguments).output();
    ensure!(
        said.is_ok_and(|said| said.status.success()),
        "docs/plugins.md makes a plugin with {what}, which is not here: install it"
    );
    Ok(())
}

fn is_like_any_other(language: &Language) -> anyhow::Result<()> {
    let home = home_with(language)?;
    finds(&home, "space", "MiB are free on `data`")?;
    is_told_of_a_denial(&home)?;
    let once = finds(&home, "senses", "sensed ")?;
    ensure!(once != finds(&home, "senses", "sensed ")?, "it senses nothing: {once}");
    fails_alone(&home, language)?;

    let replayed = home.done(&["runs", "replay", "1", "2", "3", "4", "5"])?;
    ensure!(
        replayed.stdout.ends_with("5 invocations, 5 the same\n"),
        "{}",
        replayed.stdout
    );

    home.write("evenkeel.toml", &format!("{QUARTER}\n{DEFAULTS}"))?;
    finds(&home, "space", "MiB are free on `data`")?;
    is_told_of_a_denial(&home)
}

/// Types what the page says, with a template that senses more, and puts what comes of it into a home.
fn home_with(language: &Language) -> anyhow::Result<Home> {
    let checkout = tempfile::tempdir()?;
    checkout_with(language, checkout.path())?;
    let mut shell = Shell::in_an_empty_directory()?;
    shell.set("EVENKEEL", checkout.path());
    // What was fetched once is not fetched again.
    shell.set("npm_config_cache", workspace::target_dir().join("npm"));
    shell.set("PIP_CACHE_DIR", workspace::target_dir().join("pip"));
    let said = shell.run(&commands("docs/plugins.md", language.mark)?)?;
    ensure!(
        said.contains("check takes:") && said.contains("least_bytes: integer, required"),
        "{said}"
    );

    let home = Home::empty()?;
    home.write("evenkeel.toml", DEFAULTS)?;
    home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    let runbooks = [
        ("space", "data", 1),
        ("other", "elsewhere", 1),
        ("fails", "data", 7),
        ("senses", "data", 8),
    ];
    for (name, root, least) in runbooks {
        let text = runbook(name, language.plugin, root, least);
        home.write(&format!("runbooks/{name}.toml"), &text)?;
    }
    let component = format!("{}-0.1.0.wasm", language.plugin);
    fs::create_dir(home.path().join("plugins"))?;
    fs::copy(
        shell.directory().join(&component),
        home.path().join("plugins").join(component),
    )?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

/// What the page copies out of a checkout. The host compiles a component of 18 MB slowly in the profile of tests, so it
/// is the template and what senses more in one.
fn checkout_with(language: &Language, checkout: &Path) -> anyhow::Result<()> {
    let (sdk, copy) = (workspace::root().join("plugin-sdk"), checkout.join("plugin-sdk"));
    let template = Path::new("templates").join(language.mark);
    fs::create_dir_all(copy.join(&template))?;
    symlink(sdk.join("wit"), copy.join("wit"))?;
    for file in fs::read_dir(sdk.join(&template))? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), copy.join(&template).join(file.file_name()))?;
        }
    }
    let source = copy.join(template).join(language.source);
    let text = fs::read_to_string(&source)?;
    Ok(fs::write(source, text + language.sensing)?)
}

fn runbook(name: &str, plugin: &str, root: &str, least_bytes: u64) -> String {
    format!(
        "name = \"{name}\"\nsummary = \"Looks how much space is left\"\n\n[[step]]\nid = \"space\"\n\
         uses = \"{plugin}@0.1\"\nwith = {{ root = \"{root}\", least_bytes = {least_bytes} }}\n\
         grant = {{ files = [\"read data\"] }}\n"
    )
}

/// The line of the finding, which is an `ok` one.
fn finds(home: &Home, runbook: &str, summary: &str) -> anyhow::Result<String> {
    let said = home.done(&["run", runbook])?.stdout;
    ensure!(said.contains("log info: looked at data"), "{said}");
    ensure!(said.contains("verdict      healthy"), "{said}");
    let finding = said.lines().find(|line| line.contains("ok `space-low`:"));
    match finding {
        Some(finding) if finding.contains(summary) => Ok(finding.to_owned()),
        _ => anyhow::bail!("no finding has `{summary}`:\n{said}"),
    }
}

/// What it is not granted is an error that it can tell, and no trap.
fn is_told_of_a_denial(home: &Home) -> anyhow::Result<()> {
    let said = home.run(&["run", "other"])?;
    let denied = "check failed with `denied`: `read elsewhere` is not granted";
    ensure!(said.code != 0 && said.stdout.contains(denied), "{said:#?}");
    Ok(())
}

/// What its author did not foresee ends that call, and its own words are in the log.
fn fails_alone(home: &Home, language: &Language) -> anyhow::Result<()> {
    let said = home.run(&["run", "fails"])?;
    ensure!(said.code != 0 && said.stdout.contains(language.failure), "{said:#?}");
    Ok(())
}
