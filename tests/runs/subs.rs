//! A step that has another runbook run, with real plugins and a daemon that is killed.

use evenkeel_tests::evenkeel::Home;

use crate::workshop::{ON_ALERT_HEALED, Repair, broken, fixes, go, is_broken, wait_for_fixes};

/// Looks, and has `repair` run if that found something.
fn above(rest: &str) -> String {
    format!(
        r#"
name = "above"
summary = "Has the application repaired"

[targets]
select = 'asset="one"'

[limits]
cooldown = "0s"

[[step]]
id = "look"
uses = "command/check@1"
with = {{ profile = "look", code = "app-broken" }}
grant = {{ exec = ["run look"] }}

[[step]]
id = "repair"
when = "steps.look.severity == 'critical'"
runs = "repair"

{rest}
"#
    )
}

fn home(profile: &'static str, rest: &str) -> anyhow::Result<Home> {
    let home = broken(&[Repair::new("repair", profile)])?;
    home.write("runbooks/above.toml", &above(rest))?;
    home.done(&["lock"])?;
    Ok(home)
}

#[test]
fn it_is_told_listed_and_undone_as_a_whole() -> anyhow::Result<()> {
    let home = home("fix", "[healed]\nrerun = \"look\"\nwithin = \"20s\"")?;
    let said = home.run(&["run", "above"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.stdout.contains("is run 2") && said.stdout.contains("run 2 is changed"),
        "{said:#?}"
    );
    assert!(!is_broken(&home));
    let runs = home.runs()?;
    assert_eq!(
        (runs[0]["verdict"].as_str(), runs[1]["verdict"].as_str()),
        (Some("repaired"), Some("changed"))
    );
    assert!(
        home.story(2)?.contains("asked by step `repair` of run 1"),
        "{}",
        home.story(2)?
    );
    assert!(
        home.done(&["why", "--runbook", "repair"])?
            .stdout
            .contains("step `repair` of run 1")
    );

    let shown = home.done(&["runs", "undo", "1", "--dry-run"])?;
    assert!(
        shown.stdout.contains("repair run 2, with all that it changed"),
        "{shown:#?}"
    );
    let undone = home.run(&["runs", "undo", "1"])?;
    assert_eq!(undone.code, 0, "{undone:#?}");
    assert_eq!(fixes(&home), ["fixed", "undone"]);
    assert!(home.runs()?.iter().all(|run| run["verdict"] == "undone"));
    Ok(())
}

#[test]
fn a_daemon_that_dies_while_it_waits_goes_on_with_both_and_opens_none_twice() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").look("slow-look")])?;
    home.write("runbooks/above.toml", &above(ON_ALERT_HEALED))?;
    home.done(&["lock"])?;
    let daemon = home.serve()?;
    let alert = evenkeel_tests::alerts::Alert::new("Broken").label("asset", "one");
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;

    let _daemon = home.serve()?;
    wait_for_fixes(&home, 2);
    go(&home)?;
    let runs = home.finished(2);
    assert_eq!(
        (runs[0]["verdict"].as_str(), runs[1]["verdict"].as_str()),
        (Some("repaired"), Some("changed"))
    );
    assert_eq!(fixes(&home).iter().filter(|word| *word == "fixed").count(), 1);
    Ok(())
}

#[test]
fn an_unknown_end_below_is_waited_for_until_a_person_has_said_what_it_was() -> anyhow::Result<()> {
    let home = home("slow", "[[on]]\nalert = \"Broken\"\n")?;
    let daemon = home.serve()?;
    let alert = evenkeel_tests::alerts::Alert::new("Broken").label("asset", "one");
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;

    let _daemon = home.serve()?;
    home.wait_for_state(2, "finished");
    assert_eq!(home.runs()?[1]["verdict"], "unknown");
    assert_eq!(home.runs()?[0]["state"], "running");
    go(&home)?;
    home.done(&["runs", "resolve", "2", "--done"])?;
    let runs = home.finished(2);
    assert_eq!(
        (runs[0]["verdict"].as_str(), runs[1]["verdict"].as_str()),
        (Some("changed"), Some("changed"))
    );
    Ok(())
}

/// Without a daemon nobody could say yes while the command waits, so that it does not.
#[test]
fn a_command_does_not_wait_for_what_a_run_below_asks() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").step("ask_from = \"low\"\n")])?;
    home.write(
        "evenkeel.toml",
        &format!("[engine]\napprove_own = true\n{}", crate::workshop::ROLE),
    )?;
    home.write("runbooks/above.toml", &above(""))?;
    home.done(&["lock"])?;
    let said = home.run(&["run", "above"])?;
    assert_eq!(said.code, 16, "{said:#?}");
    assert!(said.stderr.contains("run 2 waits for a person"), "{said:#?}");
    assert!(is_broken(&home));
    let said = home.run(&["approve", "2"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(!is_broken(&home));
    assert_eq!(home.finished(2)[0]["verdict"], "changed");
    Ok(())
}
