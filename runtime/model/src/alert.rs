//! Alerts, whoever raised them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::name::CustomerId;

pub type Labels = BTreeMap<String, String>;

/// How much an alert matters, and so what is done about it; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    Low,
    Medium,
    High,
}

/// Two customers' `instance="localhost:9100"` never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub customer: CustomerId,
    /// Sixteen lower-case hex digits, computed from the labels as Alertmanager does
    /// (FNV-1a over sorted names and values, each ended by the byte 255).
    pub fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub identity: Identity,
    pub labels: Labels,
    pub annotations: Labels,
    pub grade: Grade,
    pub starts_at: DateTime<Utc>,
    /// When it ends unless it is sent again; in the past: resolved.
    pub ends_at: DateTime<Utc>,
    /// Its end was said, not supposed: an alert that just stops being sent proves nothing healed.
    pub resolved: bool,
    pub generator_url: String,
    /// The source that sent it last, as `evenkeel.toml` names it.
    pub source: String,
}

impl Alert {
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }
    pub fn firing(&self, now: DateTime<Utc>) -> bool {
        !self.resolved && self.ends_at > now
    }
}

/// What changed in an alert; the only thing that goes on to runbooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A new `startsAt`.
    Fired,
    /// The source said that it ended.
    Resolved,
    /// Nothing was heard of it until `ends_at`.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub change: Change,
    pub alert: Alert,
}
