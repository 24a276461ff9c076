//! What an invocation is called with.

use std::fmt::Display;
use std::sync::Arc;

use evenkeel_model::access::access;
use evenkeel_model::action::Action;
use evenkeel_model::asset::Asset;
use evenkeel_model::grant::Access;
use evenkeel_model::invocation::{Key, Outcome, Phase, Stop};
use evenkeel_model::plugin::{Installed, Manifest, Pinned};
use evenkeel_model::run::{Body, Mode};
use evenkeel_model::runbook::Step;
use evenkeel_model::template;
use serde_json::Value;

use super::part::{self, Part};
use super::stage::Turn;
use super::{Command, Invoke, Subject};
use crate::context;
use crate::port::Work;
use crate::run::{Attempt, Run};

/// Calls `check` or `plan`, with parameters rendered from what is known now. The error is for
/// the step's result.
pub(super) fn look(
    run: &Run,
    subject: &Subject,
    step: &Step,
    part: Part<'_>,
    work: Work,
    turn: Turn,
) -> Result<Invoke, String> {
    let begun = run.attempt(&step.id, place(&work).0, part.key().as_deref());
    let params = match begun.filter(|_| turn.resumes) {
        Some(begun) => begun.params.clone(),
        None => rendered(run, subject, step, part)?,
    };
    check_params(subject, step, &params)?;
    invoke(run, subject, step, part, work, turn, params)
}

/// `with`, filled.
pub(super) fn rendered(run: &Run, subject: &Subject, step: &Step, part: Part<'_>) -> Result<Value, String> {
    if !template::holds_template(&step.with) {
        return Ok(step.with.clone());
    }
    let context = context(run, subject, step, part);
    template::render(&step.with, &context).map_err(|error| format!("`with`: {error}"))
}

fn context(run: &Run, subject: &Subject, step: &Step, part: Part<'_>) -> Value {
    let mut context = context::of(run, subject, Some(step));
    if let Some((index, item)) = part.item() {
        context["item"] = item.clone();
        context["index"] = index.into();
    }
    context
}

/// Calls `apply` or `rollback`, with the parameters that the plan was made with: what is done is
/// what was planned, whatever templates would say by now.
pub(super) fn act(run: &Run, subject: &Subject, step: &Step, work: Work, turn: Turn) -> Result<Invoke, String> {
    let id = place(&work).1.map(|action| action.id.as_str()).unwrap_or_default();
    let (part, _) = part::of_action(run, step, id);
    let plan = run.attempt(&step.id, Phase::Plan, part.key().as_deref());
    let params = plan.map(|plan| plan.params.clone()).ok_or("it was never planned")?;
    invoke(run, subject, step, part, work, turn, params)
}

/// What was interrupted and can't be called any more is over, and the record says so: otherwise it would
/// count as something that is going to be gone on with. None: it was not interrupted.
pub(super) fn given_up(attempt: Option<&Attempt>, turn: Turn, why: &str) -> Option<Command> {
    let key = &attempt.filter(|_| turn.resumes)?.key;
    Some(Command::Append(vec![diverged(key, &why)]))
}

/// The end of an invocation that was interrupted.
pub(crate) fn diverged(key: &Key, why: &dyn Display) -> Body {
    Body::Ended {
        key: key.clone(),
        outcome: Outcome::Stopped {
            stop: Stop::Diverged,
            message: format!("it was interrupted, and can't be gone on with: {why}"),
        },
    }
}

/// The thing that is granted on the run's target.
pub(super) fn granted(subject: &Subject, step: &Step) -> Result<Access, String> {
    let access = access(step, manifest(subject, step)?, target(subject)?, &subject.home);
    access.map_err(|error| format!("`grant`: {error}"))
}

fn invoke(
    run: &Run,
    subject: &Subject,
    step: &Step,
    part: Part<'_>,
    work: Work,
    turn: Turn,
    params: Value,
) -> Result<Invoke, String> {
    let (phase, action) = place(&work);
    let action = action.map(|action| action.id.clone()).or_else(|| part.key());
    let earlier = run.attempt(&step.id, phase, action.as_deref());
    Ok(Invoke {
        key: Key {
            step: step.id.clone(),
            phase,
            action,
            attempt: turn.number,
        },
        plugin: plugin(step)?.clone(),
        spent: match earlier {
            Some(begun) if turn.resumes => begun.earlier.clone(),
            earlier => earlier.map(Attempt::spent).unwrap_or_default(),
        },
        resumes: turn.resumes,
        before: None,
        params,
        input: context::inputs(&context(run, subject, step, part)),
        target: Arc::clone(target(subject)?),
        runbook: subject.runbook.name.clone(),
        mode: run.request.as_ref().map_or(Mode::Live, |request| request.mode),
        access: granted(subject, step)?,
        timeout: step.timeout,
        limits: subject.home.settings.sandbox.clone(),
        in_turn: phase == Phase::Apply,
        interruptible: matches!(phase, Phase::Check | Phase::Plan),
        work: work.named(|id| part::of_action(run, step, id).1.to_owned()),
    })
}

pub(super) fn place(work: &Work) -> (Phase, Option<&Action>) {
    match work {
        Work::Check => (Phase::Check, None),
        Work::Plan => (Phase::Plan, None),
        Work::Apply(action) => (Phase::Apply, Some(action)),
        Work::Rollback(action, _) => (Phase::Rollback, Some(action)),
        Work::Collect => (Phase::Collect, None),
        Work::Send(_) => (Phase::Send, None),
    }
}

fn target(subject: &Subject) -> Result<&Arc<Asset>, String> {
    subject
        .target
        .as_ref()
        .ok_or_else(|| "the run has no target".to_owned())
}

fn manifest<'a>(subject: &'a Subject, step: &Step) -> Result<&'a Manifest, String> {
    installed(subject, step).map(|plugin| &plugin.manifest)
}

fn installed<'a>(subject: &'a Subject, step: &Step) -> Result<&'a Installed, String> {
    let plugin = plugin(step)?;
    let found = subject.home.component(plugin);
    found.ok_or_else(|| format!("`{plugin}` is not installed any more"))
}

fn plugin(step: &Step) -> Result<&Pinned, String> {
    let plugin = step.plugin();
    plugin.ok_or_else(|| format!("step `{}` has no plugin", step.id))
}

fn check_params(subject: &Subject, step: &Step, values: &Value) -> Result<(), String> {
    let schema = subject.home.schemas.of(installed(subject, step)?, plugin(step)?.kind)?;
    schema
        .validate(values)
        .map_err(|wrong| format!("`with`: {}", wrong.join("; ")))
}
