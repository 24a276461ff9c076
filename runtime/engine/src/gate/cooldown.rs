//! After a runbook changed something on a target, it leaves that target alone for a while: the
//! windowed alert that still fires minutes after the repair must not start it again.
//!
//! Only runs that changed something count, so that a check every minute is never refused. Another
//! attempt for the same alert also waits if the one before it changed nothing: that it failed a
//! moment ago is no reason to fail again at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Mode, Occurrence, Summary};

use super::{Answer, Ask, strikes};
use crate::words;

pub const NAME: &str = "cooldown";

/// Between two attempts, whatever `cooldown` says.
pub const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(60);

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let cooldown = ask.runbook.limits.cooldown;
    let changed = ends(ask.history, cooldown).map(|(run, over)| {
        let why = format!(
            "run {run} changed something here; the cool-down of {} ends at {}",
            words::duration(cooldown),
            words::time(over),
        );
        (over, why)
    });
    let latest = changed
        .into_iter()
        .chain(next_attempt(ask))
        .max_by_key(|(over, _)| *over);
    let Some((over, why)) = latest.filter(|(over, _)| *over > now) else {
        return Answer::Pass;
    };
    match ask.request.occurrence {
        // Its trouble may outlast the cool-down; if it does, somebody still has to look at it.
        Occurrence::Alert { .. } => Answer::Wait {
            gate: NAME,
            why,
            until: Some(over),
        },
        // The next tick comes anyway, and a person can read when to try again.
        Occurrence::Tick { .. } | Occurrence::Person { .. } | Occurrence::Step { .. } | Occurrence::After { .. } => {
            Answer::Refuse { gate: NAME, why }
        }
    }
}

/// The run that changed something last, and when its cool-down is over.
fn ends(history: &[Summary], cooldown: Duration) -> Option<(RunId, DateTime<Utc>)> {
    let cooldown = TimeDelta::from_std(cooldown).ok().filter(|span| !span.is_zero())?;
    history
        .iter()
        .filter(|run| run.changed && run.mode == Mode::Live)
        .filter_map(|run| Some((run.run, run.finished_at?.checked_add_signed(cooldown)?)))
        .max_by_key(|(_, over)| *over)
}

/// When the next attempt for the same alert may begin, and why not before.
fn next_attempt(ask: &Ask<'_>) -> Option<(DateTime<Utc>, String)> {
    let Occurrence::Alert { attempt, .. } = ask.request.occurrence else {
        return None;
    };
    let last = ask.record.outcomes.first().filter(|_| attempt > 1)?;
    let verdict = last.verdict.filter(|verdict| strikes::is_strike(*verdict))?;
    let between = ask.runbook.limits.cooldown.max(BETWEEN_ATTEMPTS);
    let over = last
        .finished_at?
        .checked_add_signed(TimeDelta::from_std(between).ok()?)?;
    let why = format!(
        "run {} ended as {verdict}; attempt {attempt} begins {} later, at {}",
        last.run,
        words::duration(between),
        words::time(over),
    );
    Some((over, why))
}
