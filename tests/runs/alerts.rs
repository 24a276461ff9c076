//! An alert starts one round, however often it is sent and whatever happens in between.

use evenkeel_tests::{
    alerts::{Alert, notification},
    evenkeel::{BOUND, Daemon},
    wait::wait_until,
};

use crate::workshop::{ON_ALERT, ON_ALERT_HEALED, Repair, break_again, broken, fixes, go, wait_for_fixes};

fn alert() -> Alert {
    Alert::new("Broken").label("asset", "one").label("severity", "critical")
}

fn notify(daemon: &Daemon, status: &str, alert: &Alert) -> anyhow::Result<()> {
    let answered = daemon.post(
        "/api/v1/alertmanager",
        notification(&[alert.notified(status)]).to_string(),
    )?;
    anyhow::ensure!(answered.status == 200, "{answered:#?}");
    Ok(())
}

#[test]
fn an_alert_that_is_sent_again_starts_nothing_new() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let alert = alert();
    daemon.push(&[alert.firing()])?;
    home.finished(1);
    break_again(&home)?;

    for _ in 0..20 {
        daemon.push(&[alert.firing()])?;
    }
    // Whatever an edge starts is known to the journal before another request is answered.
    daemon.push(&[alert.resolved()])?;
    for _ in 0..5 {
        daemon.push(&[alert.resolved()])?;
    }

    assert_eq!(daemon.metric("evenkeel_alerts_received_total", &[])?, 27.0);
    assert_eq!(
        daemon.metric("evenkeel_alert_edges_total", &[])?,
        2.0,
        "it fired once and resolved once"
    );
    assert_eq!(daemon.metric("evenkeel_rounds_total", &[])?, 1.0);
    assert_eq!(home.verdicts()?, ["repaired"]);
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn an_alert_that_fires_anew_starts_anew() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let first = alert();
    daemon.push(&[first.firing()])?;
    home.finished(1);
    daemon.push(&[first.resolved()])?;
    break_again(&home)?;

    daemon.push(&[first.again().firing()])?;

    let runs = home.finished(2);
    assert_eq!(runs[1]["verdict"], "repaired", "{runs:#?}");
    assert_eq!(fixes(&home), ["fixed", "fixed"]);
    Ok(())
}

#[test]
fn a_webhook_and_a_prometheus_speak_of_the_same_alert() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let alert = alert();
    notify(&daemon, "firing", &alert)?;
    home.finished(1);
    for _ in 0..3 {
        notify(&daemon, "firing", &alert)?;
        daemon.push(&[alert.firing()])?;
    }
    notify(&daemon, "resolved", &alert)?;
    notify(&daemon, "resolved", &alert)?;
    assert_eq!(daemon.metric("evenkeel_alert_edges_total", &[])?, 2.0);
    assert_eq!(home.verdicts()?, ["repaired"]);
    Ok(())
}

#[test]
fn one_occurrence_has_one_round_over_a_power_cut_and_a_restart() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT_HEALED)])?;
    let alert = alert();
    let daemon = home.serve()?;
    daemon.push(&[alert.firing()])?;
    home.finished(1);
    daemon.kill()?;
    break_again(&home)?;

    let daemon = home.serve()?;
    daemon.push(&[alert.firing(), alert.firing()])?;
    notify(&daemon, "firing", &alert)?;
    assert!(daemon.terminate()?.success());
    let daemon = home.serve()?;
    daemon.push(&[alert.firing()])?;
    // Another alert's run shows that edges are worked on by now.
    daemon.push(&[Alert::new("Broken").label("asset", "two").firing()])?;

    let runs = home.finished(2);
    assert_eq!(runs.len(), 2, "{runs:#?}");
    assert_eq!(
        (&runs[0]["verdict"], &runs[1]["verdict"]),
        (&"repaired".into(), &"rejected".into())
    );
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

/// What was answered with 200 is on disk, however soon the power goes.
#[test]
fn an_alert_that_was_taken_in_is_acted_on_after_a_power_cut() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    daemon.push(&[alert().firing()])?;
    daemon.kill()?;

    let _daemon = home.serve()?;

    let runs = home.finished(1);
    assert_eq!(runs.len(), 1, "{runs:#?}");
    // Killed in the middle of the command, nobody could know whether it did its work.
    assert!(
        ["repaired", "unknown"]
            .iter()
            .any(|verdict| runs[0]["verdict"] == *verdict),
        "{runs:#?}"
    );
    assert_eq!(fixes(&home).len(), 1, "the command was run once");
    Ok(())
}

#[test]
fn each_runbook_that_matches_has_its_own_round() -> anyhow::Result<()> {
    let home = broken(&[
        Repair::new("first", "fix").and(ON_ALERT),
        Repair::new("second", "fix").and("[[on]]\nalert = \"Broken\"\nmatch = 'severity=~\"crit.*\"'\n"),
        Repair::new("third", "fix").and("[[on]]\nalert = \"Broken\"\nmatch = 'severity=\"warning\"'\n"),
        Repair::new("fourth", "fix").and("[[on]]\nalert = \"Brokn\"\n"),
    ])?;
    let daemon = home.serve()?;
    daemon.push(&[alert().firing()])?;
    let mut runbooks: Vec<_> = home.finished(2).iter().map(|run| run["runbook"].clone()).collect();
    runbooks.sort_by_key(ToString::to_string);
    assert_eq!(runbooks, ["first", "second"]);
    Ok(())
}

#[test]
fn a_resolve_during_an_action_lets_it_finish_and_stops_there() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow").and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let alert = alert();
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);

    daemon.push(&[alert.resolved()])?;
    wait_until(BOUND, "the run knows that its alert resolved", || {
        let story = home.story(1)?;
        anyhow::ensure!(story.contains("cancel"), "{story}");
        Ok(())
    });
    go(&home)?;

    let runs = home.finished(1);
    assert_eq!(runs[0]["changed"], true, "{runs:#?}");
    assert!(
        ["repaired", "cancelled"]
            .iter()
            .any(|verdict| runs[0]["verdict"] == *verdict),
        "{runs:#?}"
    );
    assert_eq!(fixes(&home), ["begun"]);
    Ok(())
}

#[test]
fn a_resolve_before_anything_was_applied_cancels_the_run() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").look("slow-look").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    let alert = alert();
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);

    daemon.push(&[alert.resolved()])?;

    let runs = home.finished(1);
    assert_eq!(
        (&runs[0]["verdict"], &runs[0]["changed"]),
        (&"cancelled".into(), &false.into()),
        "{runs:#?}"
    );
    assert_eq!(fixes(&home), ["looked"]);
    Ok(())
}

#[test]
fn a_run_goes_on_after_the_resolve_if_the_runbook_says_so() -> anyhow::Result<()> {
    let on = "[[on]]\nalert = \"Broken\"\non_resolve = \"continue\"\n";
    let home = broken(&[Repair::new("repair", "fix").look("slow-look").and(on)])?;
    let daemon = home.serve()?;
    let alert = alert();
    daemon.push(&[alert.firing()])?;
    wait_for_fixes(&home, 1);

    daemon.push(&[alert.resolved()])?;
    go(&home)?;

    assert_eq!(home.finished(1)[0]["verdict"], "changed");
    assert_eq!(fixes(&home), ["looked", "fixed"]);
    Ok(())
}

#[test]
fn a_storm_of_alerts_starts_one_run_each_and_none_is_lost() -> anyhow::Result<()> {
    let every_one = "overlap = \"queue\"\nmax_runs = \"none\"";
    let home = broken(&[Repair::new("repair", "in-vain").limits(every_one).and(ON_ALERT)])?;
    let daemon = home.serve()?;
    let alerts: Vec<_> = (0..100).map(|n| alert().label("n", &n.to_string()).firing()).collect();
    for _ in 0..3 {
        daemon.push(&alerts)?;
    }
    let runs = home.finished(100);
    assert_eq!(runs.len(), 100);
    assert!(runs.iter().all(|run| run["verdict"] == "changed"), "{runs:#?}");
    assert_eq!(fixes(&home).len(), 100);
    Ok(())
}
