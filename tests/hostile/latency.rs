//! How quick a neighbour's runs are: figures to report, which depend on the machine.

use std::{
    fmt::Write as _,
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use evenkeel_tests::workspace;

const HEAD: &str = "| row | the plugin | attacks | runs beside | p50 alone | p99 alone | p50 beside | p99 beside |\n|---|---|---|---|---|---|---|---|\n";

/// The lines of all tests of this process.
static LINES: Mutex<Vec<(u8, String)>> = Mutex::new(Vec::new());

pub fn report(row: u8, what: &str, attacks: usize, alone: &[Duration], beside: &[Duration]) -> anyhow::Result<()> {
    let line = format!(
        "| {row} | {what} | {attacks} | {} | {} | {} | {} | {} |",
        beside.len(),
        percentile(alone, 50),
        percentile(alone, 99),
        percentile(beside, 50),
        percentile(beside, 99)
    );
    println!("{line}");
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.push((row, line));
    lines.sort();
    let mut table = HEAD.to_owned();
    for (_, line) in lines.iter() {
        writeln!(table, "{line}")?;
    }
    fs::write(workspace::target_dir().join("hostile-latency.md"), table)?;
    Ok(())
}

/// The nearest rank.
fn percentile(samples: &[Duration], percent: usize) -> String {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    match sorted.get(rank) {
        Some(sample) => format!("{:.1} ms", sample.as_secs_f64() * 1_000.0),
        None => "-".to_owned(),
    }
}
