//! Takes back what was done, the last first.

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Applied};
use evenkeel_model::invocation::{Output, Phase};
use evenkeel_model::runbook::Step;

use super::stage::{self, Stage};
use super::step::when_due;
use super::{Command, Subject, prepare};
use crate::port::Work;
use crate::run::Run;
use crate::words;

/// The next rollback; none: all that can be undone has been, or has been tried. A rollback that
/// fails doesn't keep the others from being made.
pub(super) fn advance(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Option<Command> {
    if run.doubt().is_some() {
        return None;
    }
    to_undo(run, subject).find_map(|(step, action, done)| {
        match stage::of(run, step, run.attempt(&step.id, Phase::Rollback, Some(&action.id))) {
            Stage::Call(turn) => {
                let work = Work::Rollback(action.clone(), done.cloned());
                let invoke = prepare::act(run, subject, step, work, turn).ok()?;
                Some(when_due(invoke, turn.at, now))
            }
            Stage::Done(_) | Stage::Over(_) | Stage::Cancelled => None,
        }
    })
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
