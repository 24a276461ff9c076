//! What stands between a run's request and its start. A gate passes, waits or refuses, and says
//! why; none is ever silent.
//!
//! Gates are pure: what they look at is gathered by who asks ([`Ask`]), and time is an argument.
//! They are asked in this order, and the first that doesn't pass is the answer:
//!
//! | gate | passes if |
//! |---|---|
//! | [`target`] | the round's trigger found exactly one asset for this run |
//! | [`alert`] | the alert that started it still fires; one that is not heard of is waited for |
//! | [`cooldown`] | this runbook changed nothing on this target for its cool-down |
//! | [`target_lock`] | no other run is at work on this target |
//!
//! All of them are asked again after each wait: a second trigger of the same trouble waits for
//! the target, and then meets the cool-down of the run that it waited for. A dry run changes
//! nothing, so that only `target` has a say in it.

pub mod alert;
pub mod cooldown;
pub mod target;
pub mod target_lock;

use chrono::{DateTime, Utc};
use evenkeel_model::home::Home;
use evenkeel_model::run::{Mode, Request, Summary};
use evenkeel_model::runbook::Runbook;

use crate::live::Holder;

/// What the gates look at.
pub struct Ask<'a> {
    pub request: &'a Request,
    pub runbook: &'a Runbook,
    pub home: &'a Home,
    /// What this runbook did to this target lately: finished runs.
    pub history: &'a [Summary],
    /// Whether the alert of the request fires; true if there is none.
    pub alert_fires: bool,
    /// Until when it said that it waits for its alert, if that is what it waits for.
    pub unheard_until: Option<DateTime<Utc>>,
    /// Another run that is at work on the target.
    pub holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Pass,
    /// Asked again at `until` at the latest, or when what it waits for is over.
    Wait {
        gate: &'static str,
        why: String,
        until: Option<DateTime<Utc>>,
    },
    /// It never starts.
    Refuse {
        gate: &'static str,
        why: String,
    },
    /// There is nothing left to do for it.
    Cancel {
        why: String,
    },
}

/// Asks all gates, in order.
pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let all: [fn(&Ask<'_>, DateTime<Utc>) -> Answer; 4] = [target::ask, alert::ask, cooldown::ask, target_lock::ask];
    let only_target: [fn(&Ask<'_>, DateTime<Utc>) -> Answer; 1] = [target::ask];
    let gates: &[_] = match ask.request.mode {
        Mode::Live => &all,
        Mode::DryRun => &only_target,
    };
    gates
        .iter()
        .map(|gate| gate(ask, now))
        .find(|answer| *answer != Answer::Pass)
        .unwrap_or(Answer::Pass)
}
