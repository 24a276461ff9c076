//! Secrets out of files, the environment and commands.

use std::path::PathBuf;

use async_trait::async_trait;
use evenkeel_engine::port::vault::Vault;
use evenkeel_model::role::Secret;
use evenkeel_model::secret::Value;

/// Fetches what the roles of a home name.
pub struct HomeVault {
    _home: PathBuf,
}

impl HomeVault {
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { _home: home.into() }
    }
}

#[async_trait]
impl Vault for HomeVault {
    async fn value(&self, _: &Secret) -> Result<Option<Value>, String> {
        Err("not there yet".into())
    }
}
