//! Unit tests of rules, in the files that promtool takes.
//!
//! [`read()`] takes a test file, [`Test::run`] plays its series against groups of rules and says what came out otherwise
//! than expected.

mod read;
mod run;

use std::ops::Range;

use evenkeel_model::alert;

use super::expand::Externals;
use crate::promql::{Labels, Query};

pub use read::{Read, read};
pub use run::{Failure, Sample};

/// A test file.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// Patterns of files, relative to the test file, each with its place.
    pub rule_files: Vec<(String, Range<usize>)>,
    /// In which order groups are evaluated, as far as they are named.
    pub group_order: Vec<String>,
    pub tests: Vec<Test>,
}

#[derive(Clone, Debug)]
pub struct Test {
    /// Empty: it has none.
    pub name: String,
    pub line: usize,
    /// Between two samples of its series.
    interval_ms: i64,
    evaluation_interval_ms: i64,
    /// Whether numbers that differ in their last bit are the same.
    fuzzy: bool,
    series: Vec<(Labels, Vec<Option<f64>>)>,
    alerts: Vec<AlertCase>,
    expressions: Vec<ExpressionCase>,
    externals: Externals,
}

/// Which alerts of a name fire at a time.
#[derive(Clone, Debug)]
struct AlertCase {
    at_ms: i64,
    name: String,
    expected: Vec<Firing>,
    line: usize,
}

/// What an expression gives at a time.
#[derive(Clone, Debug)]
struct ExpressionCase {
    at_ms: i64,
    expr: String,
    query: Query,
    expected: Vec<(Labels, f64)>,
    line: usize,
}

/// An alert that fires, as a test sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Firing {
    /// `alertname` among them.
    pub labels: alert::Labels,
    pub annotations: alert::Labels,
}

impl Test {
    /// How many things it checks.
    pub fn cases(&self) -> usize {
        self.alerts.len() + self.expressions.len()
    }

    /// How often its groups are evaluated.
    pub fn evaluations(&self) -> i64 {
        self.last_ms() / self.evaluation_interval_ms + 1
    }
}
