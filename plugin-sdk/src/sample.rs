//! What a monitor answers.

pub use crate::bindings::monitor::exports::evenkeel::plugin::monitor::MetricType as Metric;

/// One measurement; it enters the series store.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// A metric name as Prometheus has them, with its unit: `queue_oldest_seconds`.
    pub name: String,
    /// Whether it goes up and down, or only up.
    pub metric: Metric,
    /// In the base unit of the name.
    pub value: f64,
    /// Names of things; the host adds the target's.
    pub labels: Vec<(String, String)>,
    /// Milliseconds since 1970; none: the time of the call.
    pub at_ms: Option<u64>,
}

impl Sample {
    /// A value that goes up and down.
    pub fn gauge(name: impl Into<String>, value: f64) -> Self {
        Self::new(Metric::Gauge, name, value)
    }

    /// A total that only grows, but for restarts.
    pub fn counter(name: impl Into<String>, value: f64) -> Self {
        Self::new(Metric::Counter, name, value)
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Says when it was measured, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(mut self, at_ms: u64) -> Self {
        self.at_ms = Some(at_ms);
        self
    }

    fn new(metric: Metric, name: impl Into<String>, value: f64) -> Self {
        Self {
            name: name.into(),
            metric,
            value,
            labels: Vec::new(),
            at_ms: None,
        }
    }
}
