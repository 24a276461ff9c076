//! Schedules: what comes next, and what became of the last ticks.

use chrono::{DateTime, Utc};
use evenkeel_engine::schedule::{LastTick, Listed, Next, Passed};

use super::safe;

/// How much of a run's reason is shown.
const WHY: usize = 120;

pub fn lines(schedule: &Listed) -> Vec<String> {
    let jitter = match schedule.jitter.as_str() {
        "0s" => String::new(),
        jitter => format!(", jitter {jitter}"),
    };
    let mut lines = vec![format!(
        "`{}` at `{}` ({}), missed {}{jitter}",
        schedule.runbook, schedule.cron, schedule.zone, schedule.missed
    )];
    if schedule.next.is_empty() {
        lines.push("  next    never: its calendar has ended".to_owned());
    }
    lines.extend(schedule.next.iter().map(|next| format!("  next    {}", coming(next))));
    match (&schedule.last, schedule.seen) {
        (Some(last), _) => lines.push(format!("  last    {}", became(last))),
        (None, Some(seen)) => lines.push(format!(
            "  last    none yet; it is kept, and was looked at {}",
            time(seen)
        )),
        (None, None) => lines.push("  last    none yet; no daemon has kept it so far".to_owned()),
    }
    lines.extend(
        schedule
            .passed
            .as_ref()
            .map(|passed| format!("  passed  {}", left_out(passed))),
    );
    lines
}

/// `2026-03-29T03:00:00+02:00 = Sun 2026-03-29 01:00:00Z`
pub fn tick(local: &str, tick: DateTime<Utc>) -> String {
    format!("{local} = {}", time(tick))
}

fn coming(next: &Next) -> String {
    let opens = match next.opens_at == next.tick {
        true => String::new(),
        false => format!(", opened {}", next.opens_at.format("%H:%M:%S%.3fZ")),
    };
    format!("{}{opens}", tick(&next.local, next.tick))
}

/// `Sun 2026-03-29 01:00:00Z: round 12: 2 healthy, 1 rejected (its reason)`
fn became(last: &LastTick) -> String {
    let runs = last.runs.iter().map(|(state, count)| format!("{count} {state}"));
    let runs = match runs.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "its runs are kept no more".to_owned(),
        runs => runs,
    };
    let why = match last.why.as_str() {
        "" => String::new(),
        why => format!(" ({})", safe::short(why, WHY)),
    };
    format!("{}: round {}: {runs}{why}", time(last.tick), last.round)
}

fn left_out(passed: &Passed) -> String {
    let Passed { from, to, count, why } = passed;
    match count {
        1 => format!("{}: {why}", time(*from)),
        1_000.. => format!("{count} ticks or more, {} to {}: {why}", time(*from), time(*to)),
        _ => format!("{count} ticks, {} to {}: {why}", time(*from), time(*to)),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%a %Y-%m-%d %H:%M:%SZ").to_string()
}
