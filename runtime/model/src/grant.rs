//! The two keys: what a step grants and what the ceiling of the target allows.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{AssetId, is_name};
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
    pub const ALL: [Self; 8] = [
        Self::Exec,
        Self::Files,
        Self::Http,
        Self::Metrics,
        Self::Process,
        Self::Secrets,
        Self::Sql,
        Self::State,
    ];

    /// What can be done with it; empty: any method of HTTP, or nothing that is granted.
    pub fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Files => &["read", "write", "remove"],
            Self::Exec => &["run"],
            Self::Process => &["see", "HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2"],
            Self::Sql => &["query", "execute"],
            Self::Secrets => &["use", "reveal"],
            Self::Metrics => &["query"],
            Self::Http | Self::State => &[],
        }
    }

    /// `state` needs no grant: every plugin has its own memory.
    pub fn is_granted(self) -> bool {
        self != Self::State
    }

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

impl Grant {
    /// Reads `verb name` or `verb ASSET/name`. The verb must be one of the capability's. No
    /// template is filled in a grant, so that no alert's text ever enters one.
    pub fn parse(capability: Capability, text: &str) -> Result<Self, GrantError> {
        if crate::template::is_template(text) {
            return Err(GrantError::Template);
        }
        let Some((verb, thing)) = text.split_once(' ') else {
            return Err(GrantError::Form);
        };
        let (asset, name) = match thing.split_once('/') {
            Some((asset, name)) => (Some(asset), name),
            None => (None, thing),
        };
        if !is_name(name) || asset.is_some_and(|asset| !is_name(asset)) {
            return Err(GrantError::Form);
        }
        if !capability.has_verb(verb) {
            return Err(GrantError::Verb(verb.to_owned()));
        }
        Ok(Self {
            capability,
            verb: verb.to_owned(),
            asset: asset.map(AssetId::from),
            name: name.to_owned(),
        })
    }

    /// What the plugin passes to name it.
    pub fn passed_name(&self) -> String {
        match &self.asset {
            Some(asset) => format!("{asset}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Capability {
    /// A method of HTTP is any word in capitals (RFC 9110 asks for a token; all registered ones are that).
    pub fn has_verb(self, verb: &str) -> bool {
        match self {
            Self::Http => is_method(verb),
            capability => capability.verbs().contains(&verb),
        }
    }
}

pub(crate) fn is_method(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// Why a line is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("a grant is `verb name` or `verb ASSET/name`")]
    Form,
    #[error("there is no verb `{0}`")]
    Verb(String),
    #[error("a grant holds no template")]
    Template,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_grant_is_a_verb_and_a_name() {
        let grant = Grant::parse(Capability::Files, "read steel-db-1/data").unwrap();
        assert_eq!(grant.asset, Some("steel-db-1".into()));
        assert_eq!(grant.passed_name(), "steel-db-1/data");
        assert_eq!(grant.to_string(), "read steel-db-1/data");
        assert!(Grant::parse(Capability::Http, "PROPFIND app").is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |capability, text| Grant::parse(capability, text).unwrap_err();
        assert_eq!(
            refused(Capability::Files, "read {{ alert.labels.x }}"),
            GrantError::Template
        );
        assert_eq!(refused(Capability::Files, "reed data"), GrantError::Verb("reed".into()));
        assert_eq!(refused(Capability::Http, "get app"), GrantError::Verb("get".into()));
        for text in [
            "",
            "read",
            "read  data",
            "read a b",
            "read ../x",
            "read a/b/c",
            "read /data",
            "read data/",
        ] {
            assert_eq!(refused(Capability::Files, text), GrantError::Form, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            for capability in Capability::ALL {
                if let Ok(grant) = Grant::parse(capability, &text) {
                    prop_assert_eq!(grant.to_string(), text.clone());
                }
            }
        }
    }
}
