//! While somebody paused a runbook, a customer or everything, no such run starts. What is at work
//! already goes on.

use chrono::{DateTime, Utc};
use evenkeel_model::hold::What;
use evenkeel_model::run::Request;

use super::{Answer, Ask};
use crate::holds::{self, Held};

pub const NAME: &str = "pause";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    holds::wait(NAME, &standing(ask.request, ask.holds, now))
}

/// The pauses that the run has to wait for.
pub fn standing<'h>(request: &Request, holds: &'h [Held], now: DateTime<Utc>) -> Vec<&'h Held> {
    let covers = |held: &&Held| match &held.hold.what {
        What::Pause(scope) => scope.covers(&request.runbook, request.customer.as_ref()),
        What::Silence { .. } => false,
    };
    let standing = holds.iter().filter(|held| held.hold.in_force(now));
    standing.filter(covers).collect()
}
