//! Processes that a profile of the operator's selects.

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::process::{Info as Process, ProcessError, Signal};
use crate::{CallError, Cause, Class, subject};

/// The processes of a profile.
#[derive(Clone, Copy)]
pub struct Processes<'h> {
    host: &'h Host,
    profile: &'h str,
}

impl<'h> Processes<'h> {
    pub(super) fn new(host: &'h Host, profile: &'h str) -> Self {
        Self { host, profile }
    }

    /// Those that run now.
    pub fn select(&self) -> Result<Vec<Process>, CallError<ProcessError>> {
        self.host
            .backend
            .processes(self.profile)
            .map_err(CallError::about(self.profile))
    }

    /// Signals one of them. An effect; if its pid belongs to another process by now, it is `missing`.
    pub fn signal(&self, process: &Process, signal: Signal) -> Result<(), CallError<ProcessError>> {
        let answer = self
            .host
            .backend
            .signal(self.profile, process.pid, process.started_ms, signal);
        answer.map_err(CallError::about(subject::process(signal, self.profile)))
    }
}

impl Cause for ProcessError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "process-denied", why.clone()),
            Self::Missing => (
                Class::Permanent,
                "process-missing",
                "there is no such process any more".into(),
            ),
            Self::Io(why) => (Class::Permanent, "process-io", why.clone()),
        }
    }
}
