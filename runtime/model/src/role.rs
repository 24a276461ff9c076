//! Roles: what is on an asset, each thing with what is allowed at all.

mod database;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Risk;
use crate::name::RoleName;

pub use database::{Database, Engine, Place};
pub use secret::{Secret, SecretFrom};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    pub name: Option<RoleName>,
    pub roots: BTreeMap<String, Root>,
    pub exec: BTreeMap<String, Profile>,
    pub origins: BTreeMap<String, Origin>,
    pub databases: BTreeMap<String, Database>,
    pub processes: BTreeMap<String, Processes>,
    pub sources: BTreeMap<String, Source>,
    pub secrets: BTreeMap<String, Secret>,
}

/// A directory. `path` may hold `{{ asset.… }}` and `{{ customer.… }}`; in an [`crate::grant::Access`]
/// it is rendered. A relative path is relative to the home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Root {
    pub path: PathBuf,
    /// Of `read`, `write`, `remove`.
    pub allow: Vec<String>,
    /// At least this, whatever the plugin says.
    pub risk: Risk,
}

/// A command. Its strings, but for `args`, may hold the same templates as a root's path. A
/// program with a slash in it is a path, and relative to the home if it is relative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Program and fixed arguments; no shell.
    pub command: Vec<String>,
    /// Patterns, one for each further argument that is allowed, in order: a regular
    /// expression that the whole argument must match. The last may be followed by `...`
    /// as an element of its own: any number of such arguments.
    pub args: Vec<String>,
    /// Allowed in a check and in a plan, and made again after a crash.
    pub read_only: bool,
    pub risk: Risk,
    /// The environment of the child is this and nothing else but a plain `PATH`.
    pub env: BTreeMap<String, String>,
    pub cwd: Option<PathBuf>,
    /// The longest that one call may take.
    pub timeout: Duration,
}

/// An HTTP origin. `url` may hold the same templates as a root's path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Scheme, host, port and an optional base path.
    pub url: String,
    /// Methods, in capitals.
    pub allow: Vec<String>,
    /// `METHOD /path` or `METHOD /path/*`: no effect although the method is not GET or HEAD.
    pub read_only: Vec<String>,
    /// A name that resolves to a loopback, private or link-local address is dialled. An
    /// address written in `url` itself says so already, but for metadata services.
    pub private: bool,
    /// PEM file with further certificate authorities, relative to the home.
    pub ca: Option<PathBuf>,
    pub risk: Risk,
    /// The longest that one call may take.
    pub timeout: Duration,
}

/// Which processes a plugin may see and signal. `user` and `name` may hold the same templates as a
/// root's path; whatever is set must be so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Processes {
    /// The name as the kernel has it: up to 15 bytes of the program's file name (`comm` in proc(5)).
    pub name: Option<String>,
    /// A regular expression that the whole command line must match, arguments parted by spaces.
    pub command: Option<String>,
    /// The user that it runs as, by name or number.
    pub user: Option<String>,
    /// `see`, and signals as POSIX names them without `SIG`.
    pub allow: Vec<String>,
    pub risk: Risk,
}

/// What answers PromQL: a Prometheus HTTP API, or the daemon itself over the series of the asset's customer. `url` may
/// hold the same templates as a root's path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Scheme, host, port and an optional base path, below which `/api/v1/query` is; or [`Source::EMBEDDED`].
    pub url: String,
    pub allow: Vec<String>,
    /// As for an [`Origin`].
    pub private: bool,
    pub ca: Option<PathBuf>,
    /// What `Authorization: Bearer` holds. The plugin never sees it.
    pub token: Option<Secret>,
    /// The longest that one call may take.
    pub timeout: Duration,
}

impl Source {
    /// In the place of a URL: the daemon's own series.
    pub const EMBEDDED: &'static str = "evenkeel:";

    pub fn is_embedded(&self) -> bool {
        self.url == Self::EMBEDDED
    }
}

/// One thing of a role, rendered for one asset.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    Root(Root),
    Profile(Profile),
    Origin(Origin),
    Database(Database),
    Processes(Processes),
    Source(Source),
    Secret(Secret),
}

impl Resource {
    /// The operator's risk for an effect on it.
    pub fn risk(&self) -> Risk {
        match self {
            Self::Root(root) => root.risk,
            Self::Profile(profile) => profile.risk,
            Self::Origin(origin) => origin.risk,
            Self::Database(database) => database.risk,
            Self::Processes(processes) => processes.risk,
            // Neither changes anything by itself.
            Self::Source(_) | Self::Secret(_) => Risk::Low,
        }
    }
}
