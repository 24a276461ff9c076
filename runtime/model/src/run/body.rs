//! What an event says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ended, Request, StepResult, Verdict};
use crate::action::{Action, PlanHash, Risk};
use crate::call::{Answer, Call, Level};
use crate::invocation::{Key, Outcome};
use crate::name::{RunId, RunbookName, StepId};
use crate::plugin::Pinned;
use crate::tape::{Given, Tape};

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
    /// What a step with `each` is done for.
    Listed {
        step: StepId,
        items: Vec<Value>,
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
    /// A step is about to have another runbook run; from here on it may be under way.
    RunIntended {
        step: StepId,
        item: Option<u32>,
        runbook: RunbookName,
        input: Value,
    },
    RunOpened {
        step: StepId,
        item: Option<u32>,
        run: RunId,
    },
    /// It can't be run, and why.
    RunRefused {
        step: StepId,
        item: Option<u32>,
        why: String,
        /// Only because nothing new was to begin.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stopped: bool,
    },
    RunEnded {
        step: StepId,
        item: Option<u32>,
        ended: Box<Ended>,
    },
    /// A person has said what it did, of which nobody knew: the run goes on.
    RunKnown {
        step: StepId,
        item: Option<u32>,
        ended: Box<Ended>,
        who: String,
        why: String,
    },
    /// It is about to be undone with this one; from here on that may be under way.
    RunUndoIntended {
        step: StepId,
        item: Option<u32>,
    },
    /// It was to be undone with this one.
    RunUndone {
        step: StepId,
        item: Option<u32>,
        verdict: Verdict,
        why: String,
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
        /// Why it is done although that is frozen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        override_freeze: Option<String>,
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
    /// The invocation that it tells of.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Invoked { key, .. }
            | Self::Resumed { key }
            | Self::Sensed { key, .. }
            | Self::Intended { key, .. }
            | Self::Called { key, .. }
            | Self::Logged { key, .. }
            | Self::LogsDropped { key, .. }
            | Self::Progressed { key, .. }
            | Self::Resolved { key, .. }
            | Self::Ended { key, .. } => Some(key),
            _ => None,
        }
    }

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
