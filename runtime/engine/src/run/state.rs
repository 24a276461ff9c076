//! Parts of what is known of a run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, PlanHash, Risk};
use evenkeel_model::run::{Body, StepResult, Verdict};
use serde_json::Value;

use super::{Approval, Attempt, Place};

/// What the gates said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum GateState {
    #[default]
    NotAsked,
    Waiting {
        gate: String,
        why: String,
        until: Option<DateTime<Utc>>,
    },
    Refused {
        gate: String,
        why: String,
    },
}

/// What has come of a step so far.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What it is done for, if it has `each`.
    pub items: Option<Vec<Value>>,
    pub plan: Option<Plan>,
    pub approval: Option<Approval>,
    /// The deadline was over when it came to its result.
    pub late: bool,
    /// The checks before it, made again before its plan is applied.
    pub(super) rechecks: BTreeMap<Place, Attempt>,
    /// What was approved last, if that is void.
    pub(super) approved: Option<String>,
    pub result: Option<StepResult>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub at: DateTime<Utc>,
    pub hash: PlanHash,
    /// Of the riskiest action, the operator's risk taken into account.
    pub risk: Risk,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub healed: bool,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub at: DateTime<Utc>,
    pub verdict: Verdict,
    pub why: String,
    pub changed: bool,
}

impl Finished {
    pub(super) fn new(at: DateTime<Utc>, verdict: Verdict, why: &str, changed: bool) -> Self {
        Self {
            at,
            verdict,
            why: why.to_owned(),
            changed,
        }
    }
}

impl GateState {
    pub(super) fn of(body: &Body) -> Self {
        match body {
            Body::Waiting { gate, why, until } => Self::Waiting {
                gate: gate.clone(),
                why: why.clone(),
                until: *until,
            },
            Body::Refused { gate, why } => Self::Refused {
                gate: gate.clone(),
                why: why.clone(),
            },
            _ => Self::NotAsked,
        }
    }
}
