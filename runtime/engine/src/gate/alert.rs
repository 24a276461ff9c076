//! A run that an alert started is wanted as long as the alert fires.

use chrono::{DateTime, Utc};
use evenkeel_model::run::Occurrence;

use super::{Answer, Ask};
use crate::trigger;

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    let (Occurrence::Alert { .. }, Some(alert)) = (&ask.request.occurrence, &ask.request.alert) else {
        return Answer::Pass;
    };
    if ask.alert_fires || trigger::goes_on_when_resolved(ask.runbook, alert) {
        return Answer::Pass;
    }
    Answer::Cancel {
        why: format!("the alert `{}` fires no longer", alert.name()),
    }
}
