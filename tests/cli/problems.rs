//! What is wrong with a home, as its author is shown it.

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, stable::stable};

const TYPOS: &str = r#"name = "clean"
summary = "Empties the cache"
ownr = "platform"

[[on]]
cron = "30 25 * * *"
zone = "Asia/Shangai"

[[on]]
alert = "CacheCrowded"
match = 'severity=~"critical'

[targets]
select = 'role="app"'
batch = "20"

[limits]
cooldown = "ten minutes"
strikes = 3

[[step]]
id = "look"
uses = "disk-usag@1"
with = { root = "data" }
grant = { files = ["read data"] }

[[step]]
id = "clean"
uses = "cache-clean@1"
when = "steps.lok.severity == 'critical'"
with = { root = "cache", older = "7d" }
grant = { files = ["read cache", "write cache", "remove cahce"] }

[healed]
rerun = "loook"
"#;

#[test]
fn all_typos_of_a_runbook_are_shown_at_once_at_their_places() -> anyhow::Result<()> {
    let home = super::home()?;
    home.write("runbooks/clean.toml", TYPOS)?;

    let said = home.run(&["check"])?;

    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:#?}");
    assert_golden("cli/golden/typos.txt", &stable(&said.stderr, home.path()));
    Ok(())
}

#[test]
fn problems_are_data_for_programs() -> anyhow::Result<()> {
    let home = super::home()?;
    home.write("runbooks/clean.toml", TYPOS)?;

    let said = home.run(&["check", "--json"])?;

    assert_eq!((said.code, said.stderr.as_str()), (1, ""), "{said:#?}");
    let report: serde_json::Value = serde_json::from_str(&said.stdout)?;
    assert_eq!(report["clean"], false);
    for problem in report["problems"].as_array().into_iter().flatten() {
        if problem["level"] == "warning" {
            continue;
        }
        assert_eq!(problem["file"], "runbooks/clean.toml", "{problem:#}");
        let (line, column) = (problem["line"].as_u64(), problem["column"].as_u64());
        assert!(line > Some(0) && column > Some(0), "{problem:#}");
        assert!(
            problem["code"].is_string() && problem["message"].is_string(),
            "{problem:#}"
        );
    }
    Ok(())
}

#[test]
fn a_file_that_is_no_toml_is_shown_at_its_place() -> anyhow::Result<()> {
    let home = super::home()?;
    home.write(
        "assets.toml",
        "[[asset]]\nid = \"local\"\nrole = \"app\nlabels = { a = 1 }\n",
    )?;
    home.write("evenkeel.toml", &format!("[server\n{}", super::ROLE))?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert_golden("cli/golden/no-toml.txt", &stable(&said.stderr, home.path()));
    Ok(())
}

#[test]
fn files_that_are_no_text_of_a_home_are_refused_with_the_reason() -> anyhow::Result<()> {
    let home = super::home()?;
    std::fs::write(home.path().join("runbooks/huge.toml"), "#".repeat((1 << 20) + 1))?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stderr.contains("runbooks/huge.toml") && said.stderr.contains("1 MiB"),
        "{said:#?}"
    );
    std::fs::remove_file(home.path().join("runbooks/huge.toml"))?;

    std::fs::write(home.path().join("runbooks/latin.toml"), b"name = \"caf\xe9\"\n")?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stderr.contains("runbooks/latin.toml") && said.stderr.contains("UTF-8"),
        "{said:#?}"
    );
    Ok(())
}

/// A home that has problems is neither run nor served, and both show them.
#[test]
fn nothing_runs_in_a_home_with_problems() -> anyhow::Result<()> {
    let home = super::home()?;
    home.write("runbooks/clean.toml", TYPOS)?;
    for command in [&["run", "look"][..], &["serve", "--listen", "127.0.0.1:0"], &["lock"]] {
        let said = home.run(command)?;
        assert_eq!(said.code, 1, "{command:?}: {said:#?}");
        assert!(said.stderr.contains("runbooks/clean.toml"), "{command:?}: {said:#?}");
    }
    assert!(home.runs()?.is_empty());
    Ok(())
}

#[test]
fn a_control_character_of_a_file_does_not_reach_the_terminal() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.done(&["init"])?;
    home.write(
        "runbooks/x.toml",
        "name = \"x\"\nsummary = \"\\u001b[2J\"\nnope\u{202e} = 1\n\"\\u001b[31m\" = 2\n",
    )?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(!said.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", said.stderr);
    Ok(())
}
