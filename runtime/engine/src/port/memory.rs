//! What plugins remember from one invocation to the next.

use async_trait::async_trait;
use evenkeel_model::name::{AssetId, RunbookName, StepId};

/// Durable memory of plugins. Implemented by `store`.
#[async_trait]
pub trait Memory: Send + Sync {
    async fn get(&self, owner: &Owner, key: &str) -> Result<Option<Remembered>, MemoryError>;
    /// Answers the new version. With `if_version` it writes only over that version; 0: only if
    /// there is none. The same `write` again is answered as it was the first time, so that a call
    /// may be made again after a crash. What is written is on disk with the run's next durable
    /// point.
    async fn put(&self, owner: &Owner, key: &str, put: Put) -> Result<u64, MemoryError>;
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
    async fn usage(&self, owner: &Owner) -> Result<Usage, MemoryError>;
}

/// What is written under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    pub value: Vec<u8>,
    pub if_version: Option<u64>,
    /// Names this write among all others.
    pub write: String,
    /// What the owner's memory may hold when this is written.
    pub quota: Usage,
}

/// What is there under the key of a put, and in all of its owner's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Version and size of the value, in bytes.
    pub entry: Option<(u64, usize)>,
    pub usage: Usage,
    /// The highest version that a deleted key of the owner had.
    pub floor: u64,
}

impl Put {
    /// The rule of every memory: the version and the usage that writing it comes to.
    pub fn over(&self, key: &str, found: &Found) -> Result<(u64, Usage), MemoryError> {
        let version = found.entry.map_or(0, |(version, _)| version);
        if self.if_version.is_some_and(|expected| expected != version) {
            return Err(MemoryError::Conflict);
        }
        let usage = match found.entry {
            Some((_, bytes)) => found.usage.without(key, bytes),
            None => found.usage,
        };
        let usage = usage.with(key, self.value.len());
        // An operator who lowers a limit leaves memories behind that may shrink, and not grow.
        if !usage.fits(self.quota) && !usage.fits(found.usage) {
            return Err(MemoryError::Quota);
        }
        let next = if found.entry.is_some() { version } else { found.floor } + 1;
        Ok((next, usage))
    }
}

/// How much an owner's memory holds, or may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: usize,
    /// Of keys and values.
    pub bytes: usize,
}

impl Usage {
    /// With an entry more, or less.
    #[must_use]
    pub fn with(self, key: &str, value: usize) -> Self {
        Self {
            keys: self.keys + 1,
            bytes: self.bytes + key.len() + value,
        }
    }

    #[must_use]
    pub fn without(self, key: &str, value: usize) -> Self {
        Self {
            keys: self.keys.saturating_sub(1),
            bytes: self.bytes.saturating_sub(key.len() + value),
        }
    }

    pub fn fits(self, quota: Self) -> bool {
        self.keys <= quota.keys && self.bytes <= quota.bytes
    }
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
    /// From 1, and one more with each write. A key that is put again after it was deleted gets a
    /// higher version than it ever had, so that nobody takes it for the one from before.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    #[error(
        "the plugin's memory for this runbook, step and target is full (limits `state_bytes` and `state_keys` under \
         `[sandbox]` in evenkeel.toml)"
    )]
    Quota,
    #[error("a key has 256 bytes at most and a value 64 KiB, which no setting raises")]
    TooLarge,
    #[error("it was written by somebody else meanwhile")]
    Conflict,
    #[error("{0}")]
    Io(String),
}
