//! The way out of a plugin: the run it belongs to, and the capabilities.

mod calls;
pub mod exec;
pub mod files;
#[cfg(target_arch = "wasm32")]
mod guest;
pub mod http;
pub mod metrics;
pub mod process;
pub mod secrets;
pub mod sql;
pub mod state;

pub(crate) use calls::Calls;
use serde::de::DeserializeOwned;

pub use crate::bindings::base::evenkeel::plugin::log::Level;
use crate::{Context, Result};

#[cfg(target_arch = "wasm32")]
type Backend = guest::Guest;
#[cfg(not(target_arch = "wasm32"))]
type Backend = std::rc::Rc<crate::mock::World>;

/// Everything that a plugin can know and do.
///
/// Names (a root, a profile, an origin) are the operator's words for things on the run's target. A call that the step
/// was not granted fails as `denied`; so does an effect outside `apply`, `rollback` and a notifier's `send`.
pub struct Host {
    pub(crate) backend: Backend,
}

impl Host {
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn live() -> Self {
        Self { backend: guest::Guest }
    }

    /// Space and files under a root.
    pub fn files<'h>(&'h self, root: &'h str) -> files::Files<'h> {
        files::Files::new(self, root)
    }

    /// A command that the operator listed, to add arguments to and run.
    pub fn exec(&self, profile: impl Into<String>) -> exec::Exec<'_> {
        exec::Exec::new(self, profile.into())
    }

    /// An origin to send requests to.
    pub fn http<'h>(&'h self, origin: &'h str) -> http::Origin<'h> {
        http::Origin::new(self, origin)
    }

    /// A source of series; the embedded one is `default`.
    pub fn metrics<'h>(&'h self, source: &'h str) -> metrics::Metrics<'h> {
        metrics::Metrics::new(self, source)
    }

    /// The processes that a profile selects.
    pub fn process<'h>(&'h self, profile: &'h str) -> process::Processes<'h> {
        process::Processes::new(self, profile)
    }

    /// Secrets by name.
    pub fn secrets(&self) -> secrets::Secrets<'_> {
        secrets::Secrets::new(self)
    }

    /// A database.
    pub fn sql<'h>(&'h self, database: &'h str) -> sql::Database<'h> {
        sql::Database::new(self, database)
    }

    /// What this plugin remembers for this runbook, step and target.
    pub fn state(&self) -> state::State<'_> {
        state::State::new(self)
    }
}

/// The run.
impl Host {
    /// The run that this call belongs to.
    pub fn run_id(&self) -> String {
        self.backend.run_id()
    }

    /// 1, and one more with each retry. A resume after a crash is invisible.
    pub fn attempt(&self) -> u32 {
        self.backend.attempt()
    }

    /// How long until the host stops this call.
    pub fn deadline(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.backend.deadline_ms())
    }

    /// `alert`, `target`, `customer`, `input.NAME` or `steps.ID`; nothing if there is none.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let json = self.backend.input(name);
        json.map(|json| serde_json::from_str(&json))
            .transpose()
            .context(format_args!("the input `{name}`"))
    }

    /// Whether somebody cancelled the run: stop where it is safe.
    pub fn cancelled(&self) -> bool {
        self.backend.cancelled()
    }

    /// Says how far it is, from 0 to 1000, and with what.
    pub fn progress(&self, permille: u16, note: &str) {
        self.backend.progress(permille, note);
    }

    /// Writes a line to the log of the run. Not for results: those are findings, samples and what was applied.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        if self.backend.log_enabled(level) {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect();
            self.backend.log(level, message, &fields);
        }
    }
}

/// The clocks. A replay hears what was heard the first time, and a mock host's time stands until it is slept away.
impl Host {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.backend.now_ms()
    }

    /// Time since some moment before: differences are what it is for.
    pub fn monotonic(&self) -> std::time::Duration {
        self.backend.monotonic()
    }

    /// Waits.
    pub fn sleep(&self, duration: impl Into<std::time::Duration>) {
        self.backend.sleep(duration.into());
    }
}
