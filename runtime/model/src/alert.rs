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

/// Alertmanager's fingerprint of a label set, as sixteen lower-case hex digits: FNV-1a over 64
/// bits of each name and value in the order of names, each ended by the byte 255
/// (`LabelSet.Fingerprint` in prometheus/common).
pub fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    for (name, value) in labels {
        for byte in name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:016x}")
}

/// Whether PromQL takes it as a label's name without quotes: letters, digits and `_`, no digit first.
pub fn is_label_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Identity {
    pub fn new(customer: CustomerId, labels: &Labels) -> Self {
        Self {
            customer,
            fingerprint: fingerprint(labels),
        }
    }
}

impl Grade {
    /// By the label `severity`, in the words that rule sets use for it.
    pub fn of(labels: &Labels) -> Self {
        let severity = labels.get("severity").map(|severity| severity.to_lowercase());
        match severity.as_deref() {
            Some("critical" | "page" | "emergency" | "high") => Self::High,
            Some("warning" | "medium" | "error") => Self::Medium,
            _ => Self::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn no_labels_have_the_empty_signature() {
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
    }

    /// The vector of `TestLabelsToSignature` in prometheus/common.
    #[test]
    fn fingerprint_is_prometheus_s() {
        let labels = labels(&[("name", "garland, briggs"), ("fear", "love is not enough")]);
        assert_eq!(fingerprint(&labels), format!("{:016x}", 5_799_056_148_416_392_346_u64));
    }

    #[test]
    fn fingerprint_tells_names_from_values() {
        assert_ne!(
            fingerprint(&labels(&[("a", "bc")])),
            fingerprint(&labels(&[("ab", "c")]))
        );
    }

    #[test]
    fn grades_follow_the_severity() {
        assert_eq!(Grade::of(&labels(&[("severity", "Critical")])), Grade::High);
        assert_eq!(Grade::of(&labels(&[("severity", "warning")])), Grade::Medium);
        assert_eq!(Grade::of(&labels(&[("severity", "none")])), Grade::Low);
        assert_eq!(Grade::of(&Labels::new()), Grade::Low);
    }
}
