//! The two keys: what a step grants and what the ceiling of the target allows.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::AssetId;
use crate::role::Resource;

/// One imported interface of `evenkeel:cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    Exec,
    Files,
    Http,
    Metrics,
    Process,
    Secrets,
    Sql,
    State,
}

impl Capability {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Files => "files",
            Self::Http => "http",
            Self::Metrics => "metrics",
            Self::Process => "process",
            Self::Secrets => "secrets",
            Self::Sql => "sql",
            Self::State => "state",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a step's `grant`, as `verb name`: `read data`, `run restart-app`, `GET app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    pub capability: Capability,
    pub verb: String,
    /// Another asset of the same customer, as `ASSET/NAME`; none: the target itself.
    pub asset: Option<AssetId>,
    pub name: String,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asset {
            Some(asset) => write!(f, "{} {asset}/{}", self.verb, self.name),
            None => write!(f, "{} {}", self.verb, self.name),
        }
    }
}

/// What one invocation may use: manifest request ∩ grant ∩ ceiling of the target, with the
/// operator's definition of each thing. What is not in here does not exist for the plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// By capability and the name that the plugin passes (`NAME` or `ASSET/NAME`).
    pub entries: BTreeMap<(Capability, String), Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The verbs that all three keys allow. Not empty.
    pub verbs: Vec<String>,
    pub resource: Resource,
}

impl Access {
    /// The operator's definition of `name`, if this invocation may `verb` it.
    pub fn find(&self, capability: Capability, verb: &str, name: &str) -> Option<&Resource> {
        let entry = self.entries.get(&(capability, name.to_owned()))?;
        entry
            .verbs
            .iter()
            .any(|allowed| allowed == verb)
            .then_some(&entry.resource)
    }
}
