//! What a remedy proposes: actions, each with the effects that it may make.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How much an action may hurt; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// One kind of call that an action may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub capability: String,
    pub operation: String,
    /// In the form that the capability documents; literal unless it starts with `glob:`.
    pub subject: String,
    /// Lower-case hex SHA-256 that the call's content must have.
    pub content: Option<String>,
    pub at_most: u32,
}

/// One change: shown, approved, journaled, applied and undone as a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub id: String,
    pub summary: String,
    pub risk: Risk,
    pub effects: Vec<Effect>,
    /// What `rollback` would do, in words; none: it can't be undone.
    pub undo: Option<String>,
    pub undo_effects: Vec<Effect>,
    pub body: Value,
}

/// What `apply` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub changed: bool,
    pub summary: String,
    /// For the steps that follow.
    pub output: Option<Value>,
    /// For `rollback`.
    pub undo: Option<Value>,
}

/// Approvals bind to this hash; any edit to the plan voids them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(String);

impl PlanHash {
    /// SHA-256 over the actions as JSON, in order.
    pub fn of(actions: &[Action]) -> Self {
        let json = serde_json::to_vec(actions).expect("actions are plain data");
        Self(sha256(&json))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
