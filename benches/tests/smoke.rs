//! Each benchmark runs to its end, and what it prints is a figure. How large it is, no test asks.

use std::process::Command;

use anyhow::{Result, ensure};
use evenkeel_tests::programs::program;

/// What a benchmark printed.
#[expect(clippy::disallowed_methods, reason = "the test starts the benchmark")]
fn smoke(benchmark: &str) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel-benches"))
        .args([benchmark, "--smoke", "--no-extism", "--evenkeel"])
        .arg(program("evenkeel")?)
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{benchmark}: {words}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The rows of that name; the numbers of each, without their units.
fn row<'a>(printed: &'a str, name: &'a str) -> impl Iterator<Item = Vec<f64>> + 'a {
    let rows = printed.lines().filter_map(move |line| line.trim().strip_prefix(name));
    rows.map(|row| row.split_whitespace().filter_map(number).collect())
}

fn number(word: &str) -> Option<f64> {
    word.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

fn assert_positive(printed: &str, name: &str, rows: usize, numbers: usize) {
    let found: Vec<_> = row(printed, name).collect();
    assert_eq!(found.len(), rows, "rows of `{name}` in:\n{printed}");
    for row in found {
        assert!(row.len() >= numbers, "{row:?} of `{name}` in:\n{printed}");
        assert!(
            row.iter().all(|n| n.is_finite() && *n > 0.0),
            "{row:?} of `{name}` in:\n{printed}"
        );
    }
}

#[test]
fn steps_are_measured_beside_the_bare_loop() -> Result<()> {
    let printed = smoke("step")?;
    assert_positive(&printed, "evenkeel, journal off", 2, 5);
    assert_positive(&printed, "evenkeel, journaled in SQLite", 1, 5);
    assert_positive(&printed, "evenkeel, 64 tasks", 1, 5);
    assert_positive(&printed, "bare wasmtime", 3, 5);
    Ok(())
}

#[test]
fn runs_are_measured_beside_the_disk() -> Result<()> {
    let printed = smoke("runs")?;
    assert_positive(&printed, "evenkeel, 64 runs at once, no cool-down", 1, 5);
    assert_positive(&printed, "evenkeel, 64 at once, the default cool-down", 1, 5);
    assert_positive(&printed, "append 4 KiB and fdatasync, one by one", 1, 5);
    Ok(())
}

#[test]
fn live_instances_are_weighed() -> Result<()> {
    let printed = smoke("live")?;
    assert_positive(&printed, "evenkeel, out of the pool, in a call", 1, 3);
    assert_positive(&printed, "bare wasmtime, one by one, in a call", 1, 3);
    Ok(())
}

#[test]
fn loading_is_measured_cold_and_cached() -> Result<()> {
    let printed = smoke("load")?;
    assert_positive(&printed, "scanned and hashed", 2, 5);
    assert_positive(&printed, "loaded out of the cache", 2, 5);
    assert_positive(&printed, "compiled, each in a process of its own:", 2, 1);
    Ok(())
}

#[test]
fn the_daemon_is_started_and_weighed() -> Result<()> {
    let printed = smoke("serve")?;
    assert_positive(&printed, "`evenkeel serve` to ready", 2, 5);
    assert_positive(&printed, "idle for 0ns:", 2, 1);
    Ok(())
}

#[test]
fn alerts_are_posted_to_both() -> Result<()> {
    let printed = smoke("alert")?;
    assert_positive(&printed, "evenkeel, journal on disk: a plugin's first call", 1, 5);
    assert_positive(&printed, "webhook receiver: `sh -c`", 1, 5);
    Ok(())
}

#[test]
fn schedules_are_kept_and_weighed() -> Result<()> {
    let printed = smoke("schedules")?;
    assert_positive(&printed, "evenkeel: out of the book, and in again", 3, 5);
    assert_positive(&printed, "a look at the next tick of each", 3, 5);
    assert_positive(&printed, "evenkeel: a round is opened after its tick", 1, 5);
    let at_once: Vec<_> = row(&printed, "50 rounds that were due at once were opened in").collect();
    assert!(
        matches!(at_once.as_slice(), [numbers] if numbers.len() == 2),
        "{printed}"
    );
    Ok(())
}

#[test]
fn rules_are_tested_by_both() -> Result<()> {
    let printed = smoke("rules")?;
    assert_positive(&printed, "`evenkeel rules test`", 1, 5);
    Ok(())
}

#[test]
fn rules_are_evaluated_over_many_series() -> Result<()> {
    let printed = smoke("judged")?;
    assert_positive(&printed, "evenkeel", 1, 4);
    Ok(())
}

#[test]
fn series_are_kept_and_weighed() -> Result<()> {
    let printed = smoke("series")?;
    assert_positive(&printed, "evenkeel, as it counts itself", 2, 4);
    assert_positive(&printed, "evenkeel: appended", 1, 5);
    assert_positive(&printed, "evenkeel: encoded for the log", 1, 5);
    assert_positive(&printed, "evenkeel: the last value of all", 1, 4);
    assert_positive(&printed, "snapshot:", 1, 3);
    Ok(())
}

#[test]
fn exposition_text_is_read_and_scraped_beside_peers() -> Result<()> {
    let printed = smoke("exposition")?;
    for name in [
        "evenkeel: read",
        "prometheus-parse: read",
        "evenkeel: scraped",
        "Prometheus: scraped",
    ] {
        assert_positive(&printed, name, 3, 2);
    }
    Ok(())
}

#[test]
fn alerts_taken_in_are_measured_beside_the_disk() -> Result<()> {
    let printed = smoke("intake")?;
    assert_positive(&printed, "a request with one alert", 1, 3);
    assert_positive(&printed, "a request with 64", 1, 3);
    assert_positive(&printed, "append 4 KiB and fdatasync, one by one", 1, 3);
    ensure!(printed.contains("x the syncs of the disk"), "{printed}");
    Ok(())
}

#[test]
fn a_long_journal_is_measured() -> Result<()> {
    let printed = smoke("journal")?;
    for name in [
        "`evenkeel serve` to ready",
        "`evenkeel runs list`",
        "`evenkeel why --asset`",
    ] {
        assert_positive(&printed, name, 1, 3);
    }
    ensure!(
        printed.contains("bytes an event") && printed.contains("`evenkeel backup`"),
        "{printed}"
    );
    Ok(())
}
