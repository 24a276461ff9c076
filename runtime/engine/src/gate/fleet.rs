//! Whatever starts them, only some of a runbook's targets are worked on at once: a repair that makes
//! things worse doesn't take the whole fleet down. Checks are not bounded.

use chrono::{DateTime, Utc};
use evenkeel_model::runbook::Batch;

use super::{Answer, Ask};
use crate::words;

pub const NAME: &str = "fleet";

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    let Some(most) = ask.fleet_full else {
        return Answer::Pass;
    };
    let fleet = match ask.runbook.limits.fleet {
        Batch::Percent(percent) => format!("\"{percent}%\""),
        Batch::Count(count) => count.to_string(),
        Batch::All => "\"100%\"".to_owned(),
    };
    Answer::Wait {
        gate: NAME,
        why: format!(
            "`{}` is at work on {}, and `fleet = {fleet}` allows no more at once",
            ask.runbook.name,
            words::count(most, "target"),
        ),
        until: None,
    }
}

/// Of so many targets, at least one.
pub fn most(fleet: Batch, targets: usize) -> usize {
    match fleet {
        Batch::All => usize::MAX,
        Batch::Count(count) => count.get() as usize,
        Batch::Percent(percent) => (targets * usize::from(percent) / 100).max(1),
    }
}
