//! What a plugin remembers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::state::{Entry as Versioned, StateError};
use crate::{CallError, Cause, Class, Context, Result};

/// Keys asked for at once by [`State::keys`].
const PAGE: u32 = 1_000;

/// Durable memory of this plugin for this runbook, step and target. What is put while planning or in a dry run is seen
/// by that call alone.
#[derive(Clone, Copy)]
pub struct State<'h> {
    host: &'h Host,
}

impl<'h> State<'h> {
    pub(super) fn new(host: &'h Host) -> Self {
        Self { host }
    }

    /// The value with its version; nothing if the key was never put.
    pub fn get(&self, key: &str) -> Result<Option<Versioned>, CallError<StateError>> {
        self.host.backend.state_get(key).map_err(CallError::about(key))
    }

    /// The value read as JSON.
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let entry = self.get(key)?;
        entry
            .map(|entry| serde_json::from_slice(&entry.value))
            .transpose()
            .context(format_args!("the state `{key}`"))
    }

    /// Puts a value whatever was there, and answers its version.
    pub fn put(&self, key: &str, value: &[u8]) -> Result<u64, CallError<StateError>> {
        self.host
            .backend
            .state_put(key, value, None)
            .map_err(CallError::about(key))
    }

    /// Puts a value as JSON.
    pub fn put_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<u64> {
        let value = serde_json::to_vec(value).context(format_args!("the state `{key}`"))?;
        Ok(self.put(key, &value)?)
    }

    /// Puts a value over that version alone (0: only if there is none); else it is a `conflict`.
    pub fn put_over(&self, version: u64, key: &str, value: &[u8]) -> Result<u64, CallError<StateError>> {
        self.host
            .backend
            .state_put(key, value, Some(version))
            .map_err(CallError::about(key))
    }

    /// Forgets a key.
    pub fn delete(&self, key: &str) -> Result<(), CallError<StateError>> {
        self.host.backend.state_delete(key).map_err(CallError::about(key))
    }

    /// All keys that start so, in order.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, CallError<StateError>> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().map(String::as_str);
            let page = self
                .host
                .backend
                .state_keys(prefix, after, PAGE)
                .map_err(CallError::about(prefix))?;
            if page.is_empty() {
                return Ok(keys);
            }
            keys.extend(page);
        }
    }
}

impl Cause for StateError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Quota => (Class::Permanent, "state-quota", "the plugin remembers too much".into()),
            Self::TooLarge => (
                Class::Permanent,
                "state-too-large",
                "the value is larger than the limit".into(),
            ),
            Self::Conflict => (
                Class::Transient,
                "state-conflict",
                "it was put by another call meanwhile".into(),
            ),
            Self::Io(why) => (Class::Transient, "state-io", why.clone()),
        }
    }
}
