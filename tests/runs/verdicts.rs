//! Each verdict, and the exit code that scripts tell it by.

use evenkeel_tests::evenkeel::Home;

use crate::workshop::{HEALED, Repair, break_again, broken, fixes, go, is_broken, wait_for_fixes};

/// Runs `name` and gives its verdict and its exit code.
fn verdict(home: &Home, arguments: &[&str]) -> anyhow::Result<(String, i32)> {
    let said = home.run(&[&["run"], arguments].concat())?;
    let runs = home.runs()?;
    let last = runs.last().ok_or_else(|| anyhow::anyhow!("no run: {said:#?}"))?;
    let verdict = last["verdict"].as_str().unwrap_or("none").to_owned();
    assert!(said.stdout.contains(&format!("verdict      {verdict}")), "{said:#?}");
    Ok((verdict, said.code))
}

#[test]
fn what_is_well_is_healthy() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    std::fs::remove_file(home.path().join("app/broken"))?;
    assert_eq!(verdict(&home, &["repair"])?, ("healthy".to_owned(), 0));
    assert!(fixes(&home).is_empty());
    Ok(())
}

#[test]
fn a_finding_without_a_remedy_is_unhealthy() -> anyhow::Result<()> {
    let text = Repair::new("repair", "fix")
        .text()
        .replace("== 'critical'", "== 'never'");
    let home = broken(&[])?;
    home.write("runbooks/repair.toml", &text)?;
    home.done(&["lock"])?;
    assert_eq!(verdict(&home, &["repair"])?, ("unhealthy".to_owned(), 10));
    assert!(fixes(&home).is_empty());
    Ok(())
}

#[test]
fn a_dry_run_with_something_to_do_is_planned() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(HEALED)])?;
    assert_eq!(verdict(&home, &["repair", "--dry-run"])?, ("planned".to_owned(), 0));
    assert!(fixes(&home).is_empty() && is_broken(&home));
    Ok(())
}

#[test]
fn a_change_that_nothing_looks_at_again_is_changed() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    assert_eq!(verdict(&home, &["repair"])?, ("changed".to_owned(), 0));
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn a_change_that_helped_is_repaired() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(HEALED)])?;
    assert_eq!(verdict(&home, &["repair"])?, ("repaired".to_owned(), 0));
    assert!(!is_broken(&home));
    Ok(())
}

#[test]
fn a_change_that_did_not_help_is_not_repaired_and_escalates() -> anyhow::Result<()> {
    let healed = "[healed]\nrerun = \"look\"\nwithin = \"100ms\"\n";
    let home = broken(&[Repair::new("repair", "in-vain").and(healed)])?;
    assert_eq!(verdict(&home, &["repair"])?, ("not-repaired".to_owned(), 11));
    assert_eq!(fixes(&home), ["tried"]);
    assert!(home.story(1)?.contains("escalated"), "{}", home.story(1)?);
    Ok(())
}

#[test]
fn a_change_that_did_not_help_is_undone_if_the_runbook_says_so() -> anyhow::Result<()> {
    let healed = "[healed]\nrerun = \"look\"\nwithin = \"100ms\"\notherwise = \"undo\"\n";
    let home = broken(&[Repair::new("repair", "in-vain").and(healed)])?;
    assert_eq!(verdict(&home, &["repair"])?, ("not-repaired".to_owned(), 11));
    assert_eq!(fixes(&home), ["tried", "undone"]);
    let story = home.story(1)?;
    assert!(story.contains("rolled back") && story.contains("escalated"), "{story}");
    Ok(())
}

#[test]
fn a_command_that_fails_is_failed_with_its_last_words() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fail").and(HEALED)])?;
    assert_eq!(verdict(&home, &["repair"])?, ("failed".to_owned(), 12));
    let story = home.story(1)?;
    assert!(
        story.contains("no space left") && story.contains("command-failed"),
        "{story}"
    );
    Ok(())
}

#[test]
fn an_action_that_asks_for_a_person_is_rejected_with_those_words() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").step("ask_from = \"medium\"\nask = \"duty\"")])?;
    assert_eq!(verdict(&home, &["repair"])?, ("rejected".to_owned(), 13));
    assert!(fixes(&home).is_empty());
    let story = home.story(1)?;
    assert!(
        story.contains("a person (`duty`) would have to approve this"),
        "{story}"
    );
    assert!(story.contains("approvals arrive with a later version"), "{story}");
    Ok(())
}

#[test]
fn a_run_that_a_person_stops_is_cancelled() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow")])?;
    let daemon = home.serve()?;
    let follower = home
        .command()?
        .args(["run", "repair"])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    wait_for_fixes(&home, 1);

    let said = home.done(&["runs", "cancel", "1"])?;
    assert!(said.stdout.contains("run 1 is asked to stop"), "{said:#?}");
    go(&home)?;

    let followed = follower.wait_with_output()?;
    let told = String::from_utf8_lossy(&followed.stdout).into_owned();
    // An action under way is never left half done: what was changed is said, and the code tells.
    assert_eq!(followed.status.code(), Some(14), "{told}");
    assert!(told.contains("cancelled by"), "{told}");
    assert!(!is_broken(&home), "the action was finished first");
    assert_eq!(home.runs()?[0]["changed"], true);
    let again = home.run(&["runs", "cancel", "1"])?;
    assert!(again.stderr.contains("run 1 has finished"), "{again:#?}");
    drop(daemon);
    Ok(())
}

#[test]
fn several_runs_end_with_the_worst_code() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").select("role=\"app\"")])?;
    let ended = home.run(&["run", "repair", "--all-targets"])?;
    // The first target is changed, and then the second one is found well.
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_eq!(home.verdicts()?, ["changed", "healthy"]);

    break_again(&home)?;
    home.write(
        "runbooks/repair.toml",
        &Repair::new("repair", "fail").select("role=\"app\"").text(),
    )?;
    let ended = home.run(&["run", "repair", "--all-targets"])?;
    assert_eq!(ended.code, 12, "{ended:#?}");
    Ok(())
}

#[test]
fn a_limit_that_stops_a_plugin_is_failed_and_named() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "hang")])?;
    let text = Repair::new("repair", "hang")
        .text()
        .replace("timeout = \"5m\"", "timeout = \"500ms\"");
    home.write("runbooks/repair.toml", &text)?;
    let (verdict, code) = verdict(&home, &["repair"])?;
    // Whether the command did its work is not known.
    assert!(["failed", "unknown"].contains(&verdict.as_str()), "{verdict}");
    assert!([12, 15].contains(&code), "{code}");
    let story = home.story(1)?;
    assert!(
        story.contains("500ms") || story.contains("deadline") || story.contains("timed out"),
        "{story}"
    );
    Ok(())
}
