//! What alerting needs of the world.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::alert::{Alert, Edge};

#[derive(Clone, Debug, thiserror::Error)]
#[error("the alerts can't be {action}: {cause}")]
pub struct MemoryError {
    /// `written` or `read`.
    pub action: &'static str,
    pub cause: String,
}

/// All alerts that fire or did lately, durable. Implemented by `store`.
#[async_trait]
pub trait Memory: Send + Sync {
    /// Merges what came in into what is there, one transaction; returns when it is on disk.
    /// The edges are kept as pending until the engine is done with them.
    async fn accept(&self, incoming: Vec<Alert>, now: DateTime<Utc>) -> Result<Vec<Edge>, MemoryError>;
    /// Ends what nothing was heard of; the same promise.
    async fn expire(&self, now: DateTime<Utc>) -> Result<Vec<Edge>, MemoryError>;
    /// Alerts that fire, oldest first.
    async fn firing(&self, now: DateTime<Utc>) -> Result<Vec<Alert>, MemoryError>;
}
