//! Plugins as the host knows them without running them.

mod manifest;
mod source;
mod uses;

pub use manifest::ManifestError;
pub use source::{Build, Source};
pub use uses::{Uses, UsesError};

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grant::Capability;

/// What a plugin exports says what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Check,
    Remedy,
    Monitor,
    Notifier,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Check, Self::Remedy, Self::Monitor, Self::Notifier];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Remedy => "remedy",
            Self::Monitor => "monitor",
            Self::Notifier => "notifier",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// SHA-256 of a component file, lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The JSON in the custom section `evenkeel:manifest` of a component. Readers ignore what
/// they don't know; no field ever changes its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub version: Version,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What it asks for at all: verbs by capability. It only asks.
    #[serde(default)]
    pub capabilities: BTreeMap<Capability, Vec<String>>,
    /// What of that it can do without. A step that doesn't grant the rest is refused; of the
    /// methods of `http`, any one is enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub optional: BTreeMap<Capability, Vec<String>>,
    /// The JSON schema of the parameters of each kind that it exports.
    pub kinds: BTreeMap<Kind, Value>,
}

/// A component that is installed in a home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    pub manifest: Manifest,
    pub digest: Digest,
    /// Relative to the home.
    pub file: String,
}

/// Exactly one plugin, one version, one kind of it: what a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub name: String,
    pub version: Version,
    pub digest: Digest,
    pub kind: Kind,
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
