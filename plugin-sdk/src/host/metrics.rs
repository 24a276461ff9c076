//! PromQL over a source that the operator named.

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::metrics::{MetricsError, Point, Series};
use crate::{CallError, Cause, Class};

/// A source of series.
#[derive(Clone, Copy)]
pub struct Metrics<'h> {
    host: &'h Host,
    source: &'h str,
}

impl<'h> Metrics<'h> {
    pub(super) fn new(host: &'h Host, source: &'h str) -> Self {
        Self { host, source }
    }

    /// The expression now: a series each with one point.
    pub fn query(&self, expr: &str) -> Result<Vec<Series>, CallError<MetricsError>> {
        self.host
            .backend
            .metrics(self.source, expr, None)
            .map_err(self.about(expr))
    }

    /// The expression at a time, in milliseconds since 1970.
    pub fn query_at(&self, expr: &str, at_ms: u64) -> Result<Vec<Series>, CallError<MetricsError>> {
        self.host
            .backend
            .metrics(self.source, expr, Some(at_ms))
            .map_err(self.about(expr))
    }

    /// The expression at every step from one time to another, in milliseconds since 1970.
    pub fn query_range(
        &self,
        expr: &str,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Result<Vec<Series>, CallError<MetricsError>> {
        self.host
            .backend
            .metrics_range(self.source, expr, from_ms, to_ms, step_ms)
            .map_err(self.about(expr))
    }

    /// The one value of an expression that has one series at most; nothing if it has none, or several.
    pub fn value(&self, expr: &str) -> Result<Option<f64>, CallError<MetricsError>> {
        let series = self.query(expr)?;
        Ok(match series.as_slice() {
            [one] => one.points.last().map(|point| point.value),
            _ => None,
        })
    }

    fn about(&self, expr: &str) -> impl FnOnce(MetricsError) -> CallError<MetricsError> + use<> {
        CallError::about(format!("{} {expr}", self.source))
    }
}

impl Series {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Cause for MetricsError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "metrics-denied", why.clone()),
            Self::Invalid(why) => (Class::Invalid, "metrics-invalid", why.clone()),
            Self::Unavailable(why) => (Class::Transient, "metrics-unavailable", why.clone()),
            Self::TooLarge => (
                Class::Permanent,
                "metrics-too-large",
                "the answer is larger than the limit".into(),
            ),
        }
    }
}
