//! Secrets, which stay with the host: a plugin holds references.

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::secrets::SecretError;
use crate::{CallError, Cause, Class};

/// Secrets by name.
#[derive(Clone, Copy)]
pub struct Secrets<'h> {
    host: &'h Host,
}

impl<'h> Secrets<'h> {
    pub(super) fn new(host: &'h Host) -> Self {
        Self { host }
    }

    /// A text to put where the value belongs: into http paths, headers and bodies, and into exec stdin. The host puts
    /// the value there, towards what the secret is granted for alone.
    pub fn reference(&self, name: &str) -> Result<String, CallError<SecretError>> {
        self.host.backend.secret_reference(name).map_err(CallError::about(name))
    }

    /// Standard base64 of HMAC-SHA-256. References in either argument are replaced.
    pub fn hmac_sha256(&self, key: &str, message: &str) -> Result<String, CallError<SecretError>> {
        self.host
            .backend
            .hmac_sha256(key, message)
            .map_err(CallError::about("hmac-sha256"))
    }

    /// The value itself. Needs the grant `reveal NAME`.
    pub fn reveal(&self, name: &str) -> Result<String, CallError<SecretError>> {
        self.host.backend.reveal(name).map_err(CallError::about(name))
    }
}

impl Cause for SecretError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "secret-denied", why.clone()),
            Self::Missing => (Class::Permanent, "secret-missing", "there is no such secret".into()),
        }
    }
}
