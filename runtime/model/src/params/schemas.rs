//! The schemas of a home's plugins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Schema;
use crate::plugin::{Digest, Installed, Kind};

/// Each is compiled once, when it is first needed, and not anew by every step that is run. Clones
/// share what is compiled.
#[derive(Clone, Debug, Default)]
pub struct Schemas(Arc<Mutex<BTreeMap<(Digest, Kind), Compiled>>>);

type Compiled = Result<Arc<Schema>, String>;

impl Schemas {
    /// What one kind of an installed plugin takes. The error is a sentence.
    pub fn of(&self, plugin: &Installed, kind: Kind) -> Result<Arc<Schema>, String> {
        let manifest = &plugin.manifest;
        let Some(schema) = manifest.kinds.get(&kind) else {
            return Err(format!("`{}` {} is no {kind}", manifest.name, manifest.version));
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = known
            .entry((plugin.digest.clone(), kind))
            .or_insert_with(|| Schema::new(schema).map(Arc::new));
        compiled
            .clone()
            .map_err(|why| format!("the plugin's schema can't be used: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn installed(digest: &str, schema: serde_json::Value) -> Installed {
        let manifest = json!({ "name": "look", "version": "1.0.0", "summary": "", "kinds": { "check": schema } });
        Installed {
            manifest: serde_json::from_value(manifest).unwrap(),
            digest: Digest(digest.into()),
            file: "plugins/look-1.0.0.wasm".into(),
        }
    }

    #[test]
    fn a_schema_is_compiled_once_and_for_one_file_alone() {
        let schemas = Schemas::default();
        let (old, new) = (
            installed("a", json!({ "type": "object" })),
            installed("b", json!({ "type": "object", "required": ["root"] })),
        );
        let first = schemas.of(&old, Kind::Check).unwrap();
        assert!(Arc::ptr_eq(&first, &schemas.clone().of(&old, Kind::Check).unwrap()));
        assert_eq!(first.validate(&json!({})), Ok(()));
        let other = schemas.of(&new, Kind::Check).unwrap();
        assert_eq!(other.validate(&json!({})), Err(vec!["`root` is missing".to_owned()]));
    }

    #[test]
    fn what_has_no_usable_schema_is_refused_each_time() {
        let schemas = Schemas::default();
        let damaged = installed("a", json!({ "type": 5 }));
        for _ in 0..2 {
            let why = schemas.of(&damaged, Kind::Check).unwrap_err();
            assert!(why.starts_with("the plugin's schema can't be used: "), "{why}");
        }
        let why = schemas.of(&damaged, Kind::Remedy).unwrap_err();
        assert_eq!(why, "`look` 1.0.0 is no remedy");
    }
}
