//! Takes back what was done, the last first.

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Applied};
use evenkeel_model::invocation::{Output, Phase};
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::plugin::Pinned;
use evenkeel_model::run::Verdict;
use evenkeel_model::runbook::Step;
use serde::{Deserialize, Serialize};

use super::stage::{self, Stage};
use super::step::when_due;
use super::{Awaited, Command, Subject, conclude, escalate, finish, prepare, sub};
use crate::port::Work;
use crate::run::{Attempt, Child, Run, TakenBack};
use crate::words;

/// The next rollback; none: all that can be undone has been, or has been tried. A rollback that
/// fails doesn't keep the others from being made.
pub(super) fn advance(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Option<Command> {
    if run.is_in_doubt() {
        return None;
    }
    subject.runbook.steps.iter().rev().find_map(|step| {
        let child = || of_children(run, step).map(|awaited| Command::AwaitRun(Box::new(awaited)));
        of_actions(run, subject, step, now).or_else(child)
    })
}

fn of_actions(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Option<Command> {
    to_undo_of(run, step).find_map(|(action, done)| {
        let rolled_back = run.attempt(&step.id, Phase::Rollback, Some(&action.id));
        match stage::of(run, step, rolled_back) {
            Stage::AtWork => Some(Command::AwaitWork),
            Stage::Call(turn) => {
                let work = Work::Rollback(action.clone(), done.cloned());
                match prepare::act(run, subject, step, work, turn) {
                    Ok(invoke) => Some(when_due(invoke, turn.at, now)),
                    Err(why) => prepare::given_up(rolled_back, turn, &why),
                }
            }
            Stage::Done(_) | Stage::Over(_) | Stage::Cancelled => None,
        }
    })
}

/// The last run that a step had asked for is undone as a whole.
fn of_children(run: &Run, step: &Step) -> Option<Awaited> {
    let mut children = run.children_of(&step.id).rev();
    let (item, child) = children.find(|(_, child)| child.is_to_undo())?;
    Some(Awaited {
        step: step.id.clone(),
        item,
        run: child.run?,
        stop: None,
        kill: None,
        undo: true,
    })
}

/// After the end of a run a person wants it taken back.
pub(super) fn at_the_word_of(run: &Run, subject: &Subject, asked: &TakenBack, now: DateTime<Utc>) -> Command {
    let stopped = run.cancel.as_ref().and_then(|_| sub::all_being_undone(run, None).pop());
    if let Some(below) = stopped {
        return below;
    }
    let next = || advance(run, subject, now);
    if let Some(next) = run.cancel.is_none().then(next).flatten() {
        return next;
    }
    let who = &asked.who;
    let told = match asked.why.as_str() {
        "" => format!("{who} had it undone: {}", told(run, subject)),
        why => format!("{who} had it undone ({why}): {}", told(run, subject)),
    };
    match conclude::doubt_left(run) {
        Some(doubt) => escalate(Verdict::Unknown, format!("{told}; {doubt}"), run),
        None if left(run, subject).is_empty() => finish(Verdict::Undone, told, run),
        None => escalate(Verdict::Failed, told, run),
    }
}

/// What a rollback is to be made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToUndo {
    Action {
        step: StepId,
        action: Box<Action>,
        /// The one that made it.
        plugin: Pinned,
    },
    /// A run that the step had asked for, with all that it changed.
    Run { step: StepId, run: RunId },
}

/// What can be undone of a run, and has not been, in the order in which that is done.
pub fn left(run: &Run, subject: &Subject) -> Vec<ToUndo> {
    let steps = subject.runbook.steps.iter().rev();
    let left = steps.flat_map(|step| {
        let actions = to_undo_of(run, step).filter_map(|(action, _)| left_action(run, step, action));
        let children = run.children_of(&step.id).rev();
        let children = children.filter(|(_, child)| child.changed() && !has_been(child));
        let children = children.filter_map(|(_, child)| {
            let step = step.id.clone();
            Some(ToUndo::Run { step, run: child.run? })
        });
        actions.chain(children).collect::<Vec<_>>()
    });
    left.collect()
}

fn left_action(run: &Run, step: &Step, action: &Action) -> Option<ToUndo> {
    let rolled_back = run.attempt(&step.id, Phase::Rollback, Some(&action.id));
    let undone = rolled_back.and_then(Attempt::output) == Some(&Output::RolledBack);
    let applied = run.attempt(&step.id, Phase::Apply, Some(&action.id))?;
    (!undone).then(|| ToUndo::Action {
        step: step.id.clone(),
        action: Box::new(action.clone()),
        plugin: applied.plugin.clone(),
    })
}

fn has_been(child: &Child) -> bool {
    child
        .undone
        .as_ref()
        .is_some_and(|(verdict, _)| *verdict == Verdict::Undone)
}

/// Whether anything of it can be undone, or could be before it was.
pub fn undoes_anything(run: &Run, subject: &Subject) -> bool {
    to_undo(run, subject).next().is_some() || run.children.values().any(Child::changed)
}

/// How it went, in words.
pub(super) fn told(run: &Run, subject: &Subject) -> String {
    let (mut actions, mut failed) = (0, Vec::new());
    for (step, action, _) in to_undo(run, subject) {
        match stage::of(run, step, run.attempt(&step.id, Phase::Rollback, Some(&action.id))) {
            Stage::Done(Output::RolledBack) => actions += 1,
            Stage::Over(why) => failed.push(format!("`{}` could not be undone: {why}", action.id)),
            _ => failed.push(format!("`{}` could not be undone", action.id)),
        }
    }
    let mut undone = Vec::new();
    if actions > 0 {
        undone.push(format!("{} undone", words::count(actions, "action")));
    }
    for child in run.children.values().filter(|child| child.changed()) {
        let number = child.run.map(|run| run.to_string()).unwrap_or_default();
        match &child.undone {
            Some((Verdict::Undone, _)) => undone.push(format!("run {number} undone")),
            Some((_, why)) => failed.push(format!("run {number} could not be undone: {why}")),
            None => failed.push(format!("run {number} was not undone")),
        }
    }
    if undone.is_empty() {
        undone.push("nothing was undone".to_owned());
    }
    [undone, failed].concat().join("; ")
}

/// Actions that changed something, or began to, and that can be undone: the last first. With
/// what `apply` answered, if it came to its end.
fn to_undo<'a>(
    run: &'a Run,
    subject: &'a Subject,
) -> impl Iterator<Item = (&'a Step, &'a Action, Option<&'a Applied>)> {
    let steps = subject.runbook.steps.iter().rev();
    steps.flat_map(|step| to_undo_of(run, step).map(move |(action, applied)| (step, action, applied)))
}

fn to_undo_of<'a>(run: &'a Run, step: &'a Step) -> impl Iterator<Item = (&'a Action, Option<&'a Applied>)> {
    let actions = run
        .plan(&step.id)
        .into_iter()
        .flat_map(|plan| plan.actions.iter().rev());
    actions.filter_map(|action| {
        action.undo.as_ref()?;
        let attempt = run.attempt(&step.id, Phase::Apply, Some(&action.id))?;
        match attempt.output() {
            Some(Output::Applied(applied)) if applied.changed => Some((action, Some(applied))),
            // It found what it had done before, and its answer is of that.
            Some(Output::Applied(_)) => attempt.had_begun().then_some((action, None)),
            _ => attempt.has_touched().then_some((action, None)),
        }
    })
}
