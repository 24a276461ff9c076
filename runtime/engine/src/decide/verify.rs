//! `[healed]`: looks again until it is well, or the time is up.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::invocation::{Finding, Outcome, Output, Severity};
use evenkeel_model::run::Body;
use evenkeel_model::runbook::{Healed, Step};

use super::stage::{ATTEMPTS, Turn};
use super::step::{told, when_due, worst};
use super::{Command, Subject, prepare};
use crate::port::Work;
use crate::run::Run;
use crate::words;

/// Between two looks it waits 1, 2, 4, 8 seconds and so on, up to this or the [`SHARE`]th part of
/// `within`, whichever is longer: so that a long one doesn't fill the journal with looks.
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const SHARE: i32 = 20;

/// The next look, or the answer. The last look is taken when `within` is over, not before, so
/// that a slow recovery has all the time it was given; after a restart there is at least one,
/// however long the daemon was away.
pub(super) fn advance(run: &Run, subject: &Subject, healed: &Healed, now: DateTime<Utc>) -> Command {
    let Some(step) = subject.runbook.steps.iter().find(|step| step.id == healed.rerun) else {
        return answer(false, format!("there is no step `{}` to run again", healed.rerun));
    };
    let Some(last) = &run.looks.last else {
        return look(run, subject, step, run.last_check(&step.id) + 1, now, now);
    };
    let number = last.key.attempt + 1;
    let Some(ended) = &last.ended else {
        if run.looks.interrupted() >= ATTEMPTS {
            return answer(false, format!("`{}` was interrupted again and again", step.id));
        }
        return look(run, subject, step, number, now, now);
    };
    let seen = seen(&ended.outcome);
    if let Ok(told) = seen {
        return answer(true, format!("`{}`: {told}", step.id));
    }
    let within = TimeDelta::from_std(healed.within).unwrap_or(TimeDelta::MAX / 4);
    let deadline = began(run).unwrap_or(ended.at) + within;
    if ended.at >= deadline {
        let why = seen.unwrap_or_else(|told| told);
        return answer(
            false,
            format!("`{}` after {}: {why}", step.id, words::duration(healed.within)),
        );
    }
    let at = (ended.at + pause(run.looks.count, within)).min(deadline);
    look(run, subject, step, number, at, now)
}

fn look(run: &Run, subject: &Subject, step: &Step, number: u32, at: DateTime<Utc>, now: DateTime<Utc>) -> Command {
    match prepare::look(run, subject, step, Work::Check, Turn::begin(number)) {
        Ok(mut invoke) => {
            invoke.interruptible = false;
            when_due(invoke, Some(at), now)
        }
        Err(why) => answer(false, format!("`{}` can't be run again: {why}", step.id)),
    }
}

/// Well: every finding is below `warning`. The text says what was seen in either case.
fn seen(outcome: &Outcome) -> Result<String, String> {
    match outcome {
        Outcome::Done(Output::Findings(findings)) => judged(findings),
        Outcome::Done(_) => Err("it answered something else than findings".into()),
        Outcome::Failed(failure) => Err(failure.message.clone()),
        Outcome::Stopped { message, .. } => Err(format!("it was stopped: {message}")),
    }
}

fn judged(findings: &[Finding]) -> Result<String, String> {
    let told = told(findings);
    if worst(findings) < Severity::Warning {
        Ok(told)
    } else {
        Err(told)
    }
}

/// When the last step had its result.
fn began(run: &Run) -> Option<DateTime<Utc>> {
    run.steps.values().filter_map(|step| step.finished_at).max()
}

fn pause(looks: u32, within: TimeDelta) -> TimeDelta {
    let doubled = TimeDelta::seconds(1 << looks.saturating_sub(1).min(30));
    doubled.min(LONGEST_PAUSE.max(within / SHARE))
}

fn answer(healed: bool, why: String) -> Command {
    Command::Append(vec![Body::Verified { healed, why }])
}
