//! `plugin.toml`, the source of a manifest.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::{Kind, Manifest};
use crate::authored::{self, Reader};
use crate::grant::Capability;
use crate::problem::{File, Problem};

/// What the author of a plugin writes; `evenkeel plugin build` adds the kinds and their schemas.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub name: String,
    pub version: Version,
    pub summary: String,
    pub license: Option<String>,
    pub capabilities: BTreeMap<Capability, Vec<String>>,
    pub optional: BTreeMap<Capability, Vec<String>>,
    /// None: it is a crate, and cargo builds it.
    pub build: Option<Build>,
}

/// How a component comes to be that cargo doesn't build.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// A program and its arguments, run in the directory of `plugin.toml`. Never empty.
    pub command: Vec<String>,
    /// Where the component is then, relative to that directory.
    pub component: String,
}

impl Source {
    /// Reads `plugin.toml`; all that is wrong with it at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let reader = Reader::new(File {
            path: "plugin.toml",
            text,
        });
        let source = authored::plugin::read(&reader);
        match (source, reader.into_problems()) {
            (Some(source), problems) if problems.is_empty() => Ok(source),
            (_, problems) => Err(problems),
        }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_source_and_its_kinds_are_a_manifest() {
        let text = r#"
            name = "cache-clean"
            version = "1.0.0"
            summary = "Removes old files of a cache"
            license = "Apache-2.0"
            [capabilities]
            files = ["read", "remove"]
            [optional]
            files = ["remove"]
            [build]
            command = ["make", "plugin.wasm"]
            component = "plugin.wasm"
        "#;
        let kinds = BTreeMap::from([(Kind::Remedy, serde_json::json!({ "type": "object" }))]);
        let source = Source::parse(text).unwrap();
        let build = source.build.clone().unwrap();
        assert_eq!(
            (build.command.join(" ").as_str(), build.component.as_str()),
            ("make plugin.wasm", "plugin.wasm")
        );
        let manifest = source.manifest(kinds);
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::parse(&json).unwrap(), manifest);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text =
            "name = \"Bad Name\"\nversion = \"1\"\nsumary = \"x\"\n[capabilities]\nfile = []\nhttp = [\"get\"]\n";
        let problems = Source::parse(text).unwrap_err();
        let mut codes = problems.iter().map(|problem| problem.code).collect::<Vec<_>>();
        codes.sort_unstable();
        let wanted = [
            "bad-name",
            "bad-value",
            "missing-key",
            "unknown-capability",
            "unknown-key",
            "unknown-verb",
        ];
        assert_eq!(codes, wanted);
    }

    #[test]
    fn a_build_has_a_command_and_a_component_within_the_directory() {
        let codes = |build: &str| {
            let text = format!("name = \"x\"\nversion = \"1.0.0\"\nsummary = \"x\"\n[build]\n{build}\n");
            let problems = Source::parse(&text).err().unwrap_or_default();
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>()
        };
        assert_eq!(codes("command = [\"make\"]\ncomponent = \"dist/plugin.wasm\""), [""; 0]);
        assert_eq!(codes("command = []\ncomponent = \"plugin.wasm\""), ["bad-value"]);
        assert_eq!(codes("command = [\"make\"]"), ["missing-key"]);
        assert_eq!(
            codes("command = [\"make\"]\ncomponent = \"../plugin.wasm\""),
            ["bad-value"]
        );
        assert_eq!(
            codes("command = [\"make\"]\ncomponent = \"/plugin.wasm\""),
            ["bad-value"]
        );
        assert_eq!(
            codes("command = [\"make\"]\ncomponent = \"plugin.wasm\"\nenv = {}"),
            ["unknown-key"]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Source::parse(&text);
        }
    }
}
