//! How far one export of a step has come, and whether it may be called (again).

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::invocation::{Outcome, Output, Stop};

use evenkeel_model::action::sha256;
use evenkeel_model::runbook::{Retry, Step};

use crate::run::{Attempt, Run};

/// How often an invocation is begun at most that could not be gone on with.
pub const ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub(super) enum Stage<T> {
    Call(Turn),
    /// It is under way.
    AtWork,
    Done(T),
    /// It will not be done, and why.
    Over(String),
    /// Stopped because the run was cancelled.
    Cancelled,
}

/// A call that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// From 1.
    pub number: u32,
    /// Not before that; none: at once.
    pub at: Option<DateTime<Utc>>,
    /// It was interrupted, and is gone on with.
    pub resumes: bool,
    /// It, or a call before it, had begun to change something.
    pub touched: bool,
}

impl Turn {
    pub fn begin(number: u32) -> Self {
        Self {
            number,
            at: None,
            resumes: false,
            touched: false,
        }
    }
}

impl<T> Stage<T> {
    /// The error is why what it answered won't do.
    pub fn and_then<U>(self, take: impl FnOnce(T) -> Result<U, String>) -> Stage<U> {
        match self {
            Self::Done(done) => take(done).map_or_else(Stage::Over, Stage::Done),
            Self::Call(turn) => Stage::Call(turn),
            Self::AtWork => Stage::AtWork,
            Self::Over(why) => Stage::Over(why),
            Self::Cancelled => Stage::Cancelled,
        }
    }
}

pub(super) fn of<'a>(run: &Run, step: &Step, attempt: Option<&'a Attempt>) -> Stage<&'a Output> {
    let Some(attempt) = attempt else {
        return Stage::Call(Turn::begin(1));
    };
    let number = attempt.key.attempt;
    let untouched = attempt.intents.is_empty();
    let touched = attempt.has_touched();
    let Some(ended) = &attempt.ended else {
        if run.is_at_work(attempt) {
            return Stage::AtWork;
        }
        return match (attempt.goes_on(), untouched) {
            (true, _) => Stage::Call(Turn {
                resumes: true,
                touched,
                ..Turn::begin(number)
            }),
            (false, true) => Stage::Over(format!(
                "it was interrupted {} times in the same place",
                attempt.resumed + 1
            )),
            (false, false) => Stage::Over("it was interrupted after it had begun to change something".into()),
        };
    };
    match &ended.outcome {
        // What it said is not asked for any more.
        _ if attempt.void => Stage::Call(Turn::begin(number + 1)),
        _ if ended.is_interruption() && untouched && number < ATTEMPTS => Stage::Call(Turn {
            touched,
            ..Turn::begin(number + 1)
        }),
        Outcome::Done(output) => Stage::Done(output),
        Outcome::Failed(_)
            if attempt.may_be_tried_again() && attempt.may_be_repeated() && number < step.retry.times.get() =>
        {
            Stage::Call(Turn {
                at: Some(ended.at + retry_after(&step.retry, attempt)),
                touched,
                ..Turn::begin(number + 1)
            })
        }
        Outcome::Failed(failure) => Stage::Over(match failure.code.as_str() {
            "" => failure.message.clone(),
            code => format!("{} ({code})", failure.message),
        }),
        Outcome::Stopped {
            stop: Stop::Cancelled, ..
        } if run.cancel.is_some() && !touched => Stage::Cancelled,
        Outcome::Stopped { message, .. } => Stage::Over(format!("it was stopped: {message}")),
    }
}

/// Doubled with each time, up to the longest, and up to a fifth less of it: so that what failed
/// together isn't tried again together. The same for the same attempt, for what decides is pure.
fn retry_after(retry: &Retry, attempt: &Attempt) -> TimeDelta {
    let doublings = attempt.key.attempt.saturating_sub(1).min(31);
    let wait = retry.wait.saturating_mul(1 << doublings).min(retry.longest);
    let key = &attempt.key;
    let place = format!("{} {:?} {} {}", key.step, key.action, key.attempt, attempt.begun_at);
    let fifth = u32::from_str_radix(&sha256(place.as_bytes())[..4], 16).unwrap_or_default();
    let less = wait / 5 * fifth / 0xffff;
    TimeDelta::from_std(wait - less).unwrap_or(TimeDelta::MAX / 4)
}
