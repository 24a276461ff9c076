//! A remedy: plan, ask, apply action by action.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, PlanHash, Risk};
use evenkeel_model::invocation::{Output, Phase};
use evenkeel_model::run::{Body, StepResult, StepStatus};
use evenkeel_model::runbook::{Otherwise, Step};
use serde_json::Value;

use super::stage::{self, Stage};
use super::step::{call, cancelled, fail, finish, skip, when_due};
use super::{Command, Subject, approve, prepare};
use crate::port::Work;
use crate::run::{Plan, Run};
use crate::{risk, words};

/// Characters of what the actions said that a step's summary takes up.
const SUMMARY: usize = 300;

pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Command {
    match run.plan(&step.id) {
        None => plan(run, subject, step, now),
        Some(plan) if plan.actions.is_empty() => finish(step, nothing_to_do()),
        Some(plan) if run.dry() => finish(step, only_planned(step, plan)),
        Some(plan) => {
            // Once it has begun, nobody is asked any more.
            let first = !begun(run, step, plan);
            if let Some(why) = run.stops().filter(|_| first) {
                return match run.is_rechecking(&step.id) {
                    true => Command::AwaitWork,
                    false => skip(step, why),
                };
            }
            let asking = (first && asks(step, plan.risk)).then(|| approve::advance(run, subject, step, plan, now));
            let looking = || approve::recheck(run, subject, step, now).filter(|_| first);
            let before = asking.flatten().or_else(looking);
            before.unwrap_or_else(|| apply(run, subject, step, plan, now))
        }
    }
}

fn plan(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Command {
    match stage::of(run, step, run.attempt(&step.id, Phase::Plan, None)) {
        Stage::Call(turn) => call(run, subject, step, turn, Work::Plan, now),
        Stage::AtWork => Command::AwaitWork,
        Stage::Done(Output::Plan(actions)) => match planned(subject, step, actions) {
            Ok(planned) => Command::Append(vec![planned]),
            Err(why) => fail(step, why, false),
        },
        Stage::Done(_) => fail(step, "it answered something else than a plan".into(), false),
        Stage::Over(why) => fail(step, why, false),
        Stage::Cancelled => skip(step, cancelled(run)),
    }
}

/// Fixes the plan: from here on these actions, and no others, are what may be done.
fn planned(subject: &Subject, step: &Step, actions: &[Action]) -> Result<Body, String> {
    let mut ids = BTreeSet::new();
    if let Some(twice) = actions.iter().find(|action| !ids.insert(&action.id)) {
        return Err(format!("its plan has two actions with the id `{}`", twice.id));
    }
    let risks = risks(subject, step, actions)?;
    Ok(Body::Planned {
        step: step.id.clone(),
        hash: PlanHash::of(actions),
        risk: risks.into_iter().max().unwrap_or(Risk::Low),
        actions: actions.to_vec(),
    })
}

pub(super) fn risks(subject: &Subject, step: &Step, actions: &[Action]) -> Result<Vec<Risk>, String> {
    let access = prepare::granted(subject, step)?;
    let undo = subject
        .runbook
        .healed
        .as_ref()
        .is_some_and(|healed| healed.otherwise == Otherwise::Undo);
    let risks = actions.iter().map(|action| risk::effective(action, &access, undo));
    Ok(risks.collect())
}

// ---- asking ------------------------------------------------------------------------------

pub(super) fn asks(step: &Step, risk: Risk) -> bool {
    step.ask_from.is_some_and(|from| risk >= from)
}

fn begun(run: &Run, step: &Step, plan: &Plan) -> bool {
    let mut actions = plan.actions.iter();
    actions.any(|action| run.attempt(&step.id, Phase::Apply, Some(&action.id)).is_some())
}

// ---- applying ----------------------------------------------------------------------------

/// The next action that has not been applied; an action is finished before the run stops.
fn apply(run: &Run, subject: &Subject, step: &Step, plan: &Plan, now: DateTime<Utc>) -> Command {
    for (index, action) in plan.actions.iter().enumerate() {
        let attempt = run.attempt(&step.id, Phase::Apply, Some(&action.id));
        let untouched = attempt.is_none_or(|attempt| attempt.intents.is_empty());
        let why = match stage::of(run, step, attempt) {
            Stage::Done(Output::Applied(_)) => continue,
            Stage::AtWork => return Command::AwaitWork,
            Stage::Call(_) if run.stops().is_some() && untouched => return stop(run, step, plan, index),
            Stage::Call(turn) if run.stops().is_some() && !turn.resumes => {
                format!("it failed, and is not tried again: {}", cancelled(run))
            }
            Stage::Call(turn) => match prepare::act(run, subject, step, Work::Apply(action.clone()), turn) {
                Ok(invoke) => return when_due(invoke, turn.at, now),
                Err(why) => why,
            },
            Stage::Done(_) => "it answered something else than what was applied".into(),
            Stage::Over(why) => why,
            Stage::Cancelled => cancelled(run),
        };
        return fail(step, format!("`{}`: {why}", action.id), changed(run, step));
    }
    finish(step, applied(run, step, plan))
}

/// Cancelled after `done` actions.
fn stop(run: &Run, step: &Step, plan: &Plan, done: usize) -> Command {
    if done == 0 {
        return skip(step, cancelled(run));
    }
    let mut result = applied(run, step, plan);
    let of = words::count(plan.actions.len(), "action");
    result.summary = format!("stopped after {done} of {of}, {}; {}", cancelled(run), result.summary);
    finish(step, result)
}

fn changed(run: &Run, step: &Step) -> bool {
    run.changed_by(&step.id)
}

fn applied(run: &Run, step: &Step, plan: &Plan) -> StepResult {
    let applied: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|action| run.applied(&step.id, &action.id))
        .collect();
    let said: Vec<&str> = applied.iter().map(|applied| applied.summary.as_str()).collect();
    StepResult {
        status: StepStatus::Ok,
        severity: None,
        changed: changed(run, step),
        summary: shortened(&said.join("; ")),
        output: applied
            .last()
            .and_then(|last| last.output.clone())
            .unwrap_or(Value::Null),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SUMMARY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn nothing_to_do() -> StepResult {
    StepResult {
        status: StepStatus::Ok,
        severity: None,
        changed: false,
        summary: "there is nothing to do".into(),
        output: Value::Null,
    }
}

fn only_planned(step: &Step, plan: &Plan) -> StepResult {
    let asked = if asks(step, plan.risk) {
        "; a person would have to approve it"
    } else {
        ""
    };
    StepResult {
        status: StepStatus::Planned,
        severity: None,
        changed: false,
        summary: format!(
            "{} planned, risk {}{asked}",
            words::count(plan.actions.len(), "action"),
            plan.risk
        ),
        output: Value::Null,
    }
}
