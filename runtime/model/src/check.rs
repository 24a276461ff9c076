//! From the texts of a home to a home that can be served, or to everything that is wrong with it.

mod assets;
mod grants;
mod healed;
mod needs;
mod notify;
mod parameters;
pub(crate) mod plugins;
mod roles;
mod runbook;
mod runs;
mod scrapes;
mod templates;
mod windows;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::authored::notify::AuthoredRouting;
use crate::authored::runbook::AuthoredRunbook;
use crate::authored::{self, At, Reader};
use crate::home::lock::{self, Lock, Locked};
use crate::home::{Approvers, Home, Settings};
use crate::name::RunbookName;
use crate::notify::Routing;
use crate::plugin::{Installed, Pinned};
use crate::problem::{File, Level, Problem};
use crate::runbook::Runbook;

use self::assets::Assets;
use self::plugins::Plugins;
use self::roles::Roles;

/// The texts of a home.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Absolute.
    pub dir: PathBuf,
    /// `evenkeel.toml`, without which there is no home.
    pub evenkeel: Option<String>,
    /// `assets.toml`; none: the asset `local` alone.
    pub assets: Option<String>,
    /// Each with its path relative to the home.
    pub runbooks: Vec<(String, String)>,
    /// `evenkeel.lock`; needed once a runbook uses a plugin.
    pub lock: Option<String>,
}

/// A home without errors.
#[derive(Clone, Debug)]
pub struct Checked {
    pub home: Home,
    /// What is odd and harmless.
    pub warnings: Vec<Problem>,
}

/// Everything that is wrong, in the order of files and places, or the home. With errors, the
/// warnings are among them.
pub fn check(sources: &Sources, installed: &[Installed]) -> Result<Checked, Vec<Problem>> {
    check_with(sources, installed, &BTreeMap::new())
}

/// `others`: runbooks that the home has besides.
fn check_with(
    sources: &Sources,
    installed: &[Installed],
    others: &BTreeMap<RunbookName, Arc<Runbook>>,
) -> Result<Checked, Vec<Problem>> {
    let mut problems = Vec::new();
    let scope = Scope::read(sources, installed, &mut problems);
    let mut runbooks = Vec::new();
    for (path, text) in &sources.runbooks {
        let reader = Reader::new(File { path, text });
        let runbook = authored::runbook::read(&reader);
        let checked = runbook
            .as_ref()
            .and_then(|runbook| runbook::check(&reader, runbook, &scope));
        problems.extend(reader.into_problems());
        runbooks.push((File { path, text }, runbook, checked));
    }
    refuse_namesakes(&runbooks, &mut problems);
    runs::check(&runbooks, others, &scope, &mut problems);
    let routing = scope.routing(&runbooks, &mut problems);
    scope.plugins.finish(sources.lock.as_deref(), &mut problems);

    problems.sort_by(|a, b| (&a.file, place(a), a.code).cmp(&(&b.file, place(b), b.code)));
    if problems.iter().any(|problem| problem.level == Level::Error) {
        return Err(problems);
    }
    let file = scope.roles.file;
    let runbooks = runbooks.into_iter().filter_map(|(_, _, checked)| checked);
    let (home, authored) = scope.home(sources, runbooks, routing, installed);
    let meaningless = notify::refuse_meaningless(&home, &authored, file);
    if !meaningless.is_empty() {
        problems.extend(meaningless);
        return Err(problems);
    }
    Ok(Checked {
        home,
        warnings: problems,
    })
}

/// A runbook that may not be the home's any more, against the rest of the home. The plugins of
/// `pins` are meant, and not those that are locked by now. The error is the first that is wrong.
pub fn again(home: &Home, file: &str, text: &str, pins: &[Pinned]) -> Result<Runbook, Box<Problem>> {
    let sources = Sources {
        runbooks: vec![(file.to_owned(), text.to_owned())],
        lock: lock_with(home, pins),
        ..Sources::clone(&home.sources)
    };
    let pinned = home.archived.iter().filter(|plugin| is_pinned(plugin, pins));
    let others = home.plugins.iter().filter(|plugin| {
        let replaced = |pin: &Pinned| pin.version == plugin.manifest.version && pin.digest != plugin.digest;
        let mut pins = pins.iter().filter(|pin| pin.name == plugin.manifest.name);
        !pins.any(replaced)
    });
    let installed: Vec<Installed> = pinned.chain(others).cloned().collect();
    let none = || Box::new(File { path: file, text }.problem_as_a_whole("no-runbook", "it is no runbook"));
    match check_with(&sources, &installed, &home.runbooks) {
        Ok(checked) => {
            let mut runbooks = checked.home.runbooks.into_values();
            runbooks.next().map(Arc::unwrap_or_clone).ok_or_else(none)
        }
        Err(problems) => {
            let mut errors = problems.into_iter().filter(|problem| problem.level == Level::Error);
            Err(errors.next().map_or_else(none, Box::new))
        }
    }
}

fn is_pinned(plugin: &Installed, pins: &[Pinned]) -> bool {
    let mut pins = pins.iter().filter(|pin| pin.name == plugin.manifest.name);
    pins.any(|pin| pin.digest == plugin.digest)
}

/// The home's lock, in which what is pinned takes the place of other versions that may mean the same.
fn lock_with(home: &Home, pins: &[Pinned]) -> Option<String> {
    let text = home.sources.lock.as_deref();
    if pins.is_empty() {
        return text.map(str::to_owned);
    }
    let locked = text.and_then(|text| Lock::parse(text).ok()).unwrap_or_default();
    let others = locked.plugins.into_iter();
    let others = others.filter(|locked| {
        let same = |pin: &Pinned| pin.name == locked.name && pin.version.major == locked.version.major;
        !pins.iter().any(same)
    });
    let pinned = pins.iter().map(|pin| Locked {
        name: pin.name.clone(),
        version: pin.version.clone(),
        digest: pin.digest.clone(),
    });
    Some(Lock::of(others.chain(pinned)).render())
}

fn place(problem: &Problem) -> usize {
    problem.span.as_ref().map_or(0, |span| span.start)
}

/// What runbooks are checked against.
pub(crate) struct Scope<'s> {
    settings: Option<Settings>,
    routing: AuthoredRouting,
    pub roles: Roles<'s>,
    pub assets: Assets,
    pub plugins: Plugins<'s>,
}

impl<'s> Scope<'s> {
    fn read(sources: &'s Sources, installed: &'s [Installed], problems: &mut Vec<Problem>) -> Self {
        let settings_file = File {
            path: "evenkeel.toml",
            text: sources.evenkeel.as_deref().unwrap_or_default(),
        };
        if sources.evenkeel.is_none() {
            let problem =
                settings_file.problem_as_a_whole("missing-file", "there is no `evenkeel.toml`: this is no home");
            problems.push(problem.help("`evenkeel init` makes one"));
        }
        let assets_file = File {
            path: "assets.toml",
            text: sources.assets.as_deref().unwrap_or_default(),
        };
        let settings_reader = Reader::new(settings_file);
        let assets_reader = Reader::new(assets_file);
        let settings = authored::settings::read(&settings_reader);
        let authored_assets = authored::assets::read(&assets_reader);

        let (mut settings, roles, routing, customers, authored_windows, authored_scrapes) = match settings {
            Some(read) => (
                Some(read.settings),
                Some(read.roles),
                read.routing,
                read.customers,
                read.windows,
                read.scrapes,
            ),
            None => Default::default(),
        };
        let known_roles = sources.evenkeel.is_some().then_some(roles).flatten();
        let roles = Roles::new(settings_file, known_roles);
        let assets = assets::check(&assets_reader, authored_assets, &roles);
        assets.check_customers(&settings_reader, &customers);
        roles.check(&settings_reader, &assets);
        let windows = windows::check(&settings_reader, authored_windows, &assets);
        let scrapes = scrapes::check(&settings_reader, authored_scrapes, &assets);
        if let Some(settings) = &mut settings {
            settings.windows = windows;
            settings.scrapes = scrapes;
        }
        problems.extend(settings_reader.into_problems());
        problems.extend(assets_reader.into_problems());
        let plugins = Plugins::new(installed, sources.lock.as_deref().map(Lock::parse), problems);
        Self {
            settings,
            routing,
            roles,
            assets,
            plugins,
        }
    }

    /// None: `evenkeel.toml` can't be read.
    pub fn approvers(&self) -> Option<&BTreeMap<String, Approvers>> {
        self.settings.as_ref().map(|settings| &settings.approvers)
    }

    fn routing(&self, runbooks: &[Read<'_>], problems: &mut Vec<Problem>) -> Routing {
        let reader = Reader::new(self.roles.file);
        let names = runbooks
            .iter()
            .filter_map(|(_, runbook, _)| runbook.as_ref()?.name.as_ref());
        let names = names.map(|name| name.get_ref().as_str()).collect();
        let routing = notify::check(&reader, &self.routing, &names, self);
        problems.extend(reader.into_problems());
        routing
    }

    fn home(
        self,
        sources: &Sources,
        runbooks: impl Iterator<Item = Runbook>,
        routing: Routing,
        installed: &[Installed],
    ) -> (Home, AuthoredRouting) {
        let home = Home {
            dir: sources.dir.clone(),
            sources: Arc::new(Sources {
                runbooks: Vec::new(),
                ..sources.clone()
            }),
            settings: self.settings.expect("without `evenkeel.toml` there was a problem"),
            roles: self.roles.checked(),
            customers: self.assets.customers,
            assets: self.assets.assets,
            runbooks: runbooks
                .map(|runbook| (runbook.name.clone(), Arc::new(runbook)))
                .collect(),
            plugins: installed.to_vec(),
            archived: Vec::new(),
            routing,
            schemas: self.plugins.schemas,
        };
        (home, self.routing)
    }
}

type Read<'s> = (File<'s>, Option<AuthoredRunbook>, Option<Runbook>);

fn refuse_namesakes(runbooks: &[Read<'_>], problems: &mut Vec<Problem>) {
    let mut first = BTreeMap::<RunbookName, (File<'_>, usize)>::new();
    let mut named = runbooks
        .iter()
        .filter_map(|(file, runbook, _)| Some((*file, runbook.as_ref()?.name.as_ref()?)))
        .collect::<Vec<_>>();
    named.sort_by_key(|(file, _)| file.path);
    for (file, name) in named {
        let known = RunbookName::from(name.get_ref().as_str());
        if let Some((other, start)) = first.get(&known) {
            problems.push(duplicate(file, name, "runbooks", *other, *start));
        } else {
            first.insert(known, (file, name.span().start));
        }
    }
}

/// Two things of one name; the place is the second's.
fn duplicate(file: File<'_>, name: &At<String>, what: &str, other: File<'_>, start: usize) -> Problem {
    let (line, column) = other.place(start);
    let problem = file.problem(
        "duplicate-name",
        name.span(),
        format!("`{}` names two {what}", name.get_ref()),
    );
    problem.label(format!("the first is at {}:{line}:{column}", other.path))
}

/// The first of each name is kept, the others are said.
fn refuse_duplicates<'n>(reader: &Reader<'_>, what: &str, names: impl Iterator<Item = &'n At<String>>) {
    let mut first = BTreeMap::<&str, usize>::new();
    for name in names {
        if let Some(start) = first.get(name.get_ref().as_str()) {
            reader.say(duplicate(reader.file, name, what, reader.file, *start));
        } else {
            first.insert(name.get_ref(), name.span().start);
        }
    }
}

/// Where `evenkeel.lock` is spoken of as a whole.
fn lock_file(text: &str) -> File<'_> {
    File { path: lock::FILE, text }
}
