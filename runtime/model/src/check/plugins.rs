//! Which installed file a `uses` means.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lock_file;
use crate::authored::notify::NOTIFIER;
use crate::authored::step::Step;
use crate::authored::{At, Reader};
use crate::home::lock::{Lock, Locked};
use crate::params::{Schema, Schemas};
use crate::plugin::{Installed, Kind, Pinned, Uses};
use crate::problem::{File, Problem, quoted};

/// Why a `uses` means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    NoPlugin,
    NoVersion,
}

/// The highest version that is installed and satisfies.
pub(crate) fn highest<'i>(uses: &Uses, installed: &'i [Installed]) -> Result<&'i Installed, Miss> {
    let mut of_name = installed
        .iter()
        .filter(|plugin| plugin.manifest.name == uses.name)
        .peekable();
    if of_name.peek().is_none() {
        return Err(Miss::NoPlugin);
    }
    of_name
        .filter(|plugin| uses.requirement.matches(&plugin.manifest.version))
        .max_by(|a, b| a.manifest.version.cmp(&b.manifest.version))
        .ok_or(Miss::NoVersion)
}

/// The installed plugin of that name and version, whatever its file holds.
pub(crate) fn exactly<'i>(locked: &Locked, installed: &'i [Installed]) -> Option<&'i Installed> {
    let same = |plugin: &&Installed| plugin.manifest.name == locked.name && plugin.manifest.version == locked.version;
    installed.iter().find(same)
}

impl Miss {
    pub fn problem(self, file: File<'_>, step: &str, uses: &At<Uses>, installed: &[Installed]) -> Problem {
        let (name, span) = (&uses.get_ref().name, uses.span());
        match self {
            Self::NoPlugin => {
                let problem = file.problem("unknown-plugin", span, format!("{step} uses `{name}`"));
                let names = installed.iter().map(|plugin| plugin.manifest.name.as_str());
                let problem = problem.label("it is not installed").suggest(name, names);
                problem.help("`evenkeel plugin list` shows what is installed")
            }
            Self::NoVersion => {
                let requirement = &uses.get_ref().requirement;
                let of_name = installed.iter().filter(|plugin| plugin.manifest.name == *name);
                let mut versions = of_name.map(|plugin| &plugin.manifest.version).collect::<Vec<_>>();
                versions.sort();
                let versions = quoted(versions);
                let message = format!("no installed version of `{name}` satisfies `{requirement}`");
                let problem = file
                    .problem("no-version", span, message)
                    .label(format!("installed: {versions}"));
                problem.help("install another version, or ask for one that is there")
            }
        }
    }
}

/// A plugin that a step runs.
#[derive(Clone, Copy)]
pub(crate) struct Found<'i> {
    pub installed: &'i Installed,
    pub kind: Kind,
}

impl Found<'_> {
    pub fn pinned(self) -> Pinned {
        let Installed { manifest, digest, .. } = self.installed;
        Pinned {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: digest.clone(),
            kind: self.kind,
        }
    }
}

pub(crate) struct Plugins<'i> {
    installed: &'i [Installed],
    /// None: there is none, or it can't be read; either is said once.
    lock: Option<Lock>,
    /// Names and versions of the lock that something uses.
    used: RefCell<BTreeSet<(String, String)>>,
    /// Something that the lock could pin is used.
    any_uses: Cell<bool>,
    pub schemas: Schemas,
}

impl<'i> Plugins<'i> {
    pub fn new(
        installed: &'i [Installed],
        lock: Option<Result<Lock, Vec<Problem>>>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        refuse_twins(installed, problems);
        let lock = match lock {
            Some(Ok(lock)) => Some(lock),
            Some(Err(faults)) => {
                problems.extend(faults);
                None
            }
            None => None,
        };
        Self {
            installed,
            lock,
            used: RefCell::default(),
            any_uses: Cell::new(false),
            schemas: Schemas::default(),
        }
    }

    /// None: something was said, or is said at the end.
    pub fn find(&self, reader: &Reader<'_>, step: &Step) -> Option<Found<'i>> {
        let uses = step.uses.as_ref()?;
        let highest = match highest(uses.get_ref(), self.installed) {
            Ok(highest) => highest,
            Err(miss) => {
                reader.say(miss.problem(reader.file, &step.title(), uses, self.installed));
                return None;
            }
        };
        self.any_uses.set(true);
        let installed = match &self.lock {
            Some(lock) => self.locked(reader, lock, uses).unwrap_or(highest),
            None => highest,
        };
        let kind = kind(reader, step.what, uses, installed)?;
        Some(Found { installed, kind })
    }

    /// The file that the lock pins, if it is there.
    fn locked(&self, reader: &Reader<'_>, lock: &Lock, uses: &At<Uses>) -> Option<&'i Installed> {
        let name = &uses.get_ref().name;
        let say = |code, message: String, help: &str| {
            reader.say(reader.file.problem(code, uses.span(), message).help(help));
        };
        let Some(locked) = lock.find(uses.get_ref()) else {
            let message = format!(
                "`evenkeel.lock` pins no `{name}` that satisfies `{}`",
                uses.get_ref().requirement
            );
            say("not-locked", message, "run `evenkeel lock`");
            return None;
        };
        let version = &locked.version;
        self.used.borrow_mut().insert((name.clone(), version.to_string()));
        let Some(installed) = exactly(locked, self.installed) else {
            let message = format!("`evenkeel.lock` pins `{name}` {version}, which is not installed");
            say("lock-mismatch", message, "install it again, or run `evenkeel lock`");
            return None;
        };
        if installed.digest != locked.digest {
            let message = format!("`{}` is not the file that `evenkeel.lock` pins", installed.file);
            say(
                "lock-mismatch",
                message,
                "if the new file is the right one, run `evenkeel lock`",
            );
        }
        Some(installed)
    }

    /// The schema of its parameters; none: it has none that can be used.
    pub fn schema(&self, found: Found<'_>) -> Option<Arc<Schema>> {
        self.schemas.of(found.installed, found.kind).ok()
    }

    /// What can be said of the lock once all runbooks were looked at.
    pub fn finish(&self, text: Option<&str>, problems: &mut Vec<Problem>) {
        let file = lock_file(text.unwrap_or_default());
        if text.is_none() && self.any_uses.get() {
            let problem = file.problem_as_a_whole("not-locked", "there is no `evenkeel.lock` that pins the plugins");
            problems.push(problem.help("run `evenkeel lock`"));
        }
        let used = self.used.borrow();
        for locked in self.lock.iter().flat_map(|lock| &lock.plugins) {
            if !used.contains(&(locked.name.clone(), locked.version.to_string())) {
                let message = format!("nothing uses `{}` {}", locked.name, locked.version);
                let problem = file.problem_as_a_whole("unused-lock", message).warning();
                problems.push(problem.help("`evenkeel lock` drops it"));
            }
        }
    }
}

/// Two files of one name and version: nobody could say which one runs.
fn refuse_twins(installed: &[Installed], problems: &mut Vec<Problem>) {
    let mut first = BTreeMap::new();
    for plugin in installed {
        let key = (&plugin.manifest.name, &plugin.manifest.version);
        if let Some(other) = first.insert(key, plugin) {
            let file = File {
                path: &plugin.file,
                text: "",
            };
            let message = format!("`{}` {} is also `{}`", key.0, key.1, other.file);
            problems.push(
                file.problem_as_a_whole("duplicate-plugin", message)
                    .help("remove one of the two files"),
            );
        }
    }
}

/// A plugin of a kind that doesn't belong there.
fn misplaced(reader: &Reader<'_>, what: &str, uses: &At<Uses>, kind: Kind) -> Problem {
    let name = &uses.get_ref().name;
    let problem = reader.file.problem(
        "wrong-kind",
        uses.span(),
        format!("`{name}` is a {kind}, which no {what} runs"),
    );
    match what {
        NOTIFIER => problem
            .label("a notifier is needed")
            .help("checks and remedies are for the steps of runbooks"),
        _ => problem
            .label("a step runs a check or a remedy")
            .help("a notifier is told of what happens by `[notifier.NAME]` and `[[route]]` in evenkeel.toml"),
    }
}

/// The kind that `uses` names, or the only one. A step runs a check or a remedy, and a notifier a
/// notifier.
fn kind(reader: &Reader<'_>, what: &str, uses: &At<Uses>, installed: &Installed) -> Option<Kind> {
    let name = &uses.get_ref().name;
    let kinds = installed.manifest.kinds.keys().copied().collect::<Vec<_>>();
    let (code, message, label) = match (uses.get_ref().kind, kinds.as_slice()) {
        (Some(kind), kinds) if !kinds.contains(&kind) => {
            let has = quoted(kinds);
            ("unknown-kind", format!("`{name}` is no {kind}"), format!("it is {has}"))
        }
        (Some(kind), _) | (None, &[kind]) => {
            let notifies = what == NOTIFIER;
            if (notifies && kind == Kind::Notifier) || (!notifies && matches!(kind, Kind::Check | Kind::Remedy)) {
                return Some(kind);
            }
            if notifies || kind == Kind::Notifier {
                reader.say(misplaced(reader, what, uses, kind));
                return None;
            }
            let label = "a step runs a check or a remedy".to_owned();
            ("not-yet", format!("a {kind} arrives with a later version"), label)
        }
        (None, kinds) => {
            let raw = reader.file.text.get(uses.span()).unwrap_or_default();
            let requirement = raw
                .trim_matches(['"', '\''])
                .split_once('@')
                .map_or("", |(_, requirement)| requirement);
            let ways = kinds
                .iter()
                .map(|kind| format!("`{name}/{kind}@{requirement}`"))
                .collect::<Vec<_>>();
            let label = format!("write {}", ways.join(" or "));
            ("ambiguous-kind", format!("`{name}` is several kinds"), label)
        }
    };
    reader.say(reader.file.problem(code, uses.span(), message).label(label));
    None
}
