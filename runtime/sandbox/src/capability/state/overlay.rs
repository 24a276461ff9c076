//! A memory that is written nowhere: over the real one, for as long as an invocation lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use evenkeel_engine::port::memory::{Found, Memory, MemoryError, Owner, Put, Remembered, Usage};

/// One invocation's, and so of one owner.
pub struct Overlay {
    below: Arc<dyn Memory>,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    /// None: deleted.
    entries: BTreeMap<String, Option<Remembered>>,
    usage: Option<Usage>,
    floor: u64,
}

impl Overlay {
    pub fn over(below: Arc<dyn Memory>) -> Self {
        Self {
            below,
            changes: Mutex::default(),
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in its place what was put or deleted before an interruption, whatever is below by now.
    pub async fn recall(&self, owner: &Owner, key: &str, entry: Option<Remembered>) {
        let found = self.found(owner, key).await.ok();
        let mut changes = self.changes();
        if let Some(found) = found {
            let without = match found.entry {
                Some((version, bytes)) => {
                    changes.floor = changes.floor.max(version);
                    found.usage.without(key, bytes)
                }
                None => found.usage,
            };
            let with = |entry: &Remembered| without.with(key, entry.value.len());
            changes.usage = Some(entry.as_ref().map_or(without, with));
        }
        changes.entries.insert(key.to_owned(), entry);
    }

    async fn found(&self, owner: &Owner, key: &str) -> Result<Found, MemoryError> {
        let entry = self.get(owner, key).await?;
        let usage = self.usage(owner).await?;
        Ok(Found {
            entry: entry.map(|entry| (entry.version, entry.value.len())),
            usage,
            floor: self.changes().floor,
        })
    }
}

#[async_trait]
impl Memory for Overlay {
    async fn get(&self, owner: &Owner, key: &str) -> Result<Option<Remembered>, MemoryError> {
        let changed = self.changes().entries.get(key).cloned();
        match changed {
            Some(entry) => Ok(entry),
            None => self.below.get(owner, key).await,
        }
    }

    async fn put(&self, owner: &Owner, key: &str, put: Put) -> Result<u64, MemoryError> {
        let found = self.found(owner, key).await?;
        let (version, usage) = put.over(key, &found)?;
        let mut changes = self.changes();
        changes.usage = Some(usage);
        let remembered = Remembered {
            value: put.value,
            version,
        };
        changes.entries.insert(key.to_owned(), Some(remembered));
        Ok(version)
    }

    async fn delete(&self, owner: &Owner, key: &str) -> Result<(), MemoryError> {
        let found = self.found(owner, key).await?;
        if let Some((version, bytes)) = found.entry {
            let mut changes = self.changes();
            changes.usage = Some(found.usage.without(key, bytes));
            changes.floor = changes.floor.max(version);
            changes.entries.insert(key.to_owned(), None);
        }
        Ok(())
    }

    async fn keys(
        &self,
        owner: &Owner,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, MemoryError> {
        let changed = self.changes().entries.clone();
        // As many more as may be gone of them here.
        let wanted = limit.saturating_add(u32::try_from(changed.len()).unwrap_or(u32::MAX));
        let mut keys = self.below.keys(owner, prefix, after, wanted).await?;
        keys.retain(|key| !changed.contains_key(key));
        let written = changed.into_iter().filter(|(_, entry)| entry.is_some());
        let fits = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        keys.extend(written.map(|(key, _)| key).filter(fits));
        keys.sort_unstable();
        keys.truncate(limit as usize);
        Ok(keys)
    }

    async fn usage(&self, owner: &Owner) -> Result<Usage, MemoryError> {
        let changed = self.changes().usage;
        match changed {
            Some(usage) => Ok(usage),
            None => self.below.usage(owner).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgetful::Forgetful;

    fn owner() -> Owner {
        Owner {
            plugin: "p".into(),
            runbook: "r".into(),
            step: "s".into(),
            target: "t".into(),
        }
    }

    fn put(value: &[u8], if_version: Option<u64>) -> Put {
        Put {
            value: value.to_vec(),
            if_version,
            write: format!("{value:?}"),
            quota: Usage { keys: 3, bytes: 100 },
        }
    }

    #[tokio::test]
    async fn what_is_put_over_a_memory_is_seen_there_and_nowhere_below() {
        let below: Arc<dyn Memory> = Arc::new(Forgetful::default());
        let owner = owner();
        below.put(&owner, "a", put(b"below", None)).await.unwrap();
        below.put(&owner, "c", put(b"gone", None)).await.unwrap();
        let overlay = Overlay::over(Arc::clone(&below));
        assert_eq!(
            overlay.put(&owner, "a", put(b"x", Some(0))).await,
            Err(MemoryError::Conflict)
        );
        assert_eq!(overlay.put(&owner, "a", put(b"above", Some(1))).await, Ok(2));
        assert_eq!(overlay.put(&owner, "b", put(b"new", Some(0))).await, Ok(1));
        assert_eq!(
            overlay.put(&owner, "d", put(b"full", None)).await,
            Err(MemoryError::Quota)
        );
        overlay.delete(&owner, "c").await.unwrap();
        assert_eq!(overlay.get(&owner, "c").await, Ok(None));
        assert_eq!(overlay.put(&owner, "c", put(b"again", Some(0))).await, Ok(2));
        assert_eq!(overlay.keys(&owner, "", None, 2).await.unwrap(), ["a", "b"]);
        assert_eq!(overlay.keys(&owner, "", Some("b"), 9).await.unwrap(), ["c"]);
        assert_eq!(below.get(&owner, "a").await.unwrap().unwrap().value, b"below");
        assert_eq!(below.keys(&owner, "", None, 9).await.unwrap(), ["a", "c"]);
    }
}
