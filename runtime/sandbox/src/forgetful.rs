//! A memory of plugins that ends with the process.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use evenkeel_engine::port::memory::{Found, Memory, MemoryError, Owner, Put, Remembered, Usage};

/// For who runs a plugin without a home's journal.
#[derive(Default)]
pub struct Forgetful {
    owners: Mutex<HashMap<Owner, Shelf>>,
}

#[derive(Default)]
struct Shelf {
    entries: BTreeMap<String, Entry>,
    usage: Usage,
    floor: u64,
}

struct Entry {
    remembered: Remembered,
    write: String,
}

impl Forgetful {
    fn owners(&self) -> MutexGuard<'_, HashMap<Owner, Shelf>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Memory for Forgetful {
    async fn get(&self, owner: &Owner, key: &str) -> Result<Option<Remembered>, MemoryError> {
        let owners = self.owners();
        let entry = owners.get(owner).and_then(|shelf| shelf.entries.get(key));
        Ok(entry.map(|entry| entry.remembered.clone()))
    }

    async fn put(&self, owner: &Owner, key: &str, put: Put) -> Result<u64, MemoryError> {
        self.owners().entry(owner.clone()).or_default().put(key, put)
    }

    async fn delete(&self, owner: &Owner, key: &str) -> Result<(), MemoryError> {
        if let Some(shelf) = self.owners().get_mut(owner) {
            shelf.delete(key);
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
        let owners = self.owners();
        let Some(shelf) = owners.get(owner) else {
            return Ok(Vec::new());
        };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let keys = shelf.entries.range::<str, _>((from, Bound::Unbounded));
        let keys = keys.map(|(key, _)| key).take_while(|key| key.starts_with(prefix));
        Ok(keys.take(limit as usize).cloned().collect())
    }

    async fn usage(&self, owner: &Owner) -> Result<Usage, MemoryError> {
        Ok(self.owners().get(owner).map(|shelf| shelf.usage).unwrap_or_default())
    }
}

impl Shelf {
    fn put(&mut self, key: &str, put: Put) -> Result<u64, MemoryError> {
        let entry = self.entries.get(key);
        if let Some(entry) = entry.filter(|entry| entry.write == put.write) {
            return Ok(entry.remembered.version);
        }
        let found = Found {
            entry: entry.map(|entry| (entry.remembered.version, entry.remembered.value.len())),
            usage: self.usage,
            floor: self.floor,
        };
        let (version, usage) = put.over(key, &found)?;
        self.usage = usage;
        let remembered = Remembered {
            value: put.value,
            version,
        };
        let write = put.write;
        self.entries.insert(key.to_owned(), Entry { remembered, write });
        Ok(version)
    }

    fn delete(&mut self, key: &str) {
        if let Some(Entry { remembered, .. }) = self.entries.remove(key) {
            self.usage = self.usage.without(key, remembered.value.len());
            self.floor = self.floor.max(remembered.version);
        }
    }
}

#[cfg(test)]
#[path = "../../engine/contract/memory.rs"]
mod contract;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_contract_of_a_memory() {
        super::contract::holds(Forgetful::default);
    }
}
