//! Commands that the operator listed.

use std::borrow::Cow;

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::exec::{ExecError, Output};
use crate::{CallError, Cause, Class, Effect, subject};

/// A command about to be run. The operator's profile has the program and its first arguments.
#[must_use]
pub struct Exec<'h> {
    host: &'h Host,
    profile: String,
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl<'h> Exec<'h> {
    pub(super) fn new(host: &'h Host, profile: String) -> Self {
        Self {
            host,
            profile,
            args: Vec::new(),
            stdin: Vec::new(),
        }
    }

    /// Adds an argument; the profile says which are allowed.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What the command reads.
    pub fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// The effect that this very call is, for the plan.
    pub fn effect(&self) -> Effect {
        Effect::exec(&self.profile, &self.args).content(&self.stdin)
    }

    /// Runs it and waits. A command that fails is an answer, not an error: see [`Output::success`].
    pub fn run(self) -> Result<Output, CallError<ExecError>> {
        let about = CallError::about(subject::exec(&self.profile, &self.args));
        self.host
            .backend
            .exec(&self.profile, &self.args, &self.stdin)
            .map_err(about)
    }
}

impl Output {
    /// What a mock command answers.
    pub fn exit(code: i32) -> Self {
        Self {
            code: Some(code),
            stdout: Vec::new(),
            stderr: Vec::new(),
            truncated: false,
        }
    }

    /// Puts this on its stdout.
    #[must_use]
    pub fn with_stdout(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdout = text.into();
        self
    }

    /// Puts this on its stderr.
    #[must_use]
    pub fn with_stderr(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stderr = text.into();
        self
    }

    /// Whether it exited with 0. A command that was ended by a signal has no code.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Its stdout as text; what isn't UTF-8 is replaced.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Its stderr as text; what isn't UTF-8 is replaced.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// The last lines of its stderr, or of its stdout if it said nothing there: at most so many bytes.
    pub fn tail(&self, bytes: usize) -> String {
        let said = |text: &[u8]| String::from_utf8_lossy(text).trim().to_owned();
        let text = Some(said(&self.stderr))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| said(&self.stdout));
        let from = text.len().saturating_sub(bytes);
        let from = (from..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        if from == 0 {
            text
        } else {
            format!("…{}", &text[from..])
        }
    }
}

impl Cause for ExecError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "exec-denied", why.clone()),
            Self::Spawn(why) => (
                Class::Permanent,
                "exec-spawn",
                format!("the command can't be started: {why}"),
            ),
            Self::TimedOut => (Class::Transient, "exec-timed-out", "the command took too long".into()),
            Self::OutputLimit => (
                Class::Permanent,
                "exec-output-limit",
                "the command printed too much".into(),
            ),
        }
    }
}
