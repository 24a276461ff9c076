//! A run that an alert started is wanted as long as the alert fires.
//!
//! That it isn't firing proves nothing: a source that fell silent may be the trouble itself. Who
//! says that it ended cancels the run (see `serve`); until then the run waits to hear of it
//! again, for the alert comes back as the same occurrence, which has its round already.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::run::Occurrence;

use super::{Answer, Ask};
use crate::trigger;

/// So long it is waited for an alert that is not heard of.
const PATIENCE: TimeDelta = TimeDelta::hours(24);

pub const NAME: &str = "alert";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let (Occurrence::Alert { .. }, Some(alert)) = (&ask.request.occurrence, &ask.request.alert) else {
        return Answer::Pass;
    };
    if ask.alert_fires || trigger::goes_on_when_resolved(ask.runbook, alert) {
        return Answer::Pass;
    }
    let until = ask.unheard_until.unwrap_or(now + PATIENCE);
    if until <= now {
        return Answer::Cancel {
            why: format!(
                "its alert `{}` was not heard of for {} hours",
                alert.name(),
                PATIENCE.num_hours()
            ),
        };
    }
    Answer::Wait {
        gate: NAME,
        why: format!("its alert `{}` is not heard of any more", alert.name()),
        until: Some(until),
    }
}
