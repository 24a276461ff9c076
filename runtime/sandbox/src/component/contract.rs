//! The contract by its names: which interfaces there are, and in which version.

use std::collections::BTreeSet;

use evenkeel_model::plugin::Kind;
use wasmparser::{Parser, Payload};

use super::section::damaged;
use super::{LoadError, MAX_IMPORTS, MAX_SECTIONS};

/// The version of `evenkeel:plugin` and `evenkeel:cap` that is served; patches are compatible.
pub const CONTRACT: &str = "0.1";

/// For messages.
pub const KINDS: &str = "`check`, `remedy`, `monitor`, `notifier`";

/// What a component may import: package, interfaces, and the version they are served in.
const PROVIDED: [(&str, &[&str], &str); 8] = [
    ("evenkeel:plugin", &["types", "run", "log"], CONTRACT),
    (
        "evenkeel:cap",
        &["exec", "files", "http", "metrics", "process", "secrets", "sql", "state"],
        CONTRACT,
    ),
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
        "0.2",
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"], "0.2"),
    ("wasi:filesystem", &["preopens", "types"], "0.2"),
    ("wasi:io", &["error", "poll", "streams"], "0.2"),
    ("wasi:random", &["insecure", "insecure-seed", "random"], "0.2"),
    (
        "wasi:sockets",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
        "0.2",
    ),
];

/// What the outermost component imports and exports.
pub struct Names {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// Goes through all of it, nested modules and function bodies included, without validating.
pub fn names(bytes: &[u8]) -> Result<Names, LoadError> {
    let mut names = Names {
        imports: Vec::new(),
        exports: Vec::new(),
    };
    let (mut depth, mut sections) = (0_u32, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(damaged)?;
        sections += usize::from(payload.as_section().is_some());
        if sections > MAX_SECTIONS {
            return Err(LoadError::TooManySections);
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    if names.imports.len() == MAX_IMPORTS {
                        return Err(LoadError::TooManyImports);
                    }
                    names.imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Whether the host has this import, by its name alone.
pub fn provided(import: &str) -> Result<(), LoadError> {
    let name = Name::of(import);
    let unknown = || LoadError::UnknownImport(import.to_owned());
    let (_, interfaces, served) = PROVIDED
        .iter()
        .find(|(package, ..)| *package == name.package)
        .ok_or_else(unknown)?;
    name.served(served)?;
    if interfaces.contains(&name.interface) {
        Ok(())
    } else {
        Err(unknown())
    }
}

/// The kinds among the exports.
pub fn kinds(exports: &[String]) -> Result<BTreeSet<Kind>, LoadError> {
    let mut kinds = BTreeSet::new();
    for name in exports
        .iter()
        .map(|export| Name::of(export))
        .filter(|name| name.package == "evenkeel:plugin")
    {
        name.served(CONTRACT)?;
        kinds.extend(Kind::ALL.into_iter().find(|kind| kind.as_str() == name.interface));
    }
    if kinds.is_empty() {
        Err(LoadError::NoKind)
    } else {
        Ok(kinds)
    }
}

/// `package/interface@version`.
struct Name<'n> {
    whole: &'n str,
    package: &'n str,
    interface: &'n str,
    version: &'n str,
}

impl<'n> Name<'n> {
    fn of(whole: &'n str) -> Self {
        let (path, version) = whole.split_once('@').unwrap_or((whole, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        Self {
            whole,
            package,
            interface,
            version,
        }
    }

    /// `served` is `major.minor`; any patch of it is served.
    fn served(&self, served: &str) -> Result<(), LoadError> {
        let patch = self
            .version
            .strip_prefix(served)
            .and_then(|rest| rest.strip_prefix('.'));
        if patch.is_some_and(|patch| patch.bytes().all(|digit| digit.is_ascii_digit())) {
            return Ok(());
        }
        if self.package.starts_with("evenkeel:") {
            return Err(LoadError::OtherContract {
                name: self.whole.into(),
                version: self.version.into(),
            });
        }
        Err(LoadError::UnknownImport(self.whole.into()))
    }
}
