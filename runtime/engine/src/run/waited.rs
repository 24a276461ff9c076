//! Time that a run's deadline doesn't count: while people think or look, while others have their turn,
//! and while an invocation was interrupted because no daemon was there.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::name::StepId;
use evenkeel_model::run::{Body, Event};

#[derive(Clone, Debug, Default)]
pub struct Waited {
    so_far: TimeDelta,
    /// The steps that people were asked about and have not answered.
    asked: BTreeSet<StepId>,
    /// When the first of them was.
    asked_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
}

impl Waited {
    pub(super) fn take(&mut self, event: &Event) {
        let began = match &event.body {
            Body::ApprovalAsked { step, .. } => {
                self.asked.insert(step.clone());
                self.asked_at.get_or_insert(event.at);
                None
            }
            Body::Approved { step, enough: true, .. }
            | Body::Declined { step, .. }
            | Body::PlanVoid { step, .. }
            | Body::Skipped { step, .. }
            | Body::StepFinished { step, .. } => self.answered(step),
            // The last two come after the end of the run.
            Body::Turn | Body::Resumed { .. } | Body::Resolved { .. } | Body::RunKnown { .. }
                if self.asked_at.is_none() =>
            {
                self.last_at
            }
            _ => None,
        };
        if let Some(began) = began {
            self.so_far += (event.at - began).max(TimeDelta::zero());
        }
        self.last_at = Some(event.at);
    }

    /// Since when somebody was asked, if that was the last answer.
    fn answered(&mut self, step: &StepId) -> Option<DateTime<Utc>> {
        self.asked.remove(step);
        self.asked.is_empty().then(|| self.asked_at.take()).flatten()
    }

    pub(super) fn so_far(&self) -> TimeDelta {
        self.so_far
    }
}
