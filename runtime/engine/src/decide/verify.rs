//! `[healed]`: looks again until it is well, or the time is up.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::grant::Grant;
use evenkeel_model::invocation::{Finding, Outcome, Output, Severity};
use evenkeel_model::run::Body;
use evenkeel_model::runbook::{Healed, Proof, Step};
use evenkeel_model::{access, query};

use super::part::{self, Part};
use super::stage::{ATTEMPTS, Turn};
use super::step::{self, told, when_due, worst};
use super::{Command, Query, Subject, prepare};
use crate::context;
use crate::port::Work;
use crate::port::metrics::{At, Question};
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
    match &healed.proof {
        Proof::Rerun(rerun) => match subject.runbook.steps.iter().find(|step| step.id == *rerun) {
            Some(step) => look_again(run, subject, healed, step, now),
            None => answer(false, format!("there is no step `{rerun}` to run again")),
        },
        Proof::Query { expr, source } => ask(run, subject, healed, (expr, source), now),
    }
}

/// A source that doesn't answer has not said that it is healed, and is asked again.
fn ask(run: &Run, subject: &Subject, healed: &Healed, asked: (&str, &Grant), now: DateTime<Utc>) -> Command {
    let Some(last) = &run.queries.last else {
        return query(run, subject, asked);
    };
    if last.healed {
        return answer(true, format!("the query: {}", last.told));
    }
    let within = TimeDelta::from_std(healed.within).unwrap_or(TimeDelta::MAX / 4);
    let deadline = began(run).unwrap_or(last.at) + within;
    if last.at >= deadline {
        let within = words::duration(healed.within);
        return answer(false, format!("the query after {within}: {}", last.told));
    }
    let at = (last.at + pause(run.queries.count, within)).min(deadline);
    match at > now {
        true => Command::SleepUntil(at),
        false => query(run, subject, asked),
    }
}

fn query(run: &Run, subject: &Subject, (expr, source): (&str, &Grant)) -> Command {
    let asked = || {
        let expr =
            query::render(expr, &context::of(run, subject, None)).map_err(|error| format!("`query`: {error}"))?;
        let target = subject.target.as_deref().ok_or("the run has no target")?;
        let (asset, source) = access::source(source, target, &subject.home).map_err(|error| error.to_string())?;
        let limits = &subject.home.settings.sandbox;
        let question = Question {
            expr,
            at: At::Now,
            timeout: source.timeout,
            series: limits.series,
            points: limits.points,
            bytes: limits.answer_bytes,
        };
        Ok::<_, String>(Query {
            asset,
            source,
            question,
        })
    };
    match asked() {
        Ok(query) => Command::Query(Box::new(query)),
        Err(why) => answer(false, format!("it can't be asked: {why}")),
    }
}

fn look_again(run: &Run, subject: &Subject, healed: &Healed, step: &Step, now: DateTime<Utc>) -> Command {
    if let Some(each) = step.each.as_ref().filter(|_| run.items(&step.id).is_none()) {
        // It was skipped; what it looks at is to be known all the same.
        return match step::items(run, subject, step, each) {
            Ok(items) => Command::Append(vec![Body::Listed {
                step: step.id.clone(),
                items,
            }]),
            Err(why) => answer(false, format!("`{}` can't be run again: {why}", step.id)),
        };
    }
    let parts = part::of(run, step);
    let Some(first) = parts.first() else {
        return answer(true, format!("`{}` has no items", step.id));
    };
    let Some(last) = &run.looks.last else {
        return look(run, subject, step, *first, now, now);
    };
    let at = part::of_key(run, step, last.key.action.as_deref());
    let Some(ended) = &last.ended else {
        if run.is_at_work(last) {
            return Command::AwaitWork;
        }
        if run.looks.interrupted() >= ATTEMPTS {
            return answer(false, format!("`{}` was interrupted again and again", step.id));
        }
        return look(run, subject, step, at, now, now);
    };
    let seen = seen(&ended.outcome);
    if let Ok(told) = seen {
        // All items have to be well in one go.
        let next = parts.iter().skip_while(|part| part.key() != at.key()).nth(1);
        return match next {
            Some(next) => look(run, subject, step, *next, now, now),
            None => answer(true, format!("`{}`: {told}", step.id)),
        };
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
    look(run, subject, step, *first, at, now)
}

fn look(run: &Run, subject: &Subject, step: &Step, part: Part<'_>, at: DateTime<Utc>, now: DateTime<Utc>) -> Command {
    let turn = Turn::begin(run.last_check(&step.id, part.key().as_deref()) + 1);
    match prepare::look(run, subject, step, part, Work::Check, turn) {
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
