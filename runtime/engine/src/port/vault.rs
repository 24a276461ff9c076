//! Where the values of secrets come from.

use async_trait::async_trait;
use evenkeel_model::role::Secret;
use evenkeel_model::secret::Value;

/// Fetches the values of secrets, for the host alone.
#[async_trait]
pub trait Vault: Send + Sync {
    /// `Ok(None)`: what the operator names is not there. The error says what went wrong, without
    /// any part of a value.
    async fn value(&self, secret: &Secret) -> Result<Option<Value>, String>;
}
