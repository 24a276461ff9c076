//! How far one export of a step has come, and whether it may be called (again).

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::invocation::{Class, Outcome, Output, Stop};

use crate::run::{Attempt, Run};

/// How often an invocation is begun at most: after an interruption of the daemon, or after a
/// failure that the plugin calls transient.
pub const ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub(super) enum Stage<'a> {
    /// To be called, with this number, at this time or later; none: at once.
    Call(u32, Option<DateTime<Utc>>),
    Done(&'a Output),
    /// It will not be done, and why.
    Over(String),
    /// Stopped because the run was cancelled.
    Cancelled,
}

pub(super) fn of<'a>(run: &Run, attempt: Option<&'a Attempt>) -> Stage<'a> {
    let Some(attempt) = attempt else {
        return Stage::Call(1, None);
    };
    let number = attempt.key.attempt;
    let untouched = attempt.intents.is_empty();
    let Some(ended) = &attempt.ended else {
        return match (untouched, number < ATTEMPTS) {
            (true, true) => Stage::Call(number + 1, None),
            (true, false) => Stage::Over(format!("it was interrupted {number} times before it came to its end")),
            (false, _) => Stage::Over("it was interrupted after it had begun to change something".into()),
        };
    };
    match &ended.outcome {
        Outcome::Done(output) => Stage::Done(output),
        Outcome::Failed(failure) if failure.class == Class::Transient && untouched && number < ATTEMPTS => {
            Stage::Call(number + 1, Some(ended.at + retry_after(number)))
        }
        Outcome::Failed(failure) => Stage::Over(match failure.code.as_str() {
            "" => failure.message.clone(),
            code => format!("{} ({code})", failure.message),
        }),
        Outcome::Stopped {
            stop: Stop::Cancelled, ..
        } if run.cancel.is_some() => Stage::Cancelled,
        Outcome::Stopped { message, .. } => Stage::Over(format!("it was stopped: {message}")),
    }
}

/// 1 s, 2 s.
fn retry_after(number: u32) -> TimeDelta {
    TimeDelta::seconds(1 << number.saturating_sub(1).min(3))
}
