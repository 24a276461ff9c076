//! A host in memory, to test a plugin with plain `cargo test`.
//!
//! ```
//! use evenkeel_sdk::{MockHost, exec::Output};
//!
//! let host = MockHost::new().with_file("data", "pid", "4711\n").with_exec("reload", Output::exit(0));
//! assert_eq!(host.files("data").read_text("pid", 100)?, "4711\n");
//!
//! // Like a check or a plan: effects are denied until they are allowed.
//! assert!(host.exec("reload").run().is_err());
//! host.allow_effects();
//! assert!(host.exec("reload").run()?.success());
//! assert_eq!(host.effects(), ["exec.run reload []", "exec.run reload []"]);
//! # Ok::<(), evenkeel_sdk::Error>(())
//! ```

mod answers;
mod files;
mod journal;
mod processes;
mod script;
mod secrets;
mod state;
mod world;

use std::ops::Deref;
use std::rc::Rc;

pub use journal::Call;
pub use script::Reply;
use serde_json::Value;
pub(crate) use world::World;

use crate::exec::{ExecError, Output};
use crate::files::{Capacity, Entry};
use crate::http::{HttpError, Response};
use crate::metrics::Series;
use crate::process::Process;
use crate::sql::{Rows, SqlError};
use crate::{Action, Duration, Host, Level, subject};

/// A host that answers what it was told, and remembers what it was asked. It is used as a [`Host`].
///
/// What it was not told is denied, as what was not granted is. Time stands still at the first moment of 2026 (UTC) but
/// for [`Host::sleep`]. It denies effects until [`MockHost::allow_effects`] or [`MockHost::allow`].
pub struct MockHost {
    host: Host,
}

impl Default for MockHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for MockHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

/// What there is.
impl MockHost {
    /// A host with nothing on it.
    pub fn new() -> Self {
        Self {
            host: Host {
                backend: Rc::new(World::default()),
            },
        }
    }

    /// The space of a root's file system.
    #[must_use]
    pub fn with_capacity(self, root: &str, capacity: Capacity) -> Self {
        self.world().files.borrow_mut().set_capacity(root, capacity);
        self
    }

    /// A file that was written just now.
    #[must_use]
    pub fn with_file(self, root: &str, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.with_file_aged(root, path, content, Duration::seconds(0))
    }

    /// A file that was last written so long ago.
    #[must_use]
    pub fn with_file_aged(self, root: &str, path: &str, content: impl AsRef<[u8]>, age: Duration) -> Self {
        let modified_ms = self.host.now_ms().saturating_sub(age.as_ms());
        self.world()
            .files
            .borrow_mut()
            .put(root, path, content.as_ref(), modified_ms);
        self
    }

    /// An entry of any kind, size, age and owner, whose content nobody reads.
    #[must_use]
    pub fn with_entry(self, root: &str, entry: Entry) -> Self {
        self.world().files.borrow_mut().put_entry(root, entry);
        self
    }

    /// What a profile answers. Said several times, it answers one after the other and the last for ever.
    #[must_use]
    pub fn with_exec(self, profile: &str, reply: impl Reply<Output, ExecError>) -> Self {
        self.world().exec.borrow_mut().then(profile, reply.reply());
        self
    }

    /// Marks a profile read-only, as the operator would: running it is no effect.
    #[must_use]
    pub fn with_read_only(self, profile: &str) -> Self {
        self.world().read_only.borrow_mut().insert(profile.to_owned());
        self
    }

    /// What an origin answers. Said several times, it answers one after the other and the last for ever.
    #[must_use]
    pub fn with_http(self, method: &str, origin: &str, path: &str, reply: impl Reply<Response, HttpError>) -> Self {
        self.world()
            .http
            .borrow_mut()
            .then(&subject::http(method, origin, path), reply.reply());
        self
    }

    /// What an expression has, at any time.
    #[must_use]
    pub fn with_metrics(self, source: &str, expr: &str, series: impl IntoIterator<Item = Series>) -> Self {
        let series = series.into_iter().collect();
        self.world()
            .metrics
            .borrow_mut()
            .insert((source.to_owned(), expr.to_owned()), series);
        self
    }

    /// A process that a profile selects. HUP, USR1 and USR2 leave it, every other signal ends it.
    #[must_use]
    pub fn with_process(self, profile: &str, process: Process) -> Self {
        self.world().processes.borrow_mut().put(profile, process);
        self
    }

    /// A process that a profile selects, and that KILL alone ends.
    #[must_use]
    pub fn with_stubborn_process(self, profile: &str, process: Process) -> Self {
        self.world().processes.borrow_mut().put_stubborn(profile, process);
        self
    }

    /// A profile that selects nothing yet.
    #[must_use]
    pub fn with_no_process(self, profile: &str) -> Self {
        self.world().processes.borrow_mut().know(profile);
        self
    }

    /// What running a command leaves behind: a process that a profile selects.
    #[must_use]
    pub fn with_started(self, command: &str, profile: &str, process: Process) -> Self {
        self.world().processes.borrow_mut().start(command, profile, process);
        self
    }

    /// A secret that is granted for use and to be revealed.
    #[must_use]
    pub fn with_secret(self, name: &str, value: &str) -> Self {
        self.world()
            .secrets
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// What a query answers, whatever its parameters.
    #[must_use]
    pub fn with_query(self, database: &str, statement: &str, reply: impl Reply<Rows, SqlError>) -> Self {
        self.world()
            .queries
            .borrow_mut()
            .then(&subject::sql(database, statement), reply.reply());
        self
    }

    /// How many rows a statement changes, whatever its parameters.
    #[must_use]
    pub fn with_execute(self, database: &str, statement: &str, reply: impl Reply<u64, SqlError>) -> Self {
        self.world()
            .executes
            .borrow_mut()
            .then(&subject::sql(database, statement), reply.reply());
        self
    }

    /// What the plugin remembers from an earlier call.
    #[must_use]
    pub fn with_state(self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.world().state.borrow_mut().put(key, value.as_ref());
        self
    }

    /// What [`Host::input`] answers.
    #[must_use]
    pub fn with_input(self, name: &str, value: impl Into<Value>) -> Self {
        self.world()
            .inputs
            .borrow_mut()
            .insert(name.to_owned(), value.into().to_string());
        self
    }

    /// The try that this is.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        self.world().attempt.set(attempt);
        self
    }

    /// How long the host lets the call run. It only tells: the plugin is not stopped.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.world().deadline_ms.set(deadline.as_ms());
        self
    }

    /// Lets this much time pass with every capability call.
    #[must_use]
    pub fn with_slow_calls(self, each: Duration) -> Self {
        self.world().call_takes.set(each.into());
        self
    }

    /// Cancels the run from now on.
    pub fn cancel(&self) {
        self.world().cancelled.set(true);
    }

    /// Writes a file as somebody else would, now.
    pub fn put_file(&self, root: &str, path: &str, content: impl AsRef<[u8]>) {
        let now = self.host.now_ms();
        self.world().files.borrow_mut().put(root, path, content.as_ref(), now);
    }

    /// Removes a file as somebody else would.
    pub fn take_file(&self, root: &str, path: &str) {
        self.world().files.borrow_mut().take(root, path);
    }

    fn world(&self) -> &World {
        &self.host.backend
    }
}

/// What it lets happen.
impl MockHost {
    /// Denies every effect: a check, a monitor, a plan. So it starts.
    pub fn deny_effects(&self) {
        self.world().journal.borrow_mut().deny();
    }

    /// Lets every effect happen.
    pub fn allow_effects(&self) {
        self.world().journal.borrow_mut().allow_all();
    }

    /// Lets the effects happen that this action declares, as the real host does in `apply`.
    pub fn allow(&self, action: &Action) {
        self.world().journal.borrow_mut().allow(&action.effects);
    }

    /// Lets the effects happen that undoing this action declares, as the real host does in `rollback`.
    pub fn allow_undo(&self, action: &Action) {
        self.world().journal.borrow_mut().allow(&action.undo_effects);
    }
}

/// What happened.
impl MockHost {
    /// Every capability call in order.
    pub fn calls(&self) -> Vec<Call> {
        self.world().journal.borrow().calls().to_vec()
    }

    /// Every effect that was asked for, denied or not: `files.remove data:tmp/x`.
    pub fn effects(&self) -> Vec<String> {
        self.calls()
            .iter()
            .filter(|call| call.effect)
            .map(ToString::to_string)
            .collect()
    }

    /// Every effect that was let happen.
    pub fn made(&self) -> Vec<String> {
        self.calls()
            .iter()
            .filter(|call| call.effect && !call.denied)
            .map(ToString::to_string)
            .collect()
    }

    /// What the plugin logged.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.world().logs.borrow().clone()
    }

    /// What it said of its progress.
    pub fn progress_notes(&self) -> Vec<(u16, String)> {
        self.world().progress.borrow().clone()
    }

    /// A file's content; nothing if there is none.
    pub fn content(&self, root: &str, path: &str) -> Option<Vec<u8>> {
        self.world().files.borrow().content(root, path)
    }

    /// The files and directories below a root, in name order.
    pub fn paths(&self, root: &str) -> Vec<String> {
        self.world().files.borrow().paths(root)
    }
}

#[cfg(test)]
mod tests;
