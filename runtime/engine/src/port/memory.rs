//! What plugins remember from one invocation to the next.

use async_trait::async_trait;
use evenkeel_model::name::{AssetId, RunbookName, StepId};

/// Durable memory of plugins. Implemented by `store`.
#[async_trait]
pub trait Memory: Send + Sync {
    async fn get(&self, owner: &Owner, key: &str) -> Result<Option<Remembered>, MemoryError>;
    /// Answers the new version. With `if_version` it writes only over that version; 0: only if
    /// there is none. The same `write` again is answered as it was the first time, so that a call
    /// may be made again after a crash.
    async fn put(
        &self,
        owner: &Owner,
        key: &str,
        value: Vec<u8>,
        if_version: Option<u64>,
        write: &str,
    ) -> Result<u64, MemoryError>;
    /// What is not there is deleted already.
    async fn delete(&self, owner: &Owner, key: &str) -> Result<(), MemoryError>;
    /// Keys that begin with `prefix` and come after `after`, in the order of their bytes.
    async fn keys(
        &self,
        owner: &Owner,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, MemoryError>;
}

/// Whose memory it is: nobody else can name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// By name, so that the next version finds it.
    pub plugin: String,
    pub runbook: RunbookName,
    pub step: StepId,
    pub target: AssetId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub value: Vec<u8>,
    /// From 1, and one more with each write.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory of this plugin, runbook, step and target is full")]
    Quota,
    #[error("the key or the value is larger than the limit")]
    TooLarge,
    #[error("it was written by somebody else meanwhile")]
    Conflict,
    #[error("{0}")]
    Io(String),
}
