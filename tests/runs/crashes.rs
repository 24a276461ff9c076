//! The power goes in the middle of a run: nothing is done twice, and what nobody can know is said.

use std::{fs, time::Duration};

use anyhow::ensure;
use evenkeel_tests::{
    alerts::Alert,
    evenkeel::{BOUND, Home},
    wait::wait_until,
};
use serde_json::Value;

use crate::workshop::{
    ASSETS, ON_ALERT, ON_ALERT_HEALED, ROLE, Repair, broken, fill, fixes, go, is_broken, names, wait_for_fixes,
};

#[test]
fn a_command_that_was_under_way_is_unknown_and_never_run_again() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let alert = Alert::new("Broken").label("asset", "one");
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;

    let daemon = home.serve()?;
    let runs = home.finished(1);
    daemon.push(&[alert.firing()])?;

    assert_eq!(runs[0]["verdict"], "unknown", "{runs:#?}");
    let story = home.story(1)?;
    assert!(
        story.contains("exec.run slow [] … no answer was recorded: it may have happened"),
        "{story}"
    );
    assert!(story.contains("escalated"), "{story}");
    assert_eq!(fixes(&home), ["begun"]);
    assert_eq!(home.runs()?.len(), 1);
    go(&home)?;
    Ok(())
}

#[test]
fn a_look_that_was_under_way_is_taken_again_and_the_run_goes_on() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").look("slow-look").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;

    let _daemon = home.serve()?;
    wait_for_fixes(&home, 2);
    go(&home)?;

    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "repaired", "{runs:#?}");
    assert_eq!(
        fixes(&home).iter().filter(|word| *word == "fixed").count(),
        1,
        "{:?}",
        fixes(&home)
    );
    assert!(!is_broken(&home));
    Ok(())
}

#[test]
fn a_look_that_three_power_cuts_interrupted_has_failed_and_is_tried_again_while_its_alert_fires() -> anyhow::Result<()>
{
    let home = broken(&[Repair::new("repair", "fix").look("slow-look").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;
    for looks in 2..=3 {
        let daemon = home.serve()?;
        wait_for_fixes(&home, looks);
        daemon.kill()?;
    }

    let _daemon = home.serve()?;
    let next = home.wait_for_state(2, "waiting");

    let run = &home.runs()?[0];
    assert!(interrupted_thrice(run), "{run:#}");
    assert_eq!(attempt(run), 1, "{run:#}");
    assert_eq!(attempt(&next), 2, "{next:#}");
    assert_eq!(fixes(&home), ["looked"; 3], "it is not looked a fourth time");
    Ok(())
}

/// It did nothing, in three lives of the daemon.
fn interrupted_thrice(run: &Value) -> bool {
    let why = "interrupted 3 times in the same place";
    run["verdict"] == "failed" && run["why"].as_str().is_some_and(|said| said.contains(why))
}

/// Which one of those that one alert has had.
fn attempt(run: &Value) -> u64 {
    let alert = &run["occurrence"]["alert"];
    assert!(!alert.is_null(), "{run:#}");
    alert["attempt"].as_u64().unwrap_or(1)
}

#[test]
fn a_run_that_waited_waits_on_after_a_power_cut() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "in-vain")
        .cooldown("5s")
        .and("[[on]]\nalert = \"Broken\"\n")])?;
    let daemon = home.serve()?;
    home.done(&["run", "repair", "--target", "one"])?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    home.wait_for_state(2, "waiting");
    daemon.kill()?;
    assert_eq!(home.runs()?[1]["state"], "waiting", "the files alone say so too");

    let _daemon = home.serve()?;

    assert_eq!(home.finished(2)[1]["verdict"], "changed");
    assert_eq!(fixes(&home), ["tried", "tried"]);
    Ok(())
}

#[test]
fn a_run_keeps_the_text_that_it_started_with() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").look("slow-look").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;
    home.write(
        "runbooks/repair.toml",
        &Repair::new("repair", "in-vain").and(ON_ALERT_HEALED).text(),
    )?;

    let _daemon = home.serve()?;
    wait_for_fixes(&home, 2);
    go(&home)?;

    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "repaired", "{runs:#?}");
    let fixes = fixes(&home);
    assert!(
        fixes.contains(&"fixed".to_owned()) && !fixes.contains(&"tried".to_owned()),
        "{fixes:?}"
    );
    Ok(())
}

#[test]
fn what_a_person_saw_lets_an_unknown_run_go_on() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;
    let daemon = home.serve()?;
    assert_eq!(home.finished(1)[0]["verdict"], "unknown");
    assert!(
        home.story(1)?.contains("`evenkeel runs resolve 1 --done`"),
        "{}",
        home.story(1)?
    );
    go(&home)?;
    let said = home.run(&["runs", "resolve", "1", "--not-done", "--why", "nothing ran"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("verdict      repaired"), "{said:#?}");
    assert_eq!(fixes(&home), ["begun", "begun"], "it was made again");
    let again = home.run(&["runs", "resolve", "1", "--done"])?;
    assert!(again.stderr.contains("run 1 ended as `repaired`"), "{again:#?}");
    drop(daemon);
    Ok(())
}

const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache"

[[on]]
alert = "Broken"

[targets]
select = 'asset="one"'

[[step]]
id = "clean"
uses = "cache-clean@1"
with = { root = "cache", older_than = "0s" }
grant = { files = ["read cache", "remove cache"] }
"#;

#[test]
fn a_power_cut_while_files_are_removed_costs_no_other_file() -> anyhow::Result<()> {
    let home = Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("runbooks/clean.toml", CLEAN),
    ])?;
    let cache = home.path().join("app/cache");
    fill(&cache, 3_000)?;
    fill(&home.path().join("app/other"), 10)?;
    // Files of this very moment are not older than nothing.
    wait_until(BOUND, "the cache is a moment old", || {
        let newest = fs::metadata(cache.join("02999"))?.modified()?;
        anyhow::ensure!(newest.elapsed()? > Duration::from_millis(20), "it is new");
        Ok(())
    });
    let daemon = home.serve()?;
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])?;
    let first = cache.join("00000");
    wait_until(BOUND, "the first file is gone", || {
        anyhow::ensure!(!first.exists(), "it is there");
        Ok(())
    });
    daemon.kill()?;
    // Came after the plan was made.
    fs::write(cache.join("new"), "new")?;

    let daemon = home.serve()?;
    let runs = home.finished(1);

    let verdict = runs[0]["verdict"].as_str().unwrap_or_default();
    let left = names(&cache)?;
    assert!(left.contains(&"new".to_owned()), "it was never planned");
    assert_eq!(names(&home.path().join("app/other"))?.len(), 10);
    match verdict {
        "changed" => assert_eq!(left, ["new"]),
        "unknown" => assert!(home.story(1)?.contains("escalated"), "{}", home.story(1)?),
        other => panic!("{other}: {runs:#?}"),
    }
    assert_eq!(daemon.get("/healthz")?.status, 200);
    Ok(())
}

/// The journal is whole at any moment at which the power may go.
#[test]
fn ten_power_cuts_leave_a_journal_that_can_be_read() -> anyhow::Result<()> {
    let every_one = "overlap = \"queue\"\nmax_runs = \"none\"";
    let repair = Repair::new("repair", "in-vain").limits(every_one);
    let home = broken(&[repair.and("[[on]]\nalert = \"Broken\"\n")])?;
    let mut sent = 0;
    for round in 0..10 {
        let daemon = home.serve()?;
        for n in 0..=round {
            daemon.push(&[Alert::new("Broken")
                .label("asset", "one")
                .label("n", &format!("{round} {n}"))
                .firing()])?;
            sent += 1;
        }
        daemon.kill()?;
        home.runs()?;
    }
    let _daemon = home.serve()?;
    let runs = wait_until(BOUND, "every first attempt has ended", || {
        let runs = home.runs()?;
        let (first, again): (Vec<_>, Vec<_>) = runs.iter().cloned().partition(|run| attempt(run) == 1);
        let thrice = first.iter().filter(|run| interrupted_thrice(run)).count();
        ensure!(
            first.len() >= sent && first.iter().all(|run| !run["verdict"].is_null()),
            "they are {runs:#?}"
        );
        // What three cuts met in one place is tried again, but not within a minute.
        ensure!(again.len() == thrice, "they are {runs:#?}");
        Ok(first)
    });
    assert_eq!(runs.len(), sent, "each alert that was taken in has one: {runs:#?}");
    for run in &runs {
        let number = run["run"].as_u64().unwrap_or_default();
        home.story(number)?;
        let known = ["changed", "unknown"].iter().any(|verdict| run["verdict"] == *verdict);
        assert!(known || interrupted_thrice(run), "{run:#}");
    }
    assert!(
        fixes(&home).len() <= sent,
        "a command was run twice: {:?}",
        fixes(&home)
    );
    Ok(())
}
