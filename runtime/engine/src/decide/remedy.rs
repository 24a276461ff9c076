//! A remedy: plan, ask, apply action by action.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, PlanHash, Risk};
use evenkeel_model::invocation::{Output, Phase};
use evenkeel_model::run::{Body, StepResult, StepStatus};
use evenkeel_model::runbook::{Otherwise, Step};
use serde_json::Value;

use super::part::{self, Came, Part, Sweep};
use super::stage::{self, Stage, Turn};
use super::step::{fail, failed_with, finish, look, of_items, shortened, skip, when_due};
use super::{Command, Subject, approve, prepare};
use crate::port::Work;
use crate::run::{Attempt, Plan, Run};
use crate::{risk, words};

const NOTHING: &str = "there is nothing to do";
/// Bytes of the plans of all items of a step, as JSON.
const PLANS: usize = 4 << 20;

pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Vec<Command> {
    match run.plan(&step.id) {
        None => plan(run, subject, step, now),
        Some(plan) if plan.actions.is_empty() && step.each.is_none() => vec![finish(step, nothing_to_do())],
        Some(plan) if run.dry() => vec![finish(step, only_planned(step, plan))],
        Some(plan) => {
            // Once it has begun, nobody is asked any more.
            let first = !begun(run, step, plan);
            if let Some(why) = run.stops().filter(|_| first) {
                return vec![match run.is_rechecking(&step.id) {
                    true => Command::AwaitWork,
                    false => skip(step, why),
                }];
            }
            // A no stands, and a look that is under way is the latest.
            let declined = run
                .approval(&step.id)
                .is_some_and(|approval| approval.declined.is_some());
            if first
                && !declined
                && !run.is_rechecking(&step.id)
                && let Some(void) = approve::outdated(run, subject, step)
            {
                return vec![void];
            }
            let asking = (first && asks(step, plan.risk)).then(|| approve::advance(run, subject, step, plan, now));
            let looking = || approve::recheck(run, subject, step, now).filter(|_| first);
            match asking.flatten().or_else(looking) {
                Some(before) => vec![before],
                None => apply(run, subject, step, plan, now),
            }
        }
    }
}

fn plan(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Vec<Command> {
    let sweep = part::sweep(
        run,
        step,
        |part| planning(run, step, part),
        |part, turn, stop| look(run, subject, step, part, (Work::Plan, turn), stop, now),
    );
    if !sweep.next.is_empty() {
        return sweep.next;
    }
    if let Some(why) = sweep.failure() {
        return vec![fail(step, why, false)];
    }
    if let Some(why) = sweep.left() {
        return vec![skip(step, why.to_owned())];
    }
    vec![match planned(subject, step, &sweep) {
        Ok(planned) => Command::Append(vec![planned]),
        Err(why) => fail(step, why, false),
    }]
}

fn planning<'a>(run: &'a Run, step: &Step, part: Part<'_>) -> Stage<&'a Vec<Action>> {
    let attempt = run.attempt(&step.id, Phase::Plan, part.key().as_deref());
    stage::of(run, step, attempt).and_then(|output| match output {
        Output::Plan(actions) => Ok(actions),
        _ => Err("it answered something else than a plan".into()),
    })
}

/// Fixes the plan: from here on these actions, and no others, are what may be done.
fn planned(subject: &Subject, step: &Step, sweep: &Sweep<'_, &Vec<Action>>) -> Result<Body, String> {
    let mut all = Vec::new();
    for (part, actions) in sweep.done() {
        let mut ids = BTreeSet::new();
        if let Some(twice) = actions.iter().find(|action| !ids.insert(&action.id)) {
            return Err(format!("its plan has two actions with the id `{}`", part.own(twice).id));
        }
        all.extend(actions.iter().map(|action| part.own(action)));
    }
    if step.each.is_some() && serde_json::to_string(&all).map_or(true, |json| json.len() > PLANS) {
        return Err(format!(
            "the plans of its items are larger than {} MiB together",
            PLANS >> 20
        ));
    }
    let risks = risks(subject, step, &all)?;
    Ok(Body::Planned {
        step: step.id.clone(),
        hash: PlanHash::of(&all),
        risk: risks.into_iter().max().unwrap_or(Risk::Low),
        actions: all,
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

/// The next actions that have not been applied; an action is finished before the run stops.
fn apply(run: &Run, subject: &Subject, step: &Step, plan: &Plan, now: DateTime<Utc>) -> Vec<Command> {
    let sweep = part::sweep(
        run,
        step,
        |part| applying(run, subject, step, plan, part),
        |part, turn, stop| act(run, subject, step, plan, (part, turn), stop, now),
    );
    if !sweep.next.is_empty() {
        return sweep.next;
    }
    let result = match (sweep.failure(), sweep.left()) {
        (Some(why), _) if step.each.is_none() => return vec![fail(step, why, changed(run, step))],
        (Some(why), _) => failed_with(why, changed(run, step), listed(run, step, plan, &sweep)),
        (None, Some(why)) => return vec![stop(run, step, plan, &sweep, why)],
        (None, None) => applied(run, step, plan, &sweep),
    };
    vec![finish(step, result)]
}

/// How far the actions of a part have come.
fn applying(run: &Run, subject: &Subject, step: &Step, plan: &Plan, part: Part<'_>) -> Stage<()> {
    match planning(run, step, part) {
        Stage::Over(why) => return Stage::Over(why),
        // It could not even be called.
        Stage::Call(turn) => {
            let untold = "it was not planned".to_owned();
            return Stage::Over(
                prepare::look(run, subject, step, part, Work::Plan, turn)
                    .err()
                    .unwrap_or(untold),
            );
        }
        _ => {}
    }
    match next_action(run, step, plan, part) {
        Some((action, stage)) => match stage {
            Stage::Over(why) => Stage::Over(format!("`{}`: {why}", action.id)),
            stage => stage.and_then(|_| {
                Err(format!(
                    "`{}`: it answered something else than what was applied",
                    action.id
                ))
            }),
        },
        None => Stage::Done(()),
    }
}

/// The first action of a part that has not been applied.
fn next_action<'a>(
    run: &'a Run,
    step: &Step,
    plan: &'a Plan,
    part: Part<'_>,
) -> Option<(&'a Action, Stage<&'a Output>)> {
    let actions = plan.actions.iter().filter(|action| part.has(action));
    let mut stages = actions.map(|action| {
        let attempt = run.attempt(&step.id, Phase::Apply, Some(&action.id));
        (action, stage::of(run, step, attempt))
    });
    stages.find(|(_, stage)| !matches!(stage, Stage::Done(Output::Applied(_))))
}

fn act(
    run: &Run,
    subject: &Subject,
    step: &Step,
    plan: &Plan,
    (part, turn): (Part<'_>, Turn),
    stop: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Command, Came<()>> {
    let (action, _) = next_action(run, step, plan, part).ok_or(Came::Done(()))?;
    match stop {
        Some(why) if !turn.touched => return Err(Came::Left(why.to_owned())),
        // It is tried again once the doubt of another step is gone.
        Some(why) if !turn.resumes && run.is_halted_by_doubt() => return Err(Came::Left(why.to_owned())),
        Some(why) if !turn.resumes => {
            let why = format!("`{}`: it failed, and is not tried again: {why}", action.id);
            return Err(Came::Failed(why));
        }
        _ => {}
    }
    match prepare::act(run, subject, step, Work::Apply(action.clone()), turn) {
        Ok(invoke) => Ok(when_due(invoke, turn.at, now)),
        Err(why) => prepare::given_up(run.attempt(&step.id, Phase::Apply, Some(&action.id)), turn, &why)
            .ok_or_else(|| Came::Failed(format!("`{}`: {why}", action.id))),
    }
}

/// Nothing further is applied.
fn stop(run: &Run, step: &Step, plan: &Plan, sweep: &Sweep<'_, ()>, why: &str) -> Command {
    let actions = plan.actions.iter();
    let done = actions
        .filter(|action| run.applied(&step.id, &action.id).is_some())
        .count();
    if done == 0 {
        return skip(step, why.to_owned());
    }
    let mut result = applied(run, step, plan, sweep);
    let of = words::count(plan.actions.len(), "action");
    result.summary = format!("stopped after {done} of {of}, {why}; {}", result.summary);
    finish(step, result)
}

fn changed(run: &Run, step: &Step) -> bool {
    run.changed_by(&step.id)
}

fn applied(run: &Run, step: &Step, plan: &Plan, sweep: &Sweep<'_, ()>) -> StepResult {
    let (said, output) = said(run, step, plan.actions.iter());
    let result = StepResult {
        status: StepStatus::Ok,
        severity: None,
        changed: changed(run, step),
        summary: said,
        output,
    };
    match &step.each {
        None => result,
        Some(_) => StepResult {
            summary: of_items(
                sweep,
                if plan.actions.is_empty() {
                    NOTHING
                } else {
                    &result.summary
                },
            ),
            output: listed(run, step, plan, sweep),
            ..result
        },
    }
}

fn listed(run: &Run, step: &Step, plan: &Plan, sweep: &Sweep<'_, ()>) -> Value {
    sweep.listed(|part, ()| {
        let own = || plan.actions.iter().filter(|action| part.has(action));
        let changed = own().any(|action| run.has_applied(&step.id, &action.id));
        let (said, output) = said(run, step, own());
        (
            if own().next().is_none() {
                NOTHING.to_owned()
            } else {
                said
            },
            changed,
            output,
        )
    })
}

/// What was said of actions, and the output of the last.
fn said<'a>(run: &Run, step: &Step, actions: impl Iterator<Item = &'a Action>) -> (String, Value) {
    let applied: Vec<&Attempt> = actions
        .filter_map(|action| run.attempt(&step.id, Phase::Apply, Some(&action.id)))
        .collect();
    let said: Vec<String> = applied.iter().copied().filter_map(told).collect();
    let last = applied.iter().rev().find_map(|attempt| attempt.applied());
    let output = last.and_then(|last| last.output.clone());
    (shortened(&said.join("; ")), output.unwrap_or(Value::Null))
}

fn told(attempt: &Attempt) -> Option<String> {
    let applied = attempt.applied()?;
    Some(match attempt.had_begun() && !applied.changed {
        true => format!("{} (what it had begun before may be its own doing)", applied.summary),
        false => applied.summary.clone(),
    })
}

fn nothing_to_do() -> StepResult {
    StepResult {
        status: StepStatus::Ok,
        severity: None,
        changed: false,
        summary: NOTHING.into(),
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
