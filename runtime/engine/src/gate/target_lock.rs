//! At most one run, of whatever runbook, is at work on a target. Everybody else waits for it.

use chrono::{DateTime, Utc};

use super::{Answer, Ask};

pub const NAME: &str = "target-lock";

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    let (Some(holder), Some(target)) = (&ask.holder, &ask.request.target) else {
        return Answer::Pass;
    };
    Answer::Wait {
        gate: NAME,
        why: format!("run {} of `{}` is at work on `{target}`", holder.run, holder.runbook),
        until: None,
    }
}
