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
fn a_run_that_a_person_stops_is_cancelled() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").look("slow-look")])?;
    let daemon = home.serve()?;
    let follower = follow(&home, "repair")?;
    wait_for_fixes(&home, 1);

    let said = home.done(&["runs", "cancel", "1"])?;
    assert!(said.stdout.contains("run 1 is asked to stop"), "{said:#?}");

    let followed = follower.wait_with_output()?;
    let told = String::from_utf8_lossy(&followed.stdout).into_owned();
    assert_eq!(followed.status.code(), Some(14), "{told}");
    assert!(told.contains("cancelled by"), "{told}");
    assert_eq!(fixes(&home), ["looked"]);
    let again = home.run(&["runs", "cancel", "1"])?;
    assert!(again.stderr.contains("run 1 has finished"), "{again:#?}");
    drop(daemon);
    Ok(())
}

/// What was changed is still looked at, and the verdict says how it is.
#[test]
fn an_action_under_way_is_finished_before_a_run_stops() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow").and(HEALED)])?;
    let daemon = home.serve()?;
    let follower = follow(&home, "repair")?;
    wait_for_fixes(&home, 1);
    home.done(&["runs", "cancel", "1"])?;
    go(&home)?;

    let followed = follower.wait_with_output()?;
    let told = String::from_utf8_lossy(&followed.stdout).into_owned();
    assert_eq!(followed.status.code(), Some(0), "{told}");
    assert!(
        told.contains("cancelled by") && told.contains("verdict      repaired"),
        "{told}"
    );
    assert!(!is_broken(&home));
    drop(daemon);
    Ok(())
}

fn follow(home: &Home, runbook: &str) -> anyhow::Result<std::process::Child> {
    let mut command = home.command()?;
    Ok(command
        .args(["run", runbook])
        .stdout(std::process::Stdio::piped())
        .spawn()?)
}

#[test]
fn several_runs_end_with_the_worst_code() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").select("role=\"app\"")])?;
    let ended = home.run(&["run", "repair", "--all-targets"])?;
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_eq!(home.runs()?.len(), 2);

    break_again(&home)?;
    home.write(
        "runbooks/repair.toml",
        &Repair::new("repair", "fail").select("role=\"app\"").text(),
    )?;
    let ended = home.run(&["run", "repair", "--all-targets"])?;
    assert_eq!(ended.code, 12, "{ended:#?}");
    Ok(())
}

/// Nobody knows whether a command that was given up on did its work.
#[test]
fn a_command_that_takes_too_long_is_unknown_and_escalates() -> anyhow::Result<()> {
    let text = Repair::new("repair", "hang").text();
    let home = broken(&[])?;
    home.write(
        "runbooks/repair.toml",
        &text.replace("timeout = \"5m\"", "timeout = \"2s\""),
    )?;
    home.done(&["lock"])?;
    assert_eq!(verdict(&home, &["repair"])?, ("unknown".to_owned(), 15));
    assert_eq!(fixes(&home), ["begun"]);
    let story = home.story(1)?;
    assert!(
        story.contains("`hang` took too long; whether it did its work is not known"),
        "{story}"
    );
    assert!(story.contains("escalated"), "{story}");
    Ok(())
}
