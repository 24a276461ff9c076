//! Series outlive the daemon.

use anyhow::ensure;
use evenkeel_tests::evenkeel::BOUND;
use evenkeel_tests::wait::wait_until;

use crate::exporter::Exporter;
use crate::{asked, served, wait_for_value};

/// Samples of the last hour.
fn count(daemon: &evenkeel_tests::evenkeel::Daemon) -> anyhow::Result<u64> {
    let found = asked(daemon, "count_over_time(kept[1h])")?;
    Ok(found[0]["value"][1]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0))
}

#[test]
fn what_was_scraped_before_a_kill_is_there_after_it() -> anyhow::Result<()> {
    let exporter = Exporter::start("kept 1\n")?;
    let (home, mut daemon) = served(&exporter, "", "groups: []\n")?;
    let mut before = 0;
    for round in 0..3 {
        let wanted = before + 2;
        before = wait_until(BOUND, "it is scraped twice", || {
            let count = count(&daemon)?;
            ensure!(count >= wanted, "{count} samples");
            Ok(count)
        });
        exporter.fail_with(500);
        match round {
            // Once it may write a snapshot, and otherwise it may not.
            1 => drop(daemon.terminate()?),
            _ => daemon.kill()?,
        }
        daemon = home.serve()?;
        let now = count(&daemon)?;
        assert!(now >= before, "{before} samples before the end, {now} after it");
        exporter.fail_with(200);
    }
    wait_for_value(&daemon, "kept", "1");
    Ok(())
}

#[test]
fn an_alert_goes_on_being_pending_since_when_it_was() -> anyhow::Result<()> {
    const RULES: &str = "groups:\n- name: g\n  rules:\n  - alert: Slow\n    expr: kept == 1\n    for: 30m\n";
    let exporter = Exporter::start("kept 1\n")?;
    let (home, daemon) = served(&exporter, "", RULES)?;
    let since = |daemon: &evenkeel_tests::evenkeel::Daemon| {
        wait_until(BOUND, "it is pending", || {
            let alerts = daemon.get("/api/v1/alerts")?.json()?;
            let alert = &alerts["data"]["alerts"][0];
            ensure!(alert["state"] == "pending", "{alerts}");
            Ok(alert["activeAt"].to_string())
        })
    };
    let first = seconds(&since(&daemon))?;
    // Long enough that a new beginning could not be taken for it.
    wait_until(BOUND, "it is pending for a while", || {
        let pending = chrono::Utc::now().timestamp() - first;
        ensure!(pending >= 30, "{pending} s");
        Ok(())
    });
    wait_for_value(&daemon, "count(ALERTS_FOR_STATE)", "1");
    let killed = chrono::Utc::now().timestamp();
    daemon.kill()?;
    let daemon = home.serve()?;
    // The times come back behind the second evaluation, without those in which nobody looked.
    wait_until(BOUND, "the time of before is back", || {
        let now = seconds(&since(&daemon))?;
        ensure!(
            now < killed,
            "it is pending since {now}, and was since {first}; the daemon was killed at {killed}"
        );
        Ok(())
    });
    Ok(())
}

fn seconds(time: &str) -> anyhow::Result<i64> {
    Ok(chrono::DateTime::parse_from_rfc3339(time.trim_matches('"'))?.timestamp())
}
