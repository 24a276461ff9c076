//! What alerting needs of the world.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::alert::{Alert, Edge};
use evenkeel_model::scrape::Target;

use crate::lifecycle::Manner;
use crate::promql::Sample;
use crate::rules::{Externals, Outgoing};
use crate::series;

#[derive(Clone, Debug, thiserror::Error)]
#[error("the alerts can't be {action}: {cause}")]
pub struct MemoryError {
    /// `written` or `read`.
    pub action: &'static str,
    pub cause: String,
}

/// An alert, and when it was last heard of.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub alert: Alert,
    pub at: DateTime<Utc>,
}

/// What a target answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub content_type: String,
    /// Unpacked.
    pub body: Vec<u8>,
}

/// Asks targets for their exposition text. Implemented by `sandbox`.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// # Errors
    /// Why there is no text, in a sentence; also when it takes longer or has more than the scrape allows.
    async fn fetch(&self, target: &Target) -> Result<Fetched, String>;
}

/// All alerts that fire or did lately, durable. Implemented by `store`.
#[async_trait]
pub trait Memory: Send + Sync {
    /// Merges what came in into what is there, one transaction; returns when it is on disk.
    /// The edges are kept as pending until the engine is done with them.
    async fn accept(&self, incoming: Vec<Alert>, now: DateTime<Utc>) -> Result<Vec<Edge>, MemoryError> {
        self.accept_as(Manner::Repeats, incoming, now).await
    }
    /// The same for a source whose manner is another; [`crate::intake::Batch`] says which.
    async fn accept_as(
        &self,
        manner: Manner,
        incoming: Vec<Alert>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Edge>, MemoryError>;
    /// Ends what nothing was heard of; the same promise. Called every few seconds: a longer
    /// pause between two calls is taken for time in which nobody listened, and no alert is
    /// ended for its silence in it.
    async fn expire(&self, now: DateTime<Utc>) -> Result<Vec<Edge>, MemoryError>;
    /// Alerts that fire, oldest first.
    async fn firing(&self, now: DateTime<Utc>) -> Result<Vec<Alert>, MemoryError>;
    /// The same, each with when it was last heard of.
    async fn heard(&self, now: DateTime<Utc>) -> Result<Vec<Heard>, MemoryError>;
}

/// What time it is.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// Since some moment; never goes back.
    fn passed(&self) -> Duration;
}

/// Takes what an Alertmanager would be told.
#[async_trait]
pub trait Tell: Send + Sync {
    async fn tell(&self, alerts: Vec<Outgoing>, externals: Arc<Externals>);
}

/// Keeps series over a restart. Implemented by `store`.
pub trait Keep: Send + Sync {
    /// Writes down what was just appended, without waiting for the disk.
    fn log(&self, series: &series::Store, batch: &[(series::Handle, Sample)]) -> Result<(), String>;
    /// Writes all series down; what was logged before the call is needed no more afterwards.
    fn snapshot(&self, series: &series::Store) -> Result<(), String>;
}
