//! A home that has been checked: what the daemon serves.

pub mod lock;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::asset::{Asset, Customer};
use crate::check::Sources;
use crate::name::{AssetId, CustomerId, RoleName, RunbookName};
use crate::notify::Routing;
use crate::params::Schemas;
use crate::plugin::{Installed, Pinned};
use crate::role::Role;
use crate::runbook::Runbook;
use crate::scrape::{Rules, Scrape, Series};
use crate::window::Windows;

/// Only a home that checks clean becomes one of these.
#[derive(Clone, Debug)]
pub struct Home {
    /// Absolute.
    pub dir: PathBuf,
    pub settings: Settings,
    pub roles: BTreeMap<RoleName, Arc<Role>>,
    /// With `local`.
    pub customers: BTreeMap<CustomerId, Arc<Customer>>,
    /// With `local`.
    pub assets: BTreeMap<AssetId, Arc<Asset>>,
    pub runbooks: BTreeMap<RunbookName, Arc<Runbook>>,
    pub plugins: Vec<Installed>,
    /// Components that are installed no more, and that runs of before may still need.
    pub archived: Vec<Installed>,
    pub routing: Routing,
    /// What those take as parameters.
    pub schemas: Schemas,
    /// Its texts but for the runbooks, so that one can be checked again.
    pub sources: Arc<Sources>,
}

impl Home {
    /// The very component that a step or an invocation is pinned to.
    pub fn component(&self, pinned: &Pinned) -> Option<&Installed> {
        let mut all = self.plugins.iter().chain(&self.archived);
        all.find(|plugin| plugin.manifest.name == pinned.name && plugin.digest == pinned.digest)
    }
}

/// `evenkeel.toml` but for the roles.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where alerts, probes and the API are listened for.
    pub listen: std::net::SocketAddr,
    /// Who may push alerts. None configured: anybody who reaches a loopback `listen`.
    pub sources: Vec<Source>,
    /// How long an alert without `endsAt` fires (Alertmanager's `resolve_timeout`).
    pub resolve_timeout: std::time::Duration,
    pub sandbox: SandboxLimits,
    /// Runs at once.
    pub runs: usize,
    pub journal: Keep,
    /// When runs wait, or nothing is changed.
    pub windows: Windows,
    pub scrapes: Vec<Arc<Scrape>>,
    pub series: Series,
    pub rules: Rules,
    /// Who may read series and alerts; none: whoever reaches a loopback `listen`.
    pub readers: Vec<Source>,
    /// Who may approve, by the names that steps ask for.
    pub approvers: BTreeMap<String, Approvers>,
    /// A person may approve what they asked for themselves: for a home with a single operator.
    pub approve_own: bool,
    /// Users of this group may talk to the daemon over its socket, besides its own user.
    pub group: Option<String>,
}

/// How long the journal keeps what. None: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Calls and log lines of a run, since its end.
    pub calls: Option<std::time::Duration>,
    /// The run itself, but for one that has records of changes: those are kept for ever. Also notices,
    /// what started nothing, and pauses and silences that are over.
    pub runs: Option<std::time::Duration>,
}

impl Default for Keep {
    fn default() -> Self {
        let days = |days: u64| Some(std::time::Duration::from_secs(days * 86_400));
        Self {
            calls: days(90),
            runs: days(730),
        }
    }
}

/// People who may approve, by the names of their users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
    pub people: Vec<String>,
    /// So many of them have to.
    pub need: u32,
}

#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    /// What its `Authorization: Bearer` holds: a file relative to the home, read at start.
    pub token_file: PathBuf,
    /// None: the customer of the asset that the alert's labels name.
    pub customer: Option<CustomerId>,
}

/// Bounds of one invocation, and of what compiling a plugin may cost before. An invocation is
/// recorded with those that it can run into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SandboxLimits {
    /// Invocations at once.
    #[serde(skip)]
    pub concurrency: usize,
    /// Sum over all linear memories and tables of an instance.
    pub memory_bytes: usize,
    /// CPU time.
    pub cpu: std::time::Duration,
    pub calls: u32,
    pub log_lines: u64,
    pub log_bytes: u64,
    /// What a plugin and the host may pass to each other in one call, as it takes space in memory.
    pub crossing_bytes: usize,
    /// Resources of WASI that an instance may hold at once.
    pub handles: usize,
    /// Size of what an export may answer, and of one capability call's answer.
    pub answer_bytes: usize,
    /// Of all journaled calls of one invocation.
    pub journal_bytes: usize,
    pub findings: usize,
    pub actions: usize,
    /// Of a monitor.
    pub samples: usize,
    /// CPU time of compiling one component, in whole seconds.
    #[serde(skip)]
    pub compile_cpu: std::time::Duration,
    /// Address space of the compiler.
    #[serde(skip)]
    pub compile_memory: usize,
    /// Wall time of compiling one component.
    #[serde(skip)]
    pub compile_time: std::time::Duration,
    /// How long a plugin that trapped three times in a row is not called. Zero: it always is.
    #[serde(skip)]
    pub circuit: std::time::Duration,
    /// Of one answer of a database.
    pub rows: u32,
    /// Of one answer of a metrics source.
    pub series: usize,
    /// The same, of all its series together.
    pub points: usize,
    /// Keys and values that a plugin may remember for one runbook, step and target.
    pub state_bytes: usize,
    pub state_keys: usize,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            memory_bytes: 256 << 20,
            cpu: std::time::Duration::from_secs(10),
            calls: 10_000,
            log_lines: 1_000,
            log_bytes: 256 << 10,
            crossing_bytes: 8 << 20,
            handles: 1_000,
            answer_bytes: 4 << 20,
            journal_bytes: 16 << 20,
            findings: 1_000,
            actions: 1_000,
            samples: 10_000,
            compile_cpu: std::time::Duration::from_secs(60),
            compile_memory: 1 << 30,
            compile_time: std::time::Duration::from_secs(300),
            circuit: std::time::Duration::from_secs(600),
            rows: 10_000,
            series: 1_000,
            points: 100_000,
            state_bytes: 1 << 20,
            state_keys: 1_000,
        }
    }
}
