//! A repair that fails again and again is given up: somebody has to look. Only runbooks that change
//! something are, for a check that fails is to be made again; and a person may always try.
//!
//! A run that did its work, or found nothing to do, resets the count, and so does
//! `evenkeel strikes clear`. That it is given up is said once.

use chrono::{DateTime, Utc};
use evenkeel_model::run::{Occurrence, Verdict};

use super::{Answer, Ask};
use crate::port::gates::Record;

pub const NAME: &str = "strikes";

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    let person = matches!(ask.request.occurrence, Occurrence::Person { .. });
    let Some(target) = ask
        .request
        .target
        .as_ref()
        .filter(|_| !person && ask.runbook.may_change())
    else {
        return Answer::Pass;
    };
    let strikes = count(ask.record);
    if strikes < ask.runbook.limits.strikes.get() as usize {
        return Answer::Pass;
    }
    let last = &ask.record.outcomes[0];
    let runbook = &ask.runbook.name;
    let why = format!(
        "{strikes} runs in a row did not repair `{target}`, the last was run {}; it is given up until a run of a \
         person does, or `evenkeel strikes clear {runbook} {target}`",
        last.run
    );
    match ask.record.is_told() {
        true => Answer::Refuse { gate: NAME, why },
        false => Answer::GiveUp { gate: NAME, why },
    }
}

/// The latest runs that failed or did not repair, up to the first that did.
pub fn count(record: &Record) -> usize {
    let outcomes = record.outcomes.iter();
    outcomes.take_while(|run| run.verdict.is_some_and(is_strike)).count()
}

pub fn is_strike(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failed | Verdict::NotRepaired)
}
