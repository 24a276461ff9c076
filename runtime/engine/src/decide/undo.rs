//! Takes back what was done, the last first.

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Applied};
use evenkeel_model::invocation::{Output, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::plugin::Pinned;
use evenkeel_model::run::Verdict;
use evenkeel_model::runbook::Step;
use serde::{Deserialize, Serialize};

use super::stage::{self, Stage};
use super::step::when_due;
use super::{Command, Subject, conclude, escalate, finish, prepare};
use crate::port::Work;
use crate::run::{Attempt, Run};
use crate::words;

/// The next rollback; none: all that can be undone has been, or has been tried. A rollback that
/// fails doesn't keep the others from being made.
pub(super) fn advance(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Option<Command> {
    if run.doubt().is_some() {
        return None;
    }
    to_undo(run, subject).find_map(|(step, action, done)| {
        match stage::of(run, step, run.attempt(&step.id, Phase::Rollback, Some(&action.id))) {
            Stage::AtWork => Some(Command::AwaitWork),
            Stage::Call(turn) => {
                let work = Work::Rollback(action.clone(), done.cloned());
                let invoke = prepare::act(run, subject, step, work, turn).ok()?;
                Some(when_due(invoke, turn.at, now))
            }
            Stage::Done(_) | Stage::Over(_) | Stage::Cancelled => None,
        }
    })
}

/// After the end of a run a person wants it taken back.
pub(super) fn at_the_word_of(run: &Run, subject: &Subject, who: &str, why: &str, now: DateTime<Utc>) -> Command {
    let next = || advance(run, subject, now);
    if let Some(next) = run.cancel.is_none().then(next).flatten() {
        return next;
    }
    let told = match why {
        "" => format!("{who} had it undone: {}", told(run, subject)),
        why => format!("{who} had it undone ({why}): {}", told(run, subject)),
    };
    match run.doubt_left() {
        Some(doubt) => escalate(Verdict::Unknown, format!("{told}; {}", conclude::in_doubt(doubt)), run),
        None if left(run, subject).is_empty() => finish(Verdict::Undone, told, run),
        None => escalate(Verdict::Failed, told, run),
    }
}

/// An action that a rollback is to be made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToUndo {
    pub step: StepId,
    pub action: Action,
    /// The one that made it.
    pub plugin: Pinned,
}

/// What can be undone of a run, and has not been, in the order in which that is done.
pub fn left(run: &Run, subject: &Subject) -> Vec<ToUndo> {
    let left = to_undo(run, subject).filter_map(|(step, action, _)| {
        let rolled_back = run.attempt(&step.id, Phase::Rollback, Some(&action.id));
        let undone = rolled_back.and_then(Attempt::output) == Some(&Output::RolledBack);
        let applied = run.attempt(&step.id, Phase::Apply, Some(&action.id))?;
        (!undone).then(|| ToUndo {
            step: step.id.clone(),
            action: action.clone(),
            plugin: applied.plugin.clone(),
        })
    });
    left.collect()
}

/// Whether anything of it can be undone, or could be before it was.
pub fn undoes_anything(run: &Run, subject: &Subject) -> bool {
    to_undo(run, subject).next().is_some()
}

/// How it went, in words.
pub(super) fn told(run: &Run, subject: &Subject) -> String {
    let (mut undone, mut failed) = (0, Vec::new());
    for (step, action, _) in to_undo(run, subject) {
        match stage::of(run, step, run.attempt(&step.id, Phase::Rollback, Some(&action.id))) {
            Stage::Done(Output::RolledBack) => undone += 1,
            Stage::Over(why) => failed.push(format!("`{}` could not be undone: {why}", action.id)),
            _ => failed.push(format!("`{}` could not be undone", action.id)),
        }
    }
    let undone = match undone {
        0 => "nothing was undone".to_owned(),
        n => format!("{} undone", words::count(n, "action")),
    };
    [vec![undone], failed].concat().join("; ")
}

/// Actions that changed something, or began to, and that can be undone: the last first. With
/// what `apply` answered, if it came to its end.
fn to_undo<'a>(
    run: &'a Run,
    subject: &'a Subject,
) -> impl Iterator<Item = (&'a Step, &'a Action, Option<&'a Applied>)> {
    let steps = subject.runbook.steps.iter().rev();
    let actions = steps
        .filter_map(|step| Some((step, run.plan(&step.id)?)))
        .flat_map(|(step, plan)| {
            let actions = plan.actions.iter().rev();
            actions.map(move |action| (step, action))
        });
    actions.filter_map(|(step, action)| {
        action.undo.as_ref()?;
        let attempt = run.attempt(&step.id, Phase::Apply, Some(&action.id))?;
        match attempt.output() {
            Some(Output::Applied(applied)) => applied.changed.then_some((step, action, Some(applied))),
            _ => (!attempt.intents.is_empty()).then_some((step, action, None)),
        }
    })
}
