//! Components as bytes: what they say of themselves, read without compiling or running anything.

// By their paths, so that `fuzz` can include this file as it is.
#[path = "component/contract.rs"]
mod contract;
#[path = "component/section.rs"]
mod section;

use std::collections::BTreeSet;

use evenkeel_model::plugin::{Digest, Kind, Manifest};
use sha2::{Digest as _, Sha256};

pub use contract::CONTRACT;
pub use section::embed;

/// The largest component that is looked at.
pub const MAX_BYTES: usize = 32 << 20;
/// Over all that is nested in it; Python's have a few hundred.
pub const MAX_SECTIONS: usize = 100_000;
pub const MAX_IMPORTS: usize = 1_000;
/// Of the manifest's JSON.
pub const MAX_MANIFEST: usize = 1 << 20;

/// Why a component can't be used, in words for the person who adds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error("it has {0} bytes, and a plugin has at most {MAX_BYTES}")]
    TooLarge(usize),
    #[error("it is not WebAssembly: the file does not begin with `\\0asm`")]
    NotWasm,
    #[error("it is a core module, not a component: build it for `wasm32-wasip2`, or with `evenkeel plugin build`")]
    CoreModule,
    #[error(
        "it is encoded in version {0:#x} of the component format, and this evenkeel reads 0xd: build it with newer tools"
    )]
    OtherEncoding(u16),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it has more than {MAX_SECTIONS} sections")]
    TooManySections,
    #[error("it imports more than {MAX_IMPORTS} interfaces")]
    TooManyImports,
    #[error("its manifest has {0} bytes, and one has at most {MAX_MANIFEST}")]
    LargeManifest(usize),
    #[error("it has more than one manifest: build it anew with `evenkeel plugin build`")]
    TwoManifests,
    #[error("it has no manifest: build it with `evenkeel plugin build`")]
    NoManifest,
    #[error("its manifest can't be read: {0}")]
    BadManifest(String),
    #[error("it exports no kind: one of {} is needed", contract::KINDS)]
    NoKind,
    #[error("it was built for version {version} of the contract (`{name}`), and this evenkeel serves {CONTRACT}")]
    OtherContract { name: String, version: String },
    #[error("it imports `{0}`, which this evenkeel does not provide")]
    UnknownImport(String),
    #[error("it does not fit the contract: {0}")]
    Mismatch(String),
    #[error("it can't be compiled: {0}")]
    Compile(String),
    #[error(
        "compiling it takes more than {what}: the limit is `[sandbox] {key}` in evenkeel.toml; it is tried again when that is raised"
    )]
    CompileLimit { what: String, key: &'static str },
    #[error(
        "it begins with more memory than it may have: the limit is `[sandbox] memory` in evenkeel.toml, as it was at the start"
    )]
    LargeMemory,
    #[error("`{file}` can't be read: {cause}")]
    Unreadable { file: String, cause: String },
    #[error("`{file}` is no longer what was installed: {found} was found instead of {wanted}")]
    Changed {
        file: String,
        wanted: Digest,
        found: Digest,
    },
    #[error("no plugin with the digest {0} is installed")]
    NotInstalled(Digest),
    #[error("it can't describe its parameters: {0}")]
    Describe(String),
}

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// None: it was not built by `evenkeel plugin build`.
    pub manifest: Option<Manifest>,
    pub kinds: BTreeSet<Kind>,
    /// The imported interfaces, as they are written.
    pub imports: Vec<String>,
}

impl Facts {
    /// The manifest, if it speaks of the kinds that are there.
    pub fn into_manifest(self) -> Result<Manifest, LoadError> {
        let manifest = self.manifest.ok_or(LoadError::NoManifest)?;
        let described: BTreeSet<Kind> = manifest.kinds.keys().copied().collect();
        if described != self.kinds {
            let (described, exported) = (names(&described), names(&self.kinds));
            let message = format!("it describes {described}, and the component exports {exported}");
            return Err(LoadError::BadManifest(message));
        }
        if !evenkeel_model::name::is_name(&manifest.name) {
            return Err(LoadError::BadManifest(format!(
                "`{}` is not a plugin's name",
                manifest.name
            )));
        }
        Ok(manifest)
    }
}

/// Reads a component without running it. Whether its types fit is only known once it is
/// compiled.
pub fn inspect(bytes: &[u8]) -> Result<Facts, LoadError> {
    if bytes.len() > MAX_BYTES {
        return Err(LoadError::TooLarge(bytes.len()));
    }
    let sections = section::sections(bytes)?;
    let names = contract::names(bytes)?;
    names.imports.iter().try_for_each(|name| contract::provided(name))?;
    let kinds = contract::kinds(&names.exports)?;
    let mut manifests = sections.iter().filter_map(section::Section::manifest);
    let manifest = manifests.next().map(read).transpose()?;
    if manifests.next().is_some() {
        return Err(LoadError::TwoManifests);
    }
    Ok(Facts {
        manifest,
        kinds,
        imports: names.imports,
    })
}

/// SHA-256 of a component file.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(evenkeel_model::action::hex(&Sha256::digest(bytes)))
}

fn read(json: &[u8]) -> Result<Manifest, LoadError> {
    if json.len() > MAX_MANIFEST {
        return Err(LoadError::LargeManifest(json.len()));
    }
    serde_json::from_slice(json).map_err(|error| LoadError::BadManifest(error.to_string()))
}

fn names(kinds: &BTreeSet<Kind>) -> String {
    let names: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::plugin::Manifest;
    use serde_json::json;

    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {text})")).unwrap()
    }

    fn check() -> Vec<u8> {
        component(r#"(instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i))"#)
    }

    fn manifest(name: &str) -> Manifest {
        serde_json::from_value(json!({
            "name": name, "version": "1.2.3", "summary": "looks", "kinds": { "check": { "type": "object" } },
            "of_a_later_version": true,
        }))
        .unwrap()
    }

    #[test]
    fn a_manifest_is_embedded_replaced_and_read() {
        let first = embed(&check(), &manifest("first")).unwrap();
        let second = embed(&first, &manifest("second")).unwrap();
        let facts = inspect(&second).unwrap();
        assert_eq!(facts.kinds, BTreeSet::from([Kind::Check]));
        assert_eq!(facts.into_manifest().unwrap().name, "second");
        assert_eq!(second.len(), first.len() + 1, "the old section is gone");
        assert_eq!(inspect(&check()).unwrap().into_manifest(), Err(LoadError::NoManifest));
    }

    #[test]
    fn a_manifest_speaks_of_the_kinds_that_are_there() {
        let mut wrong = manifest("x");
        wrong.kinds.insert(Kind::Remedy, json!({}));
        let error = inspect(&embed(&check(), &wrong).unwrap())
            .unwrap()
            .into_manifest()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "its manifest can't be read: it describes `check`, `remedy`, and the component exports `check`"
        );
    }

    /// A custom section of this name, put behind a component.
    fn and(mut bytes: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
        use wasm_encoder::ComponentSection as _;
        let section = wasm_encoder::CustomSection {
            name: name.into(),
            data: data.into(),
        };
        section.append_to_component(&mut bytes);
        bytes
    }

    #[test]
    fn what_is_parsed_is_bounded() {
        let words = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
        let one = embed(&check(), &manifest("one")).unwrap();
        let two = and(one.clone(), "evenkeel:manifest", b"{}");
        assert_eq!(
            words(&two),
            "it has more than one manifest: build it anew with `evenkeel plugin build`"
        );
        let large = and(check(), "evenkeel:manifest", &vec![b' '; MAX_MANIFEST + 1]);
        assert_eq!(
            words(&large),
            "its manifest has 1048577 bytes, and one has at most 1048576"
        );

        // Each is an empty custom section without a name.
        let sections = |many: usize| [check(), [0, 1, 0].repeat(many)].concat();
        assert_eq!(words(&sections(MAX_SECTIONS)), "it has more than 100000 sections");
        assert!(inspect(&sections(MAX_SECTIONS - 10)).is_ok());
        let nested = sections(MAX_SECTIONS / 2);
        let mut nesting = wasm_encoder::Component::new();
        nesting.section(&wasm_encoder::RawSection { id: 4, data: &nested });
        nesting.section(&wasm_encoder::RawSection { id: 4, data: &nested });
        assert_eq!(words(nesting.as_slice()), "it has more than 100000 sections");

        let import = |n: usize| format!(r#"(import "evenkeel:cap/files@0.1.{n}" (instance))"#);
        let imports: String = (0..=MAX_IMPORTS).map(import).collect();
        assert_eq!(words(&component(&imports)), "it imports more than 1000 interfaces");
    }

    #[test]
    fn what_is_no_component_is_refused_with_the_reason() {
        let words = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
        assert_eq!(
            words(b""),
            "it is not WebAssembly: the file does not begin with `\\0asm`"
        );
        assert_eq!(
            words(b"#!/bin/sh\nexit 0\n"),
            "it is not WebAssembly: the file does not begin with `\\0asm`"
        );
        assert!(words(&wat::parse_str("(module)").unwrap()).starts_with("it is a core module, not a component"));
        assert!(words(b"\0asm\x0a\0\x01\0").starts_with("it is encoded in version 0xa of the component format"));
        let truncated = &check()[..check().len() - 3];
        assert!(words(truncated).starts_with("it is damaged: "), "{}", words(truncated));
        assert!(words(&vec![0; MAX_BYTES + 1]).starts_with("it has 33554433 bytes"));
        assert!(words(&component("")).starts_with("it exports no kind"));
    }

    #[test]
    fn what_this_host_does_not_provide_is_named() {
        let with = |import: &str| {
            let text = format!(
                r#"(import "{import}" (instance)) (instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i))"#
            );
            inspect(&component(&text))
                .map(|facts| facts.imports)
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            with("evenkeel:cap/files@0.1.7"),
            Ok(vec!["evenkeel:cap/files@0.1.7".to_owned()])
        );
        assert_eq!(with("wasi:cli/environment@0.2.3").map(|imports| imports.len()), Ok(1));
        assert_eq!(
            with("evenkeel:cap/teleport@0.1.0").unwrap_err(),
            "it imports `evenkeel:cap/teleport@0.1.0`, which this evenkeel does not provide"
        );
        assert!(
            with("wasi:http/outgoing-handler@0.2.3")
                .unwrap_err()
                .contains("wasi:http/outgoing-handler@0.2.3")
        );
        assert_eq!(
            with("evenkeel:cap/files@0.3.0").unwrap_err(),
            "it was built for version 0.3.0 of the contract (`evenkeel:cap/files@0.3.0`), and this evenkeel serves 0.1"
        );
    }

    #[test]
    fn random_bytes_never_panic() {
        use proptest::prelude::*;
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| {
            let _ = inspect(&bytes);
            let mut component = b"\0asm\x0d\0\x01\0".to_vec();
            component.extend(&bytes);
            let _ = inspect(&component);
        });
    }
}
