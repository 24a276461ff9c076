//! `evenkeel.lock`: exactly which file each `uses` means.

use std::fmt::Write as _;

use semver::Version;

use crate::authored::{self, Reader};
use crate::check::{Sources, plugins};
use crate::plugin::{Digest, Installed, Uses};
use crate::problem::{File, Problem};

/// Where it is, relative to the home.
pub const FILE: &str = "evenkeel.lock";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By name, then version; each once.
    pub plugins: Vec<Locked>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locked {
    pub name: String,
    pub version: Version,
    pub digest: Digest,
}

impl Lock {
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let reader = Reader::new(File { path: FILE, text });
        let plugins = authored::lock::read(&reader);
        match (plugins, reader.into_problems()) {
            (Some(plugins), problems) if problems.is_empty() => {
                Ok(Self::of(plugins.into_iter().map(|plugin| Locked {
                    name: plugin.name.into_inner(),
                    version: plugin.version,
                    digest: plugin.digest,
                })))
            }
            (_, problems) => Err(problems),
        }
    }

    pub(crate) fn of(plugins: impl Iterator<Item = Locked>) -> Self {
        let mut plugins = plugins.collect::<Vec<_>>();
        plugins.sort();
        plugins.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
        Self { plugins }
    }

    /// The highest version that it pins and that satisfies the requirement.
    pub fn find(&self, uses: &Uses) -> Option<&Locked> {
        let satisfying = |locked: &&Locked| locked.name == uses.name && uses.requirement.matches(&locked.version);
        self.plugins
            .iter()
            .filter(satisfying)
            .max_by(|a, b| a.version.cmp(&b.version))
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = String::from("# written by `evenkeel lock`; do not edit\nversion = 1\n");
        for Locked { name, version, digest } in &self.plugins {
            let written = write!(
                text,
                "\n[[plugin]]\nname = \"{name}\"\nversion = \"{version}\"\nsha256 = \"{digest}\"\n"
            );
            written.expect("a string takes everything");
        }
        text
    }
}

/// One entry for each version that any runbook uses: the one that the lock pins already, as long as
/// it satisfies and is installed, or else the highest that is installed. A lock that can't be read
/// pins nothing. The problems are those that keep a `uses` from meaning anything.
pub fn resolve(sources: &Sources, installed: &[Installed]) -> Result<Lock, Vec<Problem>> {
    let existing = sources
        .lock
        .as_deref()
        .and_then(|text| Lock::parse(text).ok())
        .unwrap_or_default();
    let mut locked = Vec::new();
    let mut problems = Vec::new();
    let settings = sources.evenkeel.iter().map(|text| ("evenkeel.toml", text));
    let runbooks = sources.runbooks.iter().map(|(path, text)| (path.as_str(), text));
    for (at, (path, text)) in settings.chain(runbooks).enumerate() {
        let reader = Reader::new(File { path, text });
        let steps = match at == 0 && sources.evenkeel.is_some() {
            true => authored::notify::steps(&reader),
            false => {
                authored::runbook::read(&reader).map_or_else(Vec::new, authored::runbook::AuthoredRunbook::into_steps)
            }
        };
        for step in &steps {
            let Some(uses) = &step.uses else { continue };
            match choose(uses.get_ref(), installed, &existing) {
                Ok(plugin) => locked.push(Locked {
                    name: plugin.manifest.name.clone(),
                    version: plugin.manifest.version.clone(),
                    digest: plugin.digest.clone(),
                }),
                Err(miss) => problems.push(miss.problem(reader.file, &step.title(), uses, installed)),
            }
        }
        let decisive = |problem: &Problem| matches!(problem.code, "syntax" | "bad-uses");
        problems.extend(reader.into_problems().into_iter().filter(decisive));
    }
    if problems.is_empty() {
        Ok(Lock::of(locked.into_iter()))
    } else {
        Err(problems)
    }
}

fn choose<'i>(uses: &Uses, installed: &'i [Installed], existing: &Lock) -> Result<&'i Installed, plugins::Miss> {
    let pinned = existing
        .find(uses)
        .and_then(|locked| plugins::exactly(locked, installed));
    pinned.map_or_else(|| plugins::highest(uses, installed), Ok)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::plugin::Manifest;

    fn installed(name: &str, version: &str) -> Installed {
        let manifest = json!({ "name": name, "version": version, "summary": "", "kinds": { "check": {} } });
        Installed {
            manifest: Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap(),
            digest: Digest(format!("{name}-{version}")),
            file: format!("plugins/{name}-{version}.wasm"),
        }
    }

    fn sources(uses: &[&str], lock: Option<&str>) -> Sources {
        let steps = uses
            .iter()
            .map(|uses| format!("[[step]]\nid = \"a\"\nuses = \"{uses}\"\n"));
        Sources {
            runbooks: vec![("runbooks/a.toml".into(), steps.collect())],
            lock: lock.map(str::to_owned),
            ..Sources::default()
        }
    }

    fn versions(lock: &Lock) -> Vec<String> {
        let plugins = lock.plugins.iter();
        plugins
            .map(|locked| format!("{}@{}", locked.name, locked.version))
            .collect()
    }

    #[test]
    fn the_highest_that_satisfies_is_locked_once() {
        let all = [
            installed("a", "1.0.0"),
            installed("a", "1.2.0"),
            installed("a", "2.0.0"),
        ];
        let lock = resolve(&sources(&["a@1", "a@1.0", "a@2"], None), &all).unwrap();
        assert_eq!(versions(&lock), ["a@1.2.0", "a@2.0.0"]);
    }

    #[test]
    fn what_is_locked_and_satisfies_stays() {
        let all = [installed("a", "1.0.0"), installed("a", "1.2.0")];
        let old = resolve(&sources(&["a@1"], None), &all[..1]).unwrap().render();
        let lock = resolve(&sources(&["a@1"], Some(&old)), &all).unwrap();
        assert_eq!(versions(&lock), ["a@1.0.0"]);
        let moved = resolve(&sources(&["a@1.1"], Some(&old)), &all).unwrap();
        assert_eq!(versions(&moved), ["a@1.2.0"]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let all = [installed("a", "1.0.0"), installed("b", "1.2.0")];
        let lock = resolve(&sources(&["a@1", "b@*"], Some("broken = ")), &all).unwrap();
        assert_eq!(Lock::parse(&lock.render()).unwrap(), lock);
    }

    #[test]
    fn what_means_nothing_is_a_problem() {
        let problems = resolve(&sources(&["b@1", "a@9", "a"], None), &[installed("a", "1.0.0")]).unwrap_err();
        let codes = problems.iter().map(|problem| problem.code).collect::<Vec<_>>();
        assert_eq!(codes, ["unknown-plugin", "no-version", "bad-uses"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Lock::parse(&text);
        }
    }
}
