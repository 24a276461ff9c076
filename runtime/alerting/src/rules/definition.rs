//! Rules that have passed the checks.

use super::expand::Text;
use crate::promql::Query;

/// Rules that are evaluated together, one after the other.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    /// As its reader was told.
    pub file: String,
    /// None: as often as everything else.
    pub interval_ms: Option<i64>,
    /// How long before the time of an evaluation series are asked for, and results are dated.
    pub query_offset_ms: Option<i64>,
    /// Alerts or series that one rule may give.
    pub limit: Option<usize>,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub struct Rule {
    /// The series that it records, or the `alertname`.
    pub name: String,
    /// As it was written.
    pub expr: String,
    pub query: Query,
    /// Sorted by name, those of the group among them.
    pub labels: Vec<(String, Text)>,
    pub does: Does,
    /// In the file, from 1.
    pub line: usize,
}

#[derive(Clone, Debug)]
pub enum Does {
    Record,
    Alert {
        /// How long it holds before it fires.
        for_ms: i64,
        /// How long it fires on after it no longer holds.
        keep_firing_for_ms: i64,
        /// Sorted by name.
        annotations: Vec<(String, Text)>,
    },
}

impl Rule {
    pub fn is_alert(&self) -> bool {
        matches!(self.does, Does::Alert { .. })
    }
}
