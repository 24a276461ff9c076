//! A run needs a target. A trigger that finds none, or several where it wants one, is refused
//! and says where it looked.

use chrono::{DateTime, Utc};

use super::{Answer, Ask};
use crate::trigger;

pub const NAME: &str = "target";

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    if ask.request.target.is_some() {
        return Answer::Pass;
    }
    let why = match &ask.request.alert {
        Some(alert) => match trigger::named(ask.runbook, alert, ask.home) {
            Ok(asset) => format!(
                "when it was triggered, no asset was found; now it would be `{}`",
                asset.id
            ),
            Err(why) => why,
        },
        None => trigger::nothing_selected(ask.runbook),
    };
    Answer::Refuse { gate: NAME, why }
}
