//! A silenced alert starts nothing until the silence ends. If it still fires then, it does.

use chrono::{DateTime, Utc};
use evenkeel_model::run::{Occurrence, Request};

use super::{Answer, Ask};
use crate::holds::{self, Held};

pub const NAME: &str = "silence";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    holds::wait(NAME, &standing(ask.request, ask.holds, now))
}

/// The silences that its alert is under.
pub fn standing<'h>(request: &Request, holds: &'h [Held], now: DateTime<Utc>) -> Vec<&'h Held> {
    let (Occurrence::Alert { .. }, Some(alert)) = (&request.occurrence, &request.alert) else {
        return Vec::new();
    };
    let standing = holds.iter().filter(|held| held.hold.in_force(now));
    standing.filter(|held| held.silences(alert)).collect()
}
