//! One call of one export: what goes in, and what comes out.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{Action, Applied};
use crate::alert::Labels;
use crate::name::StepId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Check,
    Plan,
    Apply,
    Rollback,
    Collect,
    Send,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Collect => "collect",
            Self::Send => "send",
        })
    }
}

/// Names an invocation within its run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    pub step: StepId,
    pub phase: Phase,
    /// The id of the action, in `apply` and `rollback`. In a step with `each`, the index of the item,
    /// and the action's id after a `/`.
    pub action: Option<String>,
    /// 1, and one more with each retry.
    pub attempt: u32,
}

impl Key {
    /// The same place, called before.
    pub fn is_later_try_of(&self, earlier: &Self) -> bool {
        let place = |key: &Self| (key.step.clone(), key.phase, key.action.clone());
        self.attempt > earlier.attempt && place(self) == place(earlier)
    }
}

/// A check's severity; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Ok,
    Info,
    Warning,
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub code: String,
    pub severity: Severity,
    pub subject: String,
    pub summary: String,
    pub labels: Labels,
    pub details: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub name: String,
    pub counter: bool,
    pub value: f64,
    pub labels: Labels,
    pub at: Option<DateTime<Utc>>,
}

/// What a notifier delivers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same when it is sent again after a crash.
    pub id: String,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    pub labels: Labels,
    pub link: Option<String>,
    /// Richer forms, for those that can show them.
    pub details: Option<Value>,
}

/// All that the host ever branches on in a plugin's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Invalid,
    Denied,
    Transient,
    Permanent,
}

/// A plugin's own error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub class: Class,
    pub code: String,
    pub message: String,
    pub details: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    Findings(Vec<Finding>),
    Plan(Vec<Action>),
    Applied(Applied),
    RolledBack,
    Samples(Vec<Sample>),
    Sent(Option<String>),
}

/// Why the host ended an invocation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    Deadline,
    Cpu,
    Memory,
    /// Another limit; the message names it.
    Limit,
    Trap,
    Cancelled,
    /// The component could not be loaded or instantiated.
    Load,
    /// It was not called: it trapped too often in a row.
    Circuit,
    /// The journal could not be written: nothing is done that can't be recorded.
    Journal,
    /// It could not be gone on with after an interruption: it did not do again what it had done.
    Diverged,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done(Output),
    Failed(Failure),
    Stopped { stop: Stop, message: String },
}

impl Outcome {
    /// The plugin did not come to its end, and could not be gone on with.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            Self::Stopped {
                stop: Stop::Diverged,
                ..
            }
        )
    }
}
