//! A run that goes on after its end, because a person wants it to.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::{Key, Outcome, Phase};
use evenkeel_model::run::Verdict;

use super::{Ended, Reply, Run};

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
            attempt.intents.remove(&n);
            (attempt.ended, attempt.resumed) = (None, 0);
        } else if let Some(intent) = attempt.intents.get_mut(&n) {
            intent.reply = Reply::Clear;
        }
        if done || interrupted {
            // What the step came to is not what it comes to now.
            self.steps.entry(key.step.clone()).or_default().result = None;
        }
        (self.finished, self.escalated, self.halt) = (None, None, None);
    }

    /// It is taken up again after its end. What could not be rolled back before is tried again.
    pub(super) fn take_back(&mut self, who: &str, why: &str, at: DateTime<Utc>) {
        self.undo_at = Some(at);
        let failed = |undone: &(Verdict, String)| undone.0 != Verdict::Undone;
        for child in self.children.values_mut() {
            child.undone.take_if(|undone| failed(undone));
        }
        self.undo = Some((who.to_owned(), why.to_owned()));
        (self.finished, self.escalated, self.cancel, self.killed) = (None, None, None, None);
        for attempt in self.attempts.values_mut() {
            let failed = attempt.ended.as_ref().is_some_and(Ended::is_failure);
            attempt.void |= attempt.key.phase == Phase::Rollback && failed;
        }
    }
}
