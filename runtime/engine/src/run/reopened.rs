//! A run that goes on after its end, because a person wants it to.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::{Key, Outcome, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::run::{Body, StepStatus, Verdict};

use super::{Ended, Reply, Run};

/// The wish that what a run changed be rolled back.
#[derive(Clone, Debug)]
pub struct TakenBack {
    pub who: String,
    pub why: String,
    /// Why it is done although that is frozen.
    pub override_freeze: Option<String>,
}

impl Run {
    /// A person has looked: the run goes on from there.
    pub(super) fn resolve(&mut self, key: &Key, n: u32, done: bool, who: &str, at: DateTime<Utc>) {
        let Some(attempt) = self.under_way(key) else { return };
        let interrupted = attempt.ended.as_ref().is_none_or(Ended::is_interruption);
        if done {
            attempt.ended = Some(Ended {
                at,
                outcome: Outcome::Done(attempt.as_done(who)),
            });
        } else if interrupted {
            // One that was answered was made; what had not, is what followed.
            if attempt
                .intents
                .get(&n)
                .is_some_and(|intent| intent.reply != Reply::Clear)
            {
                attempt.intents.remove(&n);
            }
            (attempt.ended, attempt.resumed) = (None, 0);
        } else if let Some(intent) = attempt.intents.get_mut(&n) {
            intent.reply = Reply::Clear;
        }
        match done || interrupted {
            true => self.reopen(&key.step),
            false => self.go_on(),
        }
    }

    /// What the step came to is not what it comes to now.
    pub(super) fn reopen(&mut self, step: &StepId) {
        self.steps.entry(step.clone()).or_default().result = None;
        self.go_on();
    }

    /// What others left undone because one of them stopped them is done now.
    pub(super) fn go_on(&mut self) {
        (self.finished, self.escalated, self.halt, self.reopened) = (None, None, None, true);
        self.children.retain(|_, child| !child.stopped);
        let Some(halted_at) = self.halted_at.take() else { return };
        let is_cut_short = |id: &StepId| {
            let result = self.result(id);
            result.is_some_and(|result| result.status == StepStatus::Skipped || self.left_out_actions(id, result))
        };
        let since = self
            .steps
            .iter()
            .filter(|(_, step)| step.finished_at >= Some(halted_at));
        let cut_short: Vec<StepId> = since.map(|(id, _)| id.clone()).filter(is_cut_short).collect();
        for id in cut_short {
            let step = self.steps.entry(id).or_default();
            step.result = None;
            // People are asked again, and it is looked again before the plan is applied: time has passed.
            step.approval.take_if(|approval| approval.is_open());
            step.rechecks.clear();
        }
    }

    /// It is taken up again after its end. What could not be rolled back before is tried again.
    pub(super) fn take_back(&mut self, body: &Body, at: DateTime<Utc>) {
        let Body::UndoRequested {
            who,
            why,
            override_freeze,
        } = body
        else {
            return;
        };
        self.undo_at = Some(at);
        let failed = |undone: &(Verdict, String)| undone.0 != Verdict::Undone;
        for child in self.children.values_mut() {
            if child.undone.take_if(|undone| failed(undone)).is_some() {
                child.undo_intended = false;
            }
        }
        self.undo = Some(TakenBack {
            who: who.clone(),
            why: why.clone(),
            override_freeze: override_freeze.clone(),
        });
        (self.finished, self.escalated, self.cancel, self.killed) = (None, None, None, None);
        for attempt in self.attempts.values_mut() {
            let failed = attempt.ended.as_ref().is_some_and(Ended::is_failure);
            attempt.void |= attempt.key.phase == Phase::Rollback && failed;
        }
    }
}
