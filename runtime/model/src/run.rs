//! A run is the fold of its events; events are append-only.

mod occurrence;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{Action, PlanHash, Risk};
use crate::alert::Alert;
use crate::call::{Answer, Call, Level};
use crate::invocation::{Key, Outcome, Severity};
use crate::name::{AssetId, CustomerId, RoundId, RunId, RunbookName, StepId};
use crate::plugin::Pinned;
use crate::tape::{Given, Tape};

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
    /// What a run of `[[after]]` looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Ended>,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    Requested(Box<Request>),
    /// A gate lets it wait; `until` is when it is asked again at the latest.
    Waiting {
        gate: String,
        why: String,
        until: Option<DateTime<Utc>>,
    },
    /// A gate refused it: it never starts.
    Refused {
        gate: String,
        why: String,
    },
    Started,
    Skipped {
        step: StepId,
        why: String,
    },
    /// An invocation begins, with rendered parameters.
    Invoked {
        key: Key,
        plugin: Pinned,
        params: Value,
        /// None: it was recorded by a version that could not replay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<Box<Given>>,
        /// A check that is made again before the plan of this step is applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<StepId>,
    },
    /// The invocation was interrupted and is gone on with: its calls are answered from the record
    /// up to here.
    Resumed {
        key: Key,
    },
    /// What the plugin sensed since its last call, or since it began.
    Sensed {
        key: Key,
        tape: Tape,
    },
    /// An effect is about to be made; on disk before it is.
    Intended {
        key: Key,
        n: u32,
        call: Call,
    },
    /// Call `n` of the invocation was answered. An effect's call is in its `Intended`.
    Called {
        key: Key,
        n: u32,
        call: Option<Call>,
        answer: Answer,
        took_ms: u64,
    },
    Logged {
        key: Key,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    },
    /// Log lines that were not kept because the invocation wrote too many.
    LogsDropped {
        key: Key,
        lines: u64,
    },
    Progressed {
        key: Key,
        permille: u16,
        note: String,
    },
    Ended {
        key: Key,
        outcome: Outcome,
    },
    /// What is going to be applied, with the operator's risk taken into account.
    Planned {
        step: StepId,
        hash: PlanHash,
        risk: Risk,
        actions: Vec<Action>,
    },
    /// A person would have to decide.
    Asked {
        step: StepId,
        action: String,
        risk: Risk,
        who: Option<String>,
    },
    /// A plan waits for its approval. It binds to the actions, the plugin, its parameters and what
    /// it may use: whatever changes in these voids it.
    ApprovalAsked {
        step: StepId,
        binding: String,
        risk: Risk,
        /// A name among the home's approvers; none: whoever may talk to the daemon.
        ask: Option<String>,
        /// So many people have to say yes.
        need: u32,
        /// Then it is rejected.
        until: DateTime<Utc>,
    },
    Approved {
        step: StepId,
        binding: String,
        who: String,
        why: String,
        /// As many as it needs have said so now.
        enough: bool,
    },
    Declined {
        step: StepId,
        who: String,
        why: String,
    },
    /// It is its turn in its round to apply what it planned.
    Turn,
    /// What was planned, or approved, may not be what would be done now: it is planned anew.
    PlanVoid {
        step: StepId,
        why: String,
    },
    StepFinished {
        step: StepId,
        result: StepResult,
    },
    /// What a step came to stops the others: what they have begun is finished, and nothing further
    /// begins.
    Halted {
        step: StepId,
        why: String,
    },
    /// A source was asked whether it is healed.
    Queried {
        expr: String,
        healed: bool,
        /// What it answered, in short, or why it did not.
        told: String,
        took_ms: u64,
    },
    /// The answer of `[healed]`.
    Verified {
        healed: bool,
        why: String,
    },
    Escalated {
        why: String,
    },
    CancelRequested {
        why: String,
    },
    /// A person has looked whether an effect was made that nobody knew of: the run goes on.
    Resolved {
        key: Key,
        n: u32,
        /// The action is done, by whomever. Otherwise that effect was not made.
        done: bool,
        who: String,
        why: String,
    },
    /// Its deadline is over: nothing further begins.
    Overdue {
        why: String,
    },
    /// The journal was restored from a backup that was taken then: what it did since is not known.
    Restored {
        taken_at: DateTime<Utc>,
    },
    /// A person wants what it changed rolled back, after its end.
    UndoRequested {
        who: String,
        why: String,
    },
    /// A person ends it at once, in the middle of whatever it does.
    Killed {
        who: String,
        why: String,
    },
    Finished {
        verdict: Verdict,
        why: String,
        changed: bool,
    },
}

impl Body {
    /// It tells what an invocation does until its end; what is next with the run does not depend on
    /// that.
    pub fn is_inside(&self) -> bool {
        matches!(
            self,
            Self::Sensed { .. }
                | Self::Intended { .. }
                | Self::Called { .. }
                | Self::Logged { .. }
                | Self::LogsDropped { .. }
                | Self::Progressed { .. }
        )
    }
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
