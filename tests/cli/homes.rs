//! Homes: made, found, and not mistaken for one.

use std::{fs, process::Command};

use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    golden::assert_golden,
    process::Process,
    programs,
    stable::stable,
    tree::Tree,
};

/// The binary in a directory, with no home named.
fn evenkeel_in(directory: &Home) -> anyhow::Result<Command> {
    let mut command = Command::new(programs::program("evenkeel")?);
    command
        .current_dir(directory.path())
        .env_remove("EVENKEEL_HOME")
        .env("NO_COLOR", "1");
    Ok(command)
}

#[test]
fn a_new_home_checks_clean() -> anyhow::Result<()> {
    let home = Home::empty()?;

    let made = home.done(&["init"])?;

    assert_golden("cli/golden/init.txt", &stable(&made.stdout, home.path()));
    let checked = home.done(&["check"])?;
    assert!(checked.stdout.starts_with("clean: 0 runbooks"), "{checked:#?}");
    assert_eq!(checked.stderr, "");
    assert_eq!(home.json(&["check"])?["clean"], true);
    Ok(())
}

#[test]
fn what_init_writes_is_reviewed() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.done(&["init"])?;
    for file in [
        "evenkeel.toml",
        "assets.toml",
        "runbooks/free-disk-space.toml.example",
        ".gitignore",
    ] {
        let text = fs::read_to_string(home.path().join(file))?;
        let name = file.replace('/', "-");
        assert_golden(&format!("cli/golden/init/{}", name.trim_start_matches('.')), &text);
    }
    Ok(())
}

/// Each commented setting stands there with its default: it may be taken in as it is.
#[test]
fn the_settings_that_init_comments_out_are_right_too() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.done(&["init"])?;
    for file in ["evenkeel.toml", "assets.toml"] {
        let text = fs::read_to_string(home.path().join(file))?;
        let lines = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) => setting,
            _ => line,
        });
        let text: Vec<_> = lines.collect();
        home.write(file, &text.join("\n"))?;
    }
    // What the example of an origin names.
    let assets = fs::read_to_string(home.path().join("assets.toml"))?;
    home.write(
        "assets.toml",
        &assets.replace("id = \"local\"", "id = \"local\"\naddress = \"127.0.0.1\""),
    )?;
    // A source and a reader want their tokens.
    home.write("secrets/prometheus.token", "0123456789abcdef\n")?;
    home.write("secrets/grafana.token", "fedcba9876543210\n")?;

    home.done(&["check"])?;
    let started = home.serve()?;

    // With a source, a push without a token is refused: the settings were taken in.
    assert_eq!(started.post("/api/v2/alerts", "[]")?.status, 401);
    Ok(())
}

fn is_setting(text: &str) -> bool {
    let name = text.split([' ', '=']).next().unwrap_or_default();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.starts_with('[') || (is_name && text[name.len()..].trim_start().starts_with('='))
}

#[test]
fn init_writes_over_nothing() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.done(&["init"])?;
    let before = Tree::of(home.path())?;

    let said = home.run(&["init"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stderr.contains("is there already; nothing was written"),
        "{said:#?}"
    );
    assert_eq!(before, Tree::of(home.path())?);
    Ok(())
}

#[test]
fn init_leaves_a_directory_that_has_one_of_its_files_as_it_was() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("assets.toml", "# mine\n")?;
    let before = Tree::of(home.path())?;

    assert_eq!(home.run(&["init"])?.code, 1);

    assert_eq!(before, Tree::of(home.path())?);
    Ok(())
}

#[test]
fn init_makes_the_directory_that_it_is_given() -> anyhow::Result<()> {
    let outside = Home::empty()?;
    outside.done(&["init", "a/new/home"])?;
    let home = outside.path().join("a/new/home");

    let said = evenkeel_in(&outside)?.current_dir(home).arg("check").output()?;

    assert!(said.status.success(), "{said:?}");
    Ok(())
}

#[test]
fn outside_of_a_home_each_command_says_how_to_get_one() -> anyhow::Result<()> {
    let outside = Home::empty()?;
    let before = Tree::of(outside.path())?;
    let commands: [&[&str]; 9] = [
        &["check"],
        &["lock"],
        &["run", "look"],
        &["serve"],
        &["runs", "list"],
        &["runs", "show", "1"],
        &["runs", "cancel", "1"],
        &["schedule"],
        &["plugin", "list"],
    ];
    for command in commands {
        let said = outside.run(command)?;
        assert_eq!(said.code, 1, "{command:?}: {said:#?}");
        assert!(
            said.stderr.contains("is no home") && said.stderr.contains("`evenkeel init` makes one"),
            "{command:?}: {said:#?}"
        );
        assert_eq!(said.stdout, "", "{command:?}");
    }
    assert_eq!(
        before,
        Tree::of(outside.path())?,
        "something was made outside of a home"
    );
    let nowhere = evenkeel_in(&outside)?.args(["--home", "not/there", "check"]).output()?;
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(said.contains("there is no directory `not/there`"), "{said}");
    Ok(())
}

#[test]
fn the_environment_names_the_home_and_the_option_overrules_it() -> anyhow::Result<()> {
    let home = super::home()?;
    let elsewhere = Home::empty()?;

    let named = evenkeel_in(&elsewhere)?
        .env("EVENKEEL_HOME", home.path())
        .arg("check")
        .output()?;
    assert!(named.status.success(), "{named:?}");
    let overruled = evenkeel_in(&elsewhere)?
        .env("EVENKEEL_HOME", "/nowhere")
        .args(["check", "--home"])
        .arg(home.path())
        .output()?;
    assert!(overruled.status.success(), "{overruled:?}");
    Ok(())
}

/// The path of the socket would be longer than an address may be.
#[test]
fn a_home_may_lie_deep() -> anyhow::Result<()> {
    let outside = Home::empty()?;
    let deep = ["a-directory-with-a-long-name"; 8].join("/");
    outside.done(&["init", &deep])?;
    let log = tempfile::tempdir()?;
    let mut serve = evenkeel_in(&outside)?;
    serve.args(["--home", &deep, "serve", "--listen", "127.0.0.1:0"]);
    let mut daemon = Process::spawn("evenkeel", &mut serve, log.path())?;
    daemon.wait_for_line(BOUND, "it serves", |line| line.contains("serving").then_some(()))?;

    // Only a daemon can be asked to cancel: it was it that answered.
    let answered = evenkeel_in(&outside)?
        .args(["--home", &deep, "runs", "cancel", "7"])
        .output()?;
    let said = String::from_utf8_lossy(&answered.stderr).into_owned();
    assert!(said.contains("there is no run 7"), "{said}");
    Ok(())
}
