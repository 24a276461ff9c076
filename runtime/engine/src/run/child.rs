//! Runs that steps of a run have asked for.

use chrono::{DateTime, Utc};
use evenkeel_model::name::{RunId, RunbookName, StepId};
use evenkeel_model::run::{Body, Ended, Event, Verdict};
use serde_json::Value;

use super::{Attempt, Run};

/// What has come of one.
#[derive(Clone, Debug, Default)]
pub struct Child {
    /// What is to be run, with which inputs.
    pub intended: Option<(RunbookName, Value)>,
    /// None: it is not open yet, or could not be opened.
    pub run: Option<RunId>,
    pub refused: Option<String>,
    /// It was not opened, because nothing new was to begin.
    pub stopped: bool,
    pub ended: Option<Ended>,
    /// That it be undone was, or is about to be, asked for.
    pub undo_intended: bool,
    /// What came of it when it was to be undone.
    pub undone: Option<(Verdict, String)>,
}

impl Child {
    /// It may be open without a word about it.
    pub fn is_intended(&self) -> bool {
        self.run.is_none() && self.refused.is_none() && !self.stopped
    }

    /// It is under way.
    pub fn is_open(&self) -> bool {
        self.run.is_some() && self.ended.is_none()
    }

    pub fn changed(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.changed)
    }

    /// Nobody knows what it did, or whether that was taken back.
    fn is_unknown(&self) -> bool {
        let ended = self.ended.as_ref().map(|ended| ended.verdict);
        let undone = self.undone.as_ref().map(|(verdict, _)| *verdict);
        undone.or(ended) == Some(Verdict::Unknown)
    }

    /// It may be under way again.
    pub fn is_being_undone(&self) -> bool {
        self.undo_intended && self.undone.is_none()
    }

    /// It changed something, and that has not been taken back.
    pub fn is_to_undo(&self) -> bool {
        self.changed() && self.undone.is_none()
    }
}

impl Run {
    pub(super) fn apply_to_child(&mut self, event: &Event) {
        let (step, item) = match &event.body {
            Body::RunIntended { step, item, .. }
            | Body::RunOpened { step, item, .. }
            | Body::RunKnown { step, item, .. }
            | Body::RunRefused { step, item, .. }
            | Body::RunEnded { step, item, .. }
            | Body::RunUndoIntended { step, item }
            | Body::RunUndone { step, item, .. } => (step.clone(), *item),
            _ => return,
        };
        let child = self.children.entry((step.clone(), item)).or_default();
        match &event.body {
            Body::RunIntended { runbook, input, .. } => child.intended = Some((runbook.clone(), input.clone())),
            // What it did is known; what became of that was not.
            Body::RunKnown { ended, .. } if child.undone.is_some() => {
                child.undone = Some((ended.verdict, ended.why.clone()));
                self.go_on();
            }
            Body::RunKnown { ended, .. } => {
                child.ended = Some((**ended).clone());
                self.reopen(&step);
            }
            Body::RunOpened { run, .. } => child.run = Some(*run),
            Body::RunRefused { stopped: true, .. } => child.stopped = true,
            Body::RunRefused { why, .. } => child.refused = Some(why.clone()),
            Body::RunEnded { ended, .. } => child.ended = Some((**ended).clone()),
            Body::RunUndoIntended { .. } => child.undo_intended = true,
            Body::RunUndone { verdict, why, .. } => child.undone = Some((*verdict, why.clone())),
            _ => {}
        }
    }

    pub fn child(&self, step: &StepId, item: Option<u32>) -> Option<&Child> {
        self.children.get(&(step.clone(), item))
    }

    /// Those of a step, in the order of its items.
    pub fn children_of(&self, step: &StepId) -> impl DoubleEndedIterator<Item = (Option<u32>, &Child)> {
        let all = self
            .children
            .range((step.clone(), None)..=(step.clone(), Some(u32::MAX)));
        all.map(|((_, item), child)| (*item, child))
    }

    /// Nobody knows what it did.
    pub fn unknown_child(&self) -> Option<&Ended> {
        self.children.values().find(|child| child.is_unknown())?.ended.as_ref()
    }

    /// The step and the item that it is of.
    pub fn place_of_unknown(&self) -> Option<(StepId, Option<u32>, RunId)> {
        let mut children = self.children.iter();
        let ((step, item), child) = children.find(|(_, child)| child.is_unknown())?;
        Some((step.clone(), *item, child.run?))
    }

    /// Something that it did, or had done, may or may not have happened.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt().is_some() || self.unknown_child().is_some()
    }

    /// The same of one step.
    pub fn is_in_doubt_at(&self, step: &StepId) -> bool {
        let is_its = |attempt: &Attempt| attempt.key.step == *step;
        self.doubts().any(|(attempt, _)| is_its(attempt)) || self.children_of(step).any(|(_, child)| child.is_unknown())
    }

    /// A step stops the others, and what it did is not known yet: they may go on once that is.
    pub fn is_halted_by_doubt(&self) -> bool {
        self.cancel.is_none() && self.halt.is_some() && self.is_in_doubt()
    }

    /// When somebody wanted it undone, the last time.
    pub fn undo_asked_at(&self) -> Option<DateTime<Utc>> {
        self.undo_at
    }

    /// Since when what it did is to be undone: what was undone before that, was not for it.
    pub fn undoes_since(&self) -> Option<DateTime<Utc>> {
        self.undo_at
            .or_else(|| self.steps.values().filter_map(|step| step.finished_at).max())
    }
}
