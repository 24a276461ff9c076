use std::collections::BTreeMap;

use crate::state::{StateError, Versioned};

/// Versions count up from 1 for each key, also over a deletion.
#[derive(Default)]
pub(crate) struct Memory {
    entries: BTreeMap<String, Versioned>,
    versions: BTreeMap<String, u64>,
}

impl Memory {
    pub fn get(&self, key: &str) -> Option<Versioned> {
        self.entries.get(key).cloned()
    }

    pub fn put(&mut self, key: &str, value: &[u8]) -> u64 {
        let version = self.versions.entry(key.to_owned()).or_default();
        *version += 1;
        self.entries.insert(
            key.to_owned(),
            Versioned {
                value: value.to_vec(),
                version: *version,
            },
        );
        *version
    }

    pub fn put_over(&mut self, expected: u64, key: &str, value: &[u8]) -> Result<u64, StateError> {
        let found = self.entries.get(key).map_or(0, |entry| entry.version);
        if found == expected {
            Ok(self.put(key, value))
        } else {
            Err(StateError::Conflict)
        }
    }

    pub fn delete(&mut self, key: &str) {
        self.entries.remove(key);
    }

    pub fn keys(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        let keys = self.entries.keys().filter(|key| key.starts_with(prefix));
        keys.filter(|key| after.is_none_or(|after| key.as_str() > after))
            .take(limit as usize)
            .cloned()
            .collect()
    }
}
