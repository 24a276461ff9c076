//! Reading a manifest that a component brings along: anybody may have written it.

use super::Manifest;
use crate::grant::Capability;
use crate::name::is_name;
use crate::params::Schema;

/// Bytes of a manifest.
const MAX_SIZE: usize = 1 << 20;

/// Why a component's manifest can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is larger than {} KiB", MAX_SIZE >> 10)]
    TooLarge,
    #[error("the manifest can't be read: {0}")]
    Json(String),
    #[error("`{0}` is not a plugin's name")]
    Name(String),
    #[error("the manifest lists no kind")]
    NoKind,
    #[error("the schema of the kind `{0}` can't be used: {1}")]
    Schema(super::Kind, String),
    #[error("there is no `{0} {1}` to ask for")]
    Verb(Capability, String),
    #[error("`{0} {1}` is optional and not asked for")]
    Optional(Capability, String),
}

impl Manifest {
    /// Reads the JSON of the custom section, and checks that it holds together.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > MAX_SIZE {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|error| ManifestError::Json(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name) {
            return Err(ManifestError::Name(self.name.clone()));
        }
        if self.kinds.is_empty() {
            return Err(ManifestError::NoKind);
        }
        for (kind, schema) in &self.kinds {
            Schema::new(schema).map_err(|why| ManifestError::Schema(*kind, why))?;
        }
        for (capability, verb) in verbs(&self.capabilities) {
            if capability.is_granted() && !capability.has_verb(verb) {
                return Err(ManifestError::Verb(capability, verb.to_owned()));
            }
        }
        for (capability, verb) in verbs(&self.optional) {
            if !self.asks_for(capability, verb) {
                return Err(ManifestError::Optional(capability, verb.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether the plugin may use it if the step and the ceiling say so too.
    pub fn asks_for(&self, capability: Capability, verb: &str) -> bool {
        self.capabilities
            .get(&capability)
            .is_some_and(|verbs| verbs.iter().any(|asked| asked == verb))
    }

    /// The verbs of a capability that it can't do without.
    pub fn required(&self, capability: Capability) -> impl Iterator<Item = &str> {
        let optional = self.optional.get(&capability);
        let asked = self.capabilities.get(&capability).into_iter().flatten();
        asked
            .filter(move |verb| !optional.is_some_and(|optional| optional.contains(verb)))
            .map(String::as_str)
    }
}

fn verbs(
    capabilities: &std::collections::BTreeMap<Capability, Vec<String>>,
) -> impl Iterator<Item = (Capability, &str)> {
    capabilities
        .iter()
        .flat_map(|(capability, verbs)| verbs.iter().map(|verb| (*capability, verb.as_str())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn manifest() -> serde_json::Value {
        json!({
            "name": "cache-clean",
            "version": "1.0.0",
            "summary": "Removes old files of a cache",
            "capabilities": { "files": ["read", "remove"], "state": [] },
            "optional": { "files": ["remove"] },
            "kinds": { "remedy": { "type": "object" } },
            "of-a-later-version": 1
        })
    }

    fn parse(manifest: &serde_json::Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(&serde_json::to_vec(manifest).unwrap())
    }

    #[test]
    fn what_a_reader_does_not_know_it_ignores() {
        let manifest = parse(&manifest()).unwrap();
        assert!(manifest.asks_for(Capability::Files, "remove"));
        assert_eq!(manifest.required(Capability::Files).collect::<Vec<_>>(), ["read"]);
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let with = |key: &str, value| {
            let mut manifest = manifest();
            manifest[key] = value;
            parse(&manifest).unwrap_err()
        };
        assert_eq!(with("name", json!("../x")), ManifestError::Name("../x".into()));
        assert_eq!(with("kinds", json!({})), ManifestError::NoKind);
        assert!(matches!(
            with("kinds", json!({ "check": { "type": 1 } })),
            ManifestError::Schema(..)
        ));
        assert!(matches!(
            with("capabilities", json!({ "files": ["chown"] })),
            ManifestError::Verb(..)
        ));
        assert!(matches!(
            with("optional", json!({ "http": ["GET"] })),
            ManifestError::Optional(..)
        ));
        assert!(matches!(with("version", json!("one")), ManifestError::Json(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&bytes);
        }

        #[test]
        fn no_change_of_a_good_one_makes_it_panic(at in 0usize..200, byte in any::<u8>()) {
            let mut json = serde_json::to_vec(&manifest()).unwrap();
            let at = at % json.len();
            json[at] = byte;
            let _ = Manifest::parse(&json);
        }
    }
}
