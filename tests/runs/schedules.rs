//! Schedules: every tick has one round, over all that the runbook selects.

use std::collections::BTreeSet;

use evenkeel_tests::evenkeel::{BOUND, Home};
use evenkeel_tests::wait::wait_until;
use serde_json::Value;

use crate::workshop::{Repair, broken, fixes};

const EVERY_SECOND: &str = "[[on]]\ncron = \"* * * * * *\"\nmissed = \"none\"\n";

#[track_caller]
fn wait_for_runs(home: &Home, count: usize) -> Vec<Value> {
    wait_until(BOUND, &format!("{count} runs have finished"), || {
        let runs: Vec<_> = home
            .runs()?
            .into_iter()
            .filter(|run| !run["verdict"].is_null())
            .collect();
        anyhow::ensure!(runs.len() >= count, "they are {runs:#?}");
        Ok(runs)
    })
}

#[test]
fn a_tick_takes_all_that_the_runbook_selects() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").select("role=\"app\"").and(EVERY_SECOND)])?;
    std::fs::remove_file(home.path().join("app/broken"))?;
    let daemon = home.serve()?;
    let runs = wait_for_runs(&home, 2);
    drop(daemon);
    let first: BTreeSet<_> = runs[..2].iter().filter_map(|run| run["target"].as_str()).collect();
    assert_eq!(first, ["one", "two"].into());
    assert_eq!(runs[0]["round"], runs[1]["round"]);
    assert!(runs[0]["occurrence"]["tick"]["at"].is_string(), "{:#}", runs[0]);
    Ok(())
}

#[test]
fn no_tick_has_two_rounds_over_a_power_cut() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(EVERY_SECOND)])?;
    std::fs::remove_file(home.path().join("app/broken"))?;
    for so_far in [2, 4, 6] {
        let daemon = home.serve()?;
        wait_for_runs(&home, so_far);
        daemon.kill()?;
    }
    let runs = home.runs()?;
    let ticks: BTreeSet<_> = runs
        .iter()
        .map(|run| run["occurrence"]["tick"]["at"].to_string())
        .collect();
    assert_eq!(ticks.len(), runs.len(), "{runs:#?}");
    Ok(())
}

/// The repair of the first tick changed something, and the others are refused, not queued.
#[test]
fn a_schedule_is_refused_within_the_cool_down() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "in-vain").cooldown("10m").and(EVERY_SECOND)])?;
    let _daemon = home.serve()?;
    let runs = wait_for_runs(&home, 3);
    assert_eq!(runs[0]["verdict"], "changed", "{runs:#?}");
    assert!(runs[1..].iter().all(|run| run["verdict"] == "rejected"), "{runs:#?}");
    assert_eq!(fixes(&home), ["tried"]);
    Ok(())
}

#[test]
fn a_schedule_that_selects_nothing_is_refused_and_says_so() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")
        .select("role=\"app\", env=\"test\"")
        .and(EVERY_SECOND)]);
    // Either the check says so, or the run does.
    let home = match home {
        Ok(home) => home,
        Err(error) => {
            assert!(format!("{error:#}").contains("select"), "{error:#}");
            return Ok(());
        }
    };
    let _daemon = home.serve()?;
    let runs = wait_for_runs(&home, 1);
    assert_eq!(runs[0]["verdict"], "rejected", "{runs:#?}");
    assert!(
        runs[0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("no asset matches")),
        "{runs:#?}"
    );
    Ok(())
}

/// `evenkeel schedule` tells from the record what became of the last tick, and why some had none.
#[test]
fn the_schedule_says_what_became_of_its_ticks() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "in-vain").cooldown("10m").and(EVERY_SECOND)])?;
    let daemon = home.serve()?;
    wait_for_runs(&home, 3);
    let refused = home.json(&["schedule"])?;
    let last = &refused["schedules"][0]["last"];
    assert_eq!(last["runs"]["rejected"], 1, "{refused:#}");
    assert!(
        last["why"].as_str().is_some_and(|why| why.contains("cool-down")),
        "{refused:#}"
    );
    assert!(last["tick"].is_string() && last["round"].is_u64(), "{refused:#}");
    let said = home.done(&["schedule"])?;
    assert!(said.stdout.contains("1 rejected ("), "{said:#?}");
    assert_eq!(said.stderr, "");
    daemon.kill()?;

    // Nobody keeps it for two ticks at least.
    let killed_at = refused["schedules"][0]["next"][2]["tick"].clone();
    wait_until(BOUND, "some ticks go by", || {
        let now = home.json(&["schedule"])?["schedules"][0]["next"][0]["tick"].clone();
        anyhow::ensure!(now.as_str() > killed_at.as_str(), "it is not {killed_at} yet");
        Ok(())
    });
    let _daemon = home.serve()?;
    let passed = wait_until(BOUND, "the passed ticks are in the record", || {
        let listed = home.json(&["schedule"])?;
        let passed = listed["schedules"][0]["passed"].clone();
        anyhow::ensure!(!passed.is_null(), "{listed:#}");
        Ok(passed)
    });
    assert_eq!(
        passed["why"], "no daemon kept the schedules then; `missed = \"none\"`",
        "{passed:#}"
    );
    assert!(passed["count"].as_u64().is_some_and(|count| count >= 2), "{passed:#}");
    Ok(())
}
