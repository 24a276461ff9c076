//! A changed home is served once it checks clean, and not before.

use std::process::Stdio;

use evenkeel_tests::{
    evenkeel::{BOUND, Daemon},
    wait::wait_until,
};
use nix::sys::signal::Signal;

use crate::workshop::{Repair, break_again, broken, fixes, go, wait_for_fixes};

#[track_caller]
fn wait_for_stale(daemon: &Daemon, stale: f64) {
    wait_until(BOUND, &format!("evenkeel_home_stale is {stale}"), || {
        let now = daemon.metric("evenkeel_home_stale", &[])?;
        anyhow::ensure!((now - stale).abs() < 0.5, "it is {now}");
        Ok(())
    });
}

#[test]
fn a_good_change_is_served() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let mut daemon = home.serve()?;

    home.write("runbooks/another.toml", &Repair::new("another", "fix").text())?;

    daemon.wait_for_log(&["the changed home is served"])?;
    home.done(&["run", "another"])?;
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn what_holds_from_the_next_start_on_is_named() -> anyhow::Result<()> {
    let home = broken(&[])?;
    let mut daemon = home.serve()?;
    let settings = "[server]\nlisten = \"127.0.0.1:1\"\ngroup = \"no-such-group\"\n\n[engine]\nruns = 3\n";
    home.write("evenkeel.toml", &format!("{settings}{}", crate::workshop::ROLE))?;
    for setting in ["[server] listen", "[server] group", "[engine] runs"] {
        daemon.wait_for_log(&[setting, "holds from the next start on"])?;
    }
    daemon.wait_for_log(&["there is no group `no-such-group`"])?;
    daemon.wait_for_log(&["the changed home is served"])?;
    Ok(())
}

#[test]
fn a_broken_change_is_not_served_and_said_with_its_place() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let mut daemon = home.serve()?;

    home.write(
        "runbooks/repair.toml",
        &Repair::new("repair", "fix").text().replace("summary", "sumary"),
    )?;

    daemon.wait_for_log(&["the changed home is not served"])?;
    daemon.wait_for_log(&["error[unknown-key]"])?;
    daemon.wait_for_log(&["runbooks/repair.toml:3:1"])?;
    wait_for_stale(&daemon, 1.0);
    home.done(&["run", "repair"])?;
    assert_eq!(fixes(&home), ["fixed"], "the runbook from before is served");

    break_again(&home)?;
    home.write("runbooks/repair.toml", &Repair::new("repair", "in-vain").text())?;
    wait_for_stale(&daemon, 0.0);
    home.done(&["run", "repair"])?;
    assert_eq!(fixes(&home), ["fixed", "tried"]);
    Ok(())
}

#[test]
fn sighup_reloads_at_once_and_says_so() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let mut daemon = home.serve()?;
    daemon.signal(Signal::SIGHUP)?;
    daemon.wait_for_log(&["the changed home is served"])?;
    Ok(())
}

#[test]
fn a_run_under_way_keeps_the_text_that_it_started_with() -> anyhow::Result<()> {
    let healed = "[healed]\nrerun = \"look\"\nwithin = \"10s\"\n";
    let home = broken(&[Repair::new("repair", "slow").and(healed)])?;
    let mut daemon = home.serve()?;
    let mut follower = home.command()?.args(["run", "repair"]).stdout(Stdio::null()).spawn()?;
    wait_for_fixes(&home, 1);

    home.write("runbooks/repair.toml", &Repair::new("repair", "fail").text())?;
    daemon.wait_for_log(&["the changed home is served"])?;
    go(&home)?;

    assert!(follower.wait()?.success());
    assert_eq!(home.verdicts()?, ["repaired"], "it looked again, as its own text says");
    break_again(&home)?;
    assert_eq!(home.run(&["run", "repair"])?.code, 12, "the next run has the new text");
    Ok(())
}

#[test]
fn a_runbook_that_is_taken_away_is_not_run_any_more() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix"), Repair::new("other", "fix")])?;
    let mut daemon = home.serve()?;
    std::fs::remove_file(home.path().join("runbooks/repair.toml"))?;
    daemon.wait_for_log(&["the changed home is served"])?;
    let said = home.run(&["run", "repair"])?;
    assert!(said.stderr.contains("there is no runbook `repair`"), "{said:#?}");
    Ok(())
}
