//! Looks whether the processes of a profile are well, ends those that are not, and starts them again.

mod check;
mod end;
mod remedy;
mod seen;
mod start;

use evenkeel_sdk::Duration;
use evenkeel_sdk::process::Process;

/// Bytes of one MiB, the unit of the parameters.
const MIB: u64 = 1 << 20;
/// Processes that a sentence names; the details have them all.
const NAMED: usize = 5;
/// The pause between two looks while something ends or starts.
const POLL: std::time::Duration = std::time::Duration::from_millis(500);
/// What is left of the step's time for the answer, so that the host need not stop the call.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(1);

/// `4711 (puma, stopped)`, one after the other.
fn named(processes: &[&Process]) -> String {
    let mut words: Vec<String> = processes
        .iter()
        .take(NAMED)
        .map(|process| format!("{} ({}, {})", process.pid, process.name, process.state))
        .collect();
    if processes.len() > NAMED {
        words.push(format!("{} more", processes.len() - NAMED));
    }
    words.join(", ")
}

/// `1 process`, `2 processes`
fn counted(count: usize) -> String {
    match count {
        1 => "1 process".into(),
        count => format!("{count} processes"),
    }
}

/// How long it has run, in whole seconds.
fn age(process: &Process, now_ms: u64) -> Duration {
    Duration::seconds(now_ms.saturating_sub(process.started_ms) / 1_000)
}

#[cfg(test)]
mod tests;
