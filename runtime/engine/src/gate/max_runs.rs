//! A runbook that changes the same target again and again treats a symptom: it does so only so
//! often in a while. As with the cool-down, what changed nothing doesn't count.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::run::{Mode, Occurrence, Summary};

use super::{Answer, Ask};
use crate::words;

pub const NAME: &str = "max-runs";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let Some(bound) = ask.runbook.limits.max_runs else {
        return Answer::Pass;
    };
    let count = bound.count.get() as usize;
    let Some(within) = TimeDelta::from_std(bound.within).ok() else {
        return Answer::Pass;
    };
    let over = nth(ask.history, count).and_then(|at| at.checked_add_signed(within));
    let Some(over) = over.filter(|over| *over > now) else {
        return Answer::Pass;
    };
    let why = format!(
        "{} changed something here within {} (`max_runs`); the next may at {}",
        words::count(count, "run"),
        words::duration(bound.within),
        words::time(over),
    );
    match ask.request.occurrence {
        Occurrence::Alert { .. } => Answer::Wait {
            gate: NAME,
            why,
            until: Some(over),
        },
        Occurrence::Tick { .. } | Occurrence::Person { .. } | Occurrence::Step { .. } | Occurrence::After { .. } => {
            Answer::Refuse { gate: NAME, why }
        }
    }
}

/// When the `n`th run back ended that changed something.
fn nth(history: &[Summary], n: usize) -> Option<DateTime<Utc>> {
    let changed = history.iter().filter(|run| run.changed && run.mode == Mode::Live);
    let mut ends: Vec<_> = changed.filter_map(|run| run.finished_at).collect();
    ends.sort_unstable();
    let index = ends.len().checked_sub(n)?;
    ends.get(index).copied()
}
