//! What stands between a request and its run: cool-down, target lock, and the words for it.

use evenkeel_tests::{alerts::Alert, evenkeel::BOUND, wait::wait_until};

use crate::workshop::{ON_ALERT, ON_ALERT_HEALED, Repair, break_again, broken, fixes, go, is_broken, wait_for_fixes};

#[test]
fn a_person_is_refused_within_the_cool_down_and_told_until_when() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").cooldown("10m")])?;
    home.done(&["run", "repair"])?;
    break_again(&home)?;

    let said = home.run(&["run", "repair"])?;

    assert_eq!(said.code, 13, "{said:#?}");
    assert!(
        said.stdout
            .contains("by `cooldown`: run 1 changed something here; the cool-down of 10m ends at"),
        "{}",
        said.stdout
    );
    assert_eq!(fixes(&home), ["fixed"]);
    assert!(is_broken(&home));
    assert_eq!(home.runs()?[1]["verdict"], "rejected", "a refusal is recorded too");
    Ok(())
}

#[test]
fn the_cool_down_outlives_the_process() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").cooldown("10m")])?;
    let daemon = home.serve()?;
    home.done(&["run", "repair"])?;
    daemon.kill()?;
    break_again(&home)?;
    let _daemon = home.serve()?;
    assert_eq!(home.run(&["run", "repair"])?.code, 13);
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn the_cool_down_is_of_one_runbook_on_one_target() -> anyhow::Result<()> {
    let home = broken(&[
        Repair::new("repair", "fix").cooldown("10m").select("role=\"app\""),
        Repair::new("other", "fix").cooldown("10m"),
    ])?;
    home.done(&["run", "repair", "--target", "one"])?;
    for arguments in [&["run", "repair", "--target", "two"][..], &["run", "other"]] {
        break_again(&home)?;
        assert_eq!(home.run(arguments)?.code, 0, "{arguments:?}");
    }
    break_again(&home)?;
    assert_eq!(home.run(&["run", "repair", "--target", "one"])?.code, 13);
    Ok(())
}

#[test]
fn what_changed_nothing_is_never_refused() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").cooldown("10m")])?;
    std::fs::remove_file(home.path().join("app/broken"))?;
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "repair"])?.code, 0);
    }
    break_again(&home)?;
    assert_eq!(home.run(&["run", "repair", "--dry-run"])?.code, 0);
    home.done(&["run", "repair"])?;
    break_again(&home)?;
    assert_eq!(
        home.run(&["run", "repair", "--dry-run"])?.code,
        0,
        "a dry run changes nothing"
    );
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn an_alert_waits_for_the_cool_down_and_then_is_acted_on_if_it_still_fires() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").cooldown("3s").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    home.done(&["run", "repair", "--target", "one"])?;
    break_again(&home)?;

    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;

    let runs = home.finished(2);
    assert_eq!(runs[1]["verdict"], "repaired", "{runs:#?}");
    let story = home.story(2)?;
    assert!(
        story.contains("for `cooldown`: run 1 changed something here"),
        "{story}"
    );
    assert_eq!(fixes(&home), ["fixed", "fixed"]);
    Ok(())
}

#[test]
fn an_alert_that_resolves_while_its_run_waits_needs_no_run() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").cooldown("10m").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    home.done(&["run", "repair", "--target", "one"])?;
    let alert = Alert::new("Broken").label("asset", "one");
    daemon.push(&[alert.firing()])?;
    home.wait_for_state(2, "waiting");

    daemon.push(&[alert.resolved()])?;

    let runs = home.finished(2);
    assert_eq!(runs[1]["verdict"], "cancelled", "{runs:#?}");
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

/// Silence proves nothing healed, and nothing broken either.
#[test]
fn an_alert_that_falls_silent_while_its_run_waits_is_acted_on_when_it_is_heard_again() -> anyhow::Result<()> {
    let home = broken(&[
        Repair::new("slow", "slow"),
        Repair::new("repair", "in-vain").and(ON_ALERT),
    ])?;
    let daemon = home.serve()?;
    let mut slow = home
        .command()?
        .args(["run", "slow"])
        .stdout(std::process::Stdio::null())
        .spawn()?;
    wait_for_fixes(&home, 1);
    let alert = Alert::new("Broken").label("asset", "one");
    let mut short = alert.firing();
    let silent = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    short["endsAt"] = silent.to_rfc3339().into();
    daemon.push(&[short])?;
    home.wait_for_state(2, "waiting");
    wait_until(BOUND, "the alert has ended without a word", || {
        anyhow::ensure!(chrono::Utc::now() > silent, "it fires");
        Ok(())
    });

    go(&home)?;
    assert!(slow.wait()?.success());
    wait_until(BOUND, "the run waits for its alert", || {
        let story = home.story(2)?;
        anyhow::ensure!(story.contains("for `alert`"), "{story}");
        Ok(())
    });
    break_again(&home)?;
    assert_eq!(
        fixes(&home),
        ["begun"],
        "nothing was done for an alert that may be over"
    );
    daemon.push(&[alert.firing()])?;

    assert_eq!(home.finished(2)[1]["verdict"], "changed");
    assert_eq!(fixes(&home), ["begun", "tried"]);
    Ok(())
}

#[test]
fn one_run_at_a_time_is_at_work_on_a_target() -> anyhow::Result<()> {
    let home = broken(&[
        Repair::new("slow", "slow"),
        Repair::new("fast", "fix").select("role=\"app\""),
    ])?;
    let _daemon = home.serve()?;
    let start = |arguments: &[&str]| -> anyhow::Result<std::process::Child> {
        let mut command = home.command()?;
        Ok(command
            .arg("run")
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .spawn()?)
    };
    let mut slow = start(&["slow"])?;
    wait_for_fixes(&home, 1);
    let mut waiting = start(&["fast", "--target", "one"])?;
    home.wait_for_state(2, "waiting");

    // Another target is free, and so is whoever only plans.
    assert_eq!(home.run(&["run", "fast", "--target", "two"])?.code, 0);
    break_again(&home)?;
    assert_eq!(home.run(&["run", "fast", "--target", "one", "--dry-run"])?.code, 0);
    assert_eq!(fixes(&home), ["begun", "fixed"]);

    go(&home)?;
    assert!(slow.wait()?.success() && waiting.wait()?.success());
    let story = home.story(2)?;
    assert!(
        story.contains("for `target-lock`: run 1 of `slow` is at work on `one`"),
        "{story}"
    );
    Ok(())
}

#[test]
fn an_alert_s_target_is_the_one_asset_that_its_labels_name() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").select("role=\"app\"").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    let cases = [
        ("asset", "two", "two"),
        ("instance", "two", "two"),
        ("instance", "10.0.0.2:9100", "two"),
        ("instance", "10.0.0.2", "two"),
    ];
    for (n, (label, value, _)) in (1..).zip(cases) {
        let alert = Alert::new("Broken").label(label, value).label("n", &n.to_string());
        daemon.push(&[alert.firing()])?;
        home.finished(n);
    }
    let named: Vec<_> = home.runs()?.iter().map(|run| run["target"].clone()).collect();
    assert_eq!(named, cases.map(|(.., asset)| asset));

    for (label, value) in [("asset", "three"), ("instance", "10.0.0.3:9100"), ("job", "app")] {
        daemon.push(&[Alert::new("Broken").label(label, value).firing()])?;
    }
    let runs = home.finished(7);
    for run in &runs[4..] {
        assert_eq!(run["verdict"], "rejected", "{run:#}");
        let story = home.story(run["run"].as_u64().unwrap_or_default())?;
        assert!(story.contains("by `target`: no asset"), "{story}");
    }
    assert!(
        home.story(7)?.contains("it has neither `asset` nor `instance`"),
        "{}",
        home.story(7)?
    );
    Ok(())
}
