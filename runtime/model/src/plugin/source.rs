//! `plugin.toml`, the source of a manifest.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::{Kind, Manifest};
use crate::grant::Capability;

/// What the author of a plugin writes; `evenkeel plugin build` adds the kinds and their schemas.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub name: String,
    pub version: Version,
    pub summary: String,
    pub license: Option<String>,
    pub capabilities: BTreeMap<Capability, Vec<String>>,
    pub optional: BTreeMap<Capability, Vec<String>>,
}

impl Source {
    /// The manifest of a component that exports these kinds, with the schema of each.
    pub fn manifest(self, kinds: BTreeMap<Kind, Value>) -> Manifest {
        Manifest {
            name: self.name,
            version: self.version,
            summary: self.summary,
            license: self.license,
            capabilities: self.capabilities,
            optional: self.optional,
            kinds,
        }
    }
}
