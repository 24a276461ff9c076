//! What answers PromQL: a Prometheus of the customer's, or evenkeel's own series.

use std::time::Duration;

use async_trait::async_trait;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Source;
use evenkeel_model::secret::Value as Secret;

/// Evaluates expressions over a source that the operator named.
#[async_trait]
pub trait Metrics: Send + Sync {
    async fn query(
        &self,
        asset: &AssetId,
        source: &Source,
        token: Option<&Secret>,
        question: Question,
    ) -> Result<Vec<Series>, MetricsError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub expr: String,
    pub at: At,
    pub timeout: Duration,
    /// Series that are answered at most; more are [`MetricsError::TooLarge`].
    pub series: usize,
    /// Points of all series together, the same.
    pub points: usize,
    /// What the answer may take as it is sent, in bytes.
    pub bytes: usize,
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Now.
    Now,
    Instant(u64),
    Range {
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Vec<(String, String)>,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at_ms: u64,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("the answer is larger than the limit")]
    TooLarge,
}
