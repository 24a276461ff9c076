//! Time that a run's deadline doesn't count: while people think, while others have their turn, and
//! while an invocation was interrupted because no daemon was there.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::run::{Body, Event};

#[derive(Clone, Debug, Default)]
pub struct Waited {
    so_far: TimeDelta,
    /// Somebody was asked then, and has not answered.
    asked_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
}

impl Waited {
    pub(super) fn take(&mut self, event: &Event) {
        let began = match &event.body {
            Body::ApprovalAsked { .. } => {
                self.asked_at = Some(event.at);
                None
            }
            Body::Approved { enough: true, .. }
            | Body::Declined { .. }
            | Body::PlanVoid { .. }
            | Body::StepFinished { .. } => self.asked_at.take(),
            Body::Turn | Body::Resumed { .. } if self.asked_at.is_none() => self.last_at,
            _ => None,
        };
        if let Some(began) = began {
            self.so_far += (event.at - began).max(TimeDelta::zero());
        }
        self.last_at = Some(event.at);
    }

    pub(super) fn so_far(&self) -> TimeDelta {
        self.so_far
    }
}
