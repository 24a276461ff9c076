//! A run is the fold of its events; events are append-only.

mod body;
mod occurrence;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alert::Alert;
use crate::invocation::Severity;
use crate::name::{AssetId, CustomerId, RoundId, RunId, RunbookName, StepId};

pub use self::body::Body;
pub use self::occurrence::{Occurrence, Over};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Healthy,
    Unhealthy,
    Planned,
    Changed,
    Repaired,
    NotRepaired,
    Failed,
    Rejected,
    Cancelled,
    Unknown,
    Undone,
}

impl Verdict {
    pub const ALL: [Self; 11] = [
        Self::Healthy,
        Self::Unhealthy,
        Self::Planned,
        Self::Changed,
        Self::Repaired,
        Self::NotRepaired,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
        Self::Unknown,
        Self::Undone,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Planned => "planned",
            Self::Changed => "changed",
            Self::Repaired => "repaired",
            Self::NotRepaired => "not-repaired",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Plans and applies.
    Live,
    /// Plans only: the host denies every effect.
    DryRun,
}

/// The first event of a run: all that it needs besides the home's assets and roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub round: RoundId,
    pub occurrence: Occurrence,
    pub mode: Mode,
    pub runbook: RunbookName,
    /// SHA-256 of the runbook's text; the store keeps the text under it.
    pub text: String,
    /// None: no target could be found, and the run is refused.
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub alert: Option<Alert>,
    /// Values of `[[input]]`.
    pub input: Value,
    /// Which batch of its round it belongs to, from 0.
    pub batch: u32,
    /// Why a person wants it in spite of a change freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_freeze: Option<String>,
    /// Who asked for what asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// What a run of `[[after]]` looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Ended>,
}

impl Request {
    /// The person who wanted it, directly or through other runs.
    pub fn person(&self) -> Option<&String> {
        match &self.occurrence {
            Occurrence::Person { who, .. } => Some(who),
            _ => self.asked_by.as_ref(),
        }
    }
}

/// A run that has ended, as `[[after]]` sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub run: RunId,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub verdict: Verdict,
    pub changed: bool,
    pub why: String,
    pub steps: BTreeMap<StepId, StepResult>,
}

/// What later steps see as `steps.ID`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    pub status: StepStatus,
    /// The worst finding of a check.
    pub severity: Option<Severity>,
    pub changed: bool,
    pub summary: String,
    /// Findings of a check; the last action's output of a remedy.
    pub output: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    Ok,
    Failed,
    Skipped,
    Rejected,
    Planned,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps within a run.
    pub seq: u64,
    pub at: DateTime<Utc>,
    pub body: Body,
}

/// A line of `runs list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub run: RunId,
    pub round: RoundId,
    pub runbook: RunbookName,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub mode: Mode,
    pub occurrence: Occurrence,
    pub state: State,
    pub verdict: Option<Verdict>,
    pub changed: bool,
    pub why: String,
    pub requested_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Its calls and log lines were removed, because it ended long ago.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compacted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Asked for, and not yet through the gates.
    Requested,
    Waiting,
    Running,
    Finished,
}
