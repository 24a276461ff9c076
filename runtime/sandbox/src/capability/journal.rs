//! Answers in the journal, both ways: the field names of the contract, bytes as base64, a case of
//! a variant as its name, or as an object with it if it carries something.
//!
//! *Invariant:* what is read back is what the plugin got. A test holds it for every type.

mod read;
#[cfg(test)]
mod tests;
mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::redact::Redactor;

/// What a plugin got, as the ports answer it.
pub trait Json {
    fn json(&self) -> Value;

    /// Leaves out what is secret. Who made it knows nothing of that.
    fn redact(&mut self, _: &Redactor) {}
}

/// What a plugin got instead.
pub trait CapabilityError: Json + std::error::Error {
    /// Set if the host refused it before anything was done.
    fn reason(&self) -> Option<&str>;

    /// An effect that came to this may have been made all the same: the request was sent, the command
    /// or the statement begun, and the host heard no more of it.
    fn is_open(&self) -> bool {
        false
    }
}

/// What a plugin gets, as the contract has it, out of what [`Json`] made of it.
pub trait FromJson: Sized {
    fn from_json(value: &Value) -> Result<Self, Unreadable>;
}

/// A capability's error, as the contract has it.
pub trait GuestError: FromJson {
    /// The host refused it before anything was done.
    fn denied(why: String) -> Self;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recorded answer can't be read: {0}")]
pub struct Unreadable(pub String);

pub fn bytes(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}
