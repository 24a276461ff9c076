//! Components, and the manifest that they bring along: anybody may have written them.

use evenkeel_model::plugin::Manifest;
use wasm_encoder::{Component, CustomSection, RawSection};

use crate::component::{embed, inspect};

const NAME: &str = "evenkeel:manifest";
const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// The first byte says whether the rest is a file, what follows its header, a manifest, or its section.
pub fn try_one(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind % 4 {
        0 => component(rest),
        1 => component(&[HEADER, rest].concat()),
        2 => manifest(rest),
        _ => component(&with_section(rest)),
    }
}

/// It is refused, or it can be given another manifest, which is then the one that it has.
fn component(bytes: &[u8]) {
    let Ok(facts) = inspect(bytes) else {
        return;
    };
    assert!(!facts.kinds.is_empty(), "a plugin of no kind");
    if let Some(manifest) = &facts.manifest {
        let again = embed(bytes, manifest).expect("it was read a moment ago");
        let again = inspect(&again).expect("nothing but the manifest has changed");
        assert_eq!(again, facts);
    }
    if let Ok(manifest) = facts.into_manifest() {
        assert!(evenkeel_model::name::is_name(&manifest.name), "{manifest:?}");
    }
}

/// What is accepted holds together, and is the same when it is written and read again.
fn manifest(json: &[u8]) {
    let Ok(manifest) = Manifest::parse(json) else {
        return;
    };
    assert!(evenkeel_model::name::is_name(&manifest.name), "{manifest:?}");
    for (capability, verbs) in &manifest.capabilities {
        let known = |verb: &String| !capability.is_granted() || capability.has_verb(verb);
        assert!(verbs.iter().all(known), "{manifest:?}");
    }
    for (capability, verbs) in &manifest.optional {
        assert!(
            verbs.iter().all(|verb| manifest.asks_for(*capability, verb)),
            "{manifest:?}"
        );
        assert!(
            manifest
                .required(*capability)
                .all(|verb| !verbs.iter().any(|optional| optional == verb))
        );
    }
    let written = serde_json::to_vec(&manifest).expect("a manifest is plain data");
    assert_eq!(Manifest::parse(&written), Ok(manifest));
}

/// What is read of the manifest in the made-up component.
pub fn made_up(json: &[u8]) -> Option<Manifest> {
    inspect(&with_section(json)).ok()?.into_manifest().ok()
}

/// A component that exports a check, with this as its manifest.
fn with_section(json: &[u8]) -> Vec<u8> {
    let mut component = Component::new();
    // An instance of nothing, and its export.
    component.section(&RawSection {
        id: 5,
        data: &[1, 1, 0],
    });
    let name = b"evenkeel:plugin/check@0.1.0";
    let length = u8::try_from(name.len()).expect("a short name");
    let export = [&[1, 0, length], &name[..], &[5, 0, 0]].concat();
    component.section(&RawSection { id: 11, data: &export });
    component.section(&CustomSection {
        name: NAME.into(),
        data: json.into(),
    });
    component.finish()
}
