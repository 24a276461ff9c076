//! What stands between a run's request and its start. A gate passes, waits or refuses, and says
//! why; none is ever silent.
//!
//! Gates are pure: what they look at is gathered by who asks ([`Ask`]), and time is an argument.
//! They are asked in this order, and the first that doesn't pass is the answer: first what can't
//! change any more, then what people said, then what the record says, and last what is a matter of
//! a moment. So nobody waits for hours to be refused for what was known before, and who looks at a
//! waiting run reads of the pause, and not of a cool-down that will be over long before it ends.
//!
//! | gate | passes if | else |
//! |---|---|---|
//! | [`target`] | the round's trigger found exactly one asset for this run | refuses |
//! | [`alert`] | the alert that started it still fires | waits to hear of it |
//! | [`overlap`] | no other run of this runbook waits for, or is at work on, this target | as `overlap` says |
//! | [`pause`] | nobody paused the runbook, the customer or everything | waits |
//! | [`silence`] | the alert that started it is not silenced | waits |
//! | [`maintenance`] | the target is in no maintenance window | waits, if an alert started it |
//! | [`freeze`] | the runbook changes nothing, or the target is in no freeze | an alert's waits, others are refused |
//! | [`strikes`] | it did not fail on this target so often in a row | refuses all but people, and escalates once |
//! | [`cooldown`] | this runbook changed nothing on this target for its cool-down | an alert's waits, others are refused |
//! | [`max_runs`] | it changed something here fewer times in a while | the same |
//! | [`fleet`] | few enough of the runbook's targets are worked on | waits |
//! | [`target_lock`] | no other run, of whatever runbook, is at work on this target | waits |
//!
//! All of them are asked again after each wait: a second trigger of the same trouble waits for
//! the target, and then meets the cool-down of the run that it waited for. A dry run changes
//! nothing, so that only `target` has a say in it.

pub mod alert;
pub mod cooldown;
pub mod fleet;
pub mod freeze;
pub mod maintenance;
pub mod max_runs;
pub mod overlap;
pub mod pause;
pub mod silence;
pub mod strikes;
pub mod target;
pub mod target_lock;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::asset::Asset;
use evenkeel_model::home::Home;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Mode, Request, Summary};
use evenkeel_model::runbook::Runbook;
use evenkeel_model::window::Windows;

pub use self::overlap::Other;
use crate::holds::Held;
use crate::live::Holder;
use crate::port::gates::Record;

/// What the gates look at.
pub struct Ask<'a> {
    pub run: RunId,
    pub request: &'a Request,
    pub runbook: &'a Runbook,
    pub home: &'a Home,
    /// Those that are served now: a waiting run meets windows that are newer than itself.
    pub windows: &'a Windows,
    pub holds: &'a [Held],
    /// Live runs of this runbook that changed this target lately, newest first.
    pub history: &'a [Summary],
    /// How this runbook fared on this target.
    pub record: &'a Record,
    /// Whether the alert of the request fires; true if there is none.
    pub alert_fires: bool,
    /// Until when it said that it waits for its alert, if that is what it waits for.
    pub unheard_until: Option<DateTime<Utc>>,
    /// Other runs of this runbook on this target that have not finished.
    pub others: &'a [Other],
    /// So many of the runbook's targets are worked on at once, and no more may be.
    pub fleet_full: Option<usize>,
    /// Another run that is at work on the target.
    pub holder: Option<Holder>,
}

impl<'a> Ask<'a> {
    /// With nothing in the way.
    pub fn plain(run: RunId, request: &'a Request, runbook: &'a Runbook, home: &'a Home) -> Self {
        static NO_RECORD: Record = Record {
            outcomes: Vec::new(),
            told_at: None,
        };
        Self {
            run,
            request,
            runbook,
            home,
            windows: &home.settings.windows,
            holds: &[],
            history: &[],
            record: &NO_RECORD,
            alert_fires: true,
            unheard_until: None,
            others: &[],
            fleet_full: None,
            holder: None,
        }
    }

    fn asset(&self) -> Option<&'a Arc<Asset>> {
        self.home.assets.get(self.request.target.as_ref()?)
    }
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
    /// It never starts, and that is told to people: nothing will start until they do something.
    GiveUp {
        gate: &'static str,
        why: String,
    },
    /// There is nothing left to do for it.
    Cancel {
        why: String,
    },
    /// These are cancelled in its favour; it is asked again when they have gone.
    Replace {
        gate: &'static str,
        runs: Vec<RunId>,
        why: String,
    },
}

type Gate = fn(&Ask<'_>, DateTime<Utc>) -> Answer;

/// In order.
pub const GATES: [(&str, Gate); 12] = [
    (target::NAME, target::ask),
    (alert::NAME, alert::ask),
    (overlap::NAME, overlap::ask),
    (pause::NAME, pause::ask),
    (silence::NAME, silence::ask),
    (maintenance::NAME, maintenance::ask),
    (freeze::NAME, freeze::ask),
    (strikes::NAME, strikes::ask),
    (cooldown::NAME, cooldown::ask),
    (max_runs::NAME, max_runs::ask),
    (fleet::NAME, fleet::ask),
    (target_lock::NAME, target_lock::ask),
];

/// Asks all gates that have a say in it, in order, until one doesn't pass.
pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    concerned(ask.request.mode)
        .iter()
        .map(|(_, gate)| gate(ask, now))
        .find(|answer| *answer != Answer::Pass)
        .unwrap_or(Answer::Pass)
}

/// What each of them says by itself.
pub fn ask_each(ask: &Ask<'_>, now: DateTime<Utc>) -> Vec<(&'static str, Answer)> {
    let gates = concerned(ask.request.mode).iter();
    gates.map(|(name, gate)| (*name, gate(ask, now))).collect()
}

fn concerned(mode: Mode) -> &'static [(&'static str, Gate)] {
    match mode {
        Mode::Live => &GATES,
        Mode::DryRun => &GATES[..1],
    }
}
