//! Why the host ends an invocation.

use std::time::Duration;

use evenkeel_engine::port::JournalError;
use evenkeel_model::invocation::{Outcome, Stop};

/// Raised inside a host call or at a tick; it unwinds the plugin, which can't catch it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Halt {
    pub stop: Stop,
    pub message: String,
}

impl Halt {
    pub fn new(stop: Stop, message: impl Into<String>) -> Self {
        Self {
            stop,
            message: message.into(),
        }
    }

    /// `what` was more than the key of `[sandbox]` in `evenkeel.toml` allows.
    pub fn limit(what: impl std::fmt::Display, key: &str) -> Self {
        Self::new(
            Stop::Limit,
            format!("{what}: the limit is `[sandbox] {key}` in evenkeel.toml"),
        )
    }

    pub fn cpu(budget: Duration) -> Self {
        let message = format!(
            "it used {} of CPU time: the limit is `[sandbox] cpu` in evenkeel.toml",
            seconds(budget)
        );
        Self::new(Stop::Cpu, message)
    }

    pub fn memory(bytes: usize) -> Self {
        let message = format!(
            "it asked for more than {} of memory: the limit is `[sandbox] memory` in evenkeel.toml",
            size(bytes)
        );
        Self::new(Stop::Memory, message)
    }

    pub fn deadline(timeout: Duration) -> Self {
        Self::new(
            Stop::Deadline,
            format!(
                "it did not end within {}: the limit is the step's `timeout`",
                seconds(timeout)
            ),
        )
    }

    pub fn cancelled() -> Self {
        Self::new(Stop::Cancelled, "the run was cancelled, and it did not end by itself")
    }
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Self {
        Self::new(Stop::Journal, error.to_string())
    }
}

impl From<Halt> for Outcome {
    fn from(halt: Halt) -> Self {
        Self::Stopped {
            stop: halt.stop,
            message: halt.message,
        }
    }
}

/// `256 MiB`, `1000 bytes`.
pub fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

/// `10 s`, `250 ms`.
pub fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{} s", duration.as_secs()),
        _ => format!("{} ms", duration.as_millis()),
    }
}
