//! What makes that one thing starts one round.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::Identity;
use crate::name::{RoundId, RunId, RunbookName, StepId};

/// What started a round; it starts at most one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occurrence {
    /// A tick of the runbook's `[[on]]` with this expression and zone.
    Tick {
        runbook: RunbookName,
        schedule: String,
        at: DateTime<Utc>,
    },
    Alert {
        runbook: RunbookName,
        identity: Identity,
        starts_at: DateTime<Utc>,
        /// From 1: the next one follows a run that did not repair it while the alert still fires.
        /// Absent from the key of the first, as it was before there were others.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        attempt: u32,
    },
    /// A person's request; `request` is unique.
    Person {
        runbook: RunbookName,
        request: String,
        who: String,
    },
    /// A step of another run.
    Step {
        runbook: RunbookName,
        run: RunId,
        step: StepId,
        /// The index of the item, in a step with `each`.
        item: Option<u32>,
        /// The runs above it, the first of which something else asked for; the last is `run`.
        above: Vec<RunId>,
    },
    /// All runs of a round have ended, and `[[after]]` looks at them.
    After {
        runbook: RunbookName,
        round: RoundId,
        over: Over,
        /// As for `Step`, if a step had the round run.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        above: Vec<RunId>,
    },
}

/// What one run of `[[after]]` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// All runs of a round.
    Round,
    /// Those of one customer, and there is a run for each of them.
    Customer,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

impl Occurrence {
    pub fn runbook(&self) -> &RunbookName {
        match self {
            Self::Tick { runbook, .. }
            | Self::Alert { runbook, .. }
            | Self::Person { runbook, .. }
            | Self::Step { runbook, .. }
            | Self::After { runbook, .. } => runbook,
        }
    }
    pub fn is_after(&self) -> bool {
        matches!(self, Self::After { .. })
    }
    /// The runs above it.
    pub fn above(&self) -> &[RunId] {
        match self {
            Self::Step { above, .. } | Self::After { above, .. } => above,
            _ => &[],
        }
    }
    /// The unique key under which the store keeps it.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("an occurrence is plain data")
    }
}
