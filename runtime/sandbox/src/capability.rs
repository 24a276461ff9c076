//! The imported interfaces, a room a capability: what the two keys check, the subject, the call.

/// What was admitted; a call that has its answer already returns it.
macro_rules! admitted {
    ($admitted:expr, $error:ty) => {
        match $admitted {
            $crate::call::Admitted::Live(permit, ticket) => (permit, ticket),
            $crate::call::Admitted::Answered(answer) => return Ok(answer.map_err(|error: $error| error)),
        }
    };
}

mod exec;
mod files;
mod http;
mod journal;
mod metrics;
mod plugin;
mod process;
mod secrets;
mod sql;
mod state;
mod subject;

use evenkeel_model::grant::{Access, Capability};
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Resource;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::evenkeel::{cap, plugin as contract};
use crate::state::State;
use crate::wasi;

pub use exec::Compiled;
pub use http::{Target, addresses};
pub use journal::{CapabilityError, FromJson, GuestError, Json};
pub use state::Overlay;

/// Everything that a plugin may import, whatever it is granted: that is decided at the call.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    contract::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    contract::run::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    contract::log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::exec::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::files::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::http::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::metrics::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::process::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::secrets::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::sql::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    cap::state::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// The operator's definition of `name`, if manifest, grant and ceiling all say `verb`. The same
/// words whether there is such a thing or not.
fn granted<'a>(access: &'a Access, capability: Capability, verb: &str, name: &str) -> Result<&'a Resource, String> {
    access.find(capability, verb, name).ok_or_else(|| {
        format!(
            "`{verb} {name}` is not granted: the step's `grant` does not name it under `{capability}`; the plugin's \
             manifest must ask for it and the role of the target allow it, too"
        )
    })
}

/// `ASSET/NAME` is on another asset than the run's target.
pub fn asset(name: &str, target: &AssetId) -> AssetId {
    match name.split_once('/') {
        Some((asset, _)) => AssetId::new(asset),
        None => target.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use evenkeel_model::action::Risk;
    use evenkeel_model::grant::Entry;
    use evenkeel_model::role::Root;
    use proptest::prelude::*;

    use super::*;

    fn access(entries: &BTreeMap<String, Vec<String>>) -> Access {
        let root = Resource::Root(Root {
            path: PathBuf::from("/srv"),
            allow: Vec::new(),
            risk: Risk::Low,
        });
        let entries = entries.iter().map(|(name, verbs)| {
            (
                (Capability::Files, name.clone()),
                Entry {
                    verbs: verbs.clone(),
                    resource: root.clone(),
                },
            )
        });
        Access {
            entries: entries.collect(),
        }
    }

    proptest! {
        #[test]
        fn nothing_is_found_but_what_all_keys_allow(
            entries in proptest::collection::btree_map("[ab](/[ab])?", proptest::collection::vec("read|write", 1..3), 0..4),
            name in "[abc](/[abc])?",
            verb in "read|write|remove",
        ) {
            let access = access(&entries);
            let expected = entries.get(&name).is_some_and(|verbs| verbs.contains(&verb));
            prop_assert_eq!(granted(&access, Capability::Files, &verb, &name).is_ok(), expected);
            prop_assert!(granted(&access, Capability::Exec, &verb, &name).is_err());
        }
    }

    #[test]
    fn a_refusal_does_not_tell_whether_the_thing_exists() {
        let access = access(&BTreeMap::from([("data".to_owned(), vec!["read".to_owned()])]));
        let of = |name: &str| {
            granted(&access, Capability::Files, "write", name)
                .unwrap_err()
                .replace(name, "NAME")
        };
        assert_eq!(of("data"), of("nothing"));
    }

    #[test]
    fn a_name_may_carry_its_asset() {
        let target = AssetId::new("app-1");
        assert_eq!(asset("data", &target), target);
        assert_eq!(asset("db-1/data", &target), AssetId::new("db-1"));
    }
}
