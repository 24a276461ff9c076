//! After a runbook changed something on a target, it leaves that target alone for a while: the
//! windowed alert that still fires minutes after the repair must not start it again.
//!
//! Only runs that changed something count, so that a check every minute is never refused.

use chrono::{DateTime, Utc};
use evenkeel_model::run::{Mode, Occurrence, Summary};

use super::{Answer, Ask};
use crate::words;

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let cooldown = ask.runbook.limits.cooldown;
    let Some((run, over)) = ends(ask.history, cooldown) else {
        return Answer::Pass;
    };
    if over <= now {
        return Answer::Pass;
    }
    let why = format!(
        "run {run} changed something here; the cool-down of {} ends at {}",
        words::duration(cooldown),
        words::time(over),
    );
    match ask.request.occurrence {
        // Its trouble may outlast the cool-down; if it does, somebody still has to look at it.
        Occurrence::Alert { .. } => Answer::Wait {
            gate: "cooldown",
            why,
            until: Some(over),
        },
        // The next tick comes anyway, and a person can read when to try again.
        Occurrence::Tick { .. } | Occurrence::Person { .. } => Answer::Refuse { gate: "cooldown", why },
    }
}

/// The run that changed something last, and when its cool-down is over.
fn ends(history: &[Summary], cooldown: std::time::Duration) -> Option<(evenkeel_model::name::RunId, DateTime<Utc>)> {
    let cooldown = chrono::TimeDelta::from_std(cooldown)
        .ok()
        .filter(|span| !span.is_zero())?;
    history
        .iter()
        .filter(|run| run.changed && run.mode == Mode::Live)
        .filter_map(|run| Some((run.run, run.finished_at?.checked_add_signed(cooldown)?)))
        .max_by_key(|(_, over)| *over)
}
