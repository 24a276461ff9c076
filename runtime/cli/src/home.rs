//! Reads a home from its directory and has it checked.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use evenkeel_alerting::rules::{self, definition};
use evenkeel_model::check::{self, Sources};
use evenkeel_model::home::Home;
use evenkeel_model::problem::{File, Level, Problem};
use evenkeel_sandbox::{LoadError, Scan};

use crate::render;

/// A larger file is no runbook; it is refused before it is read.
const LARGEST: u64 = 1 << 20;
/// Directories under `runbooks/` are looked into so deep.
const DEEPEST: usize = 8;

/// The files of a home as they were read at one moment.
pub struct Files {
    pub sources: Sources,
    /// Each with its path relative to the home.
    pub rules: Vec<(String, String)>,
    pub plugins: Scan,
}

/// A home without errors.
pub struct Clean {
    pub home: Home,
    pub rules: Vec<definition::Group>,
    /// What is odd and harmless.
    pub warnings: Vec<Problem>,
}

/// A home that does not check clean, or can't be read.
#[derive(Debug)]
pub struct Unclean {
    pub problems: Vec<Problem>,
    pub texts: BTreeMap<String, String>,
}

/// Absolute, and with an `evenkeel.toml`.
pub fn locate(dir: &Path) -> Result<PathBuf> {
    let home = dir
        .canonicalize()
        .with_context(|| format!("there is no directory `{}`", dir.display()))?;
    if !home.join("evenkeel.toml").is_file() {
        bail!(
            "`{}` is no home: it has no `evenkeel.toml`; `evenkeel init` makes one, `--home DIR` names another",
            home.display()
        );
    }
    Ok(home)
}

pub fn data(home: &Path) -> PathBuf {
    home.join("data")
}

impl Files {
    pub fn read(home: &Path) -> Result<Self> {
        let runbooks = texts_of(home, runbook_files(home)?)?;
        let rules = texts_of(home, rule_files(home)?)?;
        let sources = Sources {
            dir: home.to_owned(),
            evenkeel: read_text(&home.join("evenkeel.toml"))?,
            assets: read_text(&home.join("assets.toml"))?,
            runbooks,
            lock: read_text(&home.join("evenkeel.lock"))?,
        };
        Ok(Self {
            sources,
            rules,
            plugins: evenkeel_sandbox::scan(home),
        })
    }

    /// All that is wrong, files in `plugins/` that are none included.
    pub fn check(&self) -> Result<Clean, Unclean> {
        let refused = self.plugins.refused.iter().map(|(file, error)| no_plugin(file, error));
        let mut problems: Vec<_> = refused.collect();
        let mut groups = Vec::new();
        for (path, text) in &self.rules {
            let read = rules::read(File { path, text });
            groups.extend(read.groups);
            problems.extend(read.problems);
        }
        match check::check(&self.sources, &self.plugins.installed) {
            Ok(checked) if problems.iter().all(|problem| problem.level != Level::Error) => {
                problems.extend(checked.warnings);
                return Ok(Clean {
                    home: checked.home,
                    rules: groups,
                    warnings: problems,
                });
            }
            Ok(checked) => problems.extend(checked.warnings),
            Err(found) => problems.extend(found),
        }
        Err(Unclean {
            problems,
            texts: self.texts(),
        })
    }

    /// By the names that problems give.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let all = self.sources.runbooks.iter().chain(&self.rules);
        let mut texts: BTreeMap<_, _> = all.cloned().collect();
        let single = [
            ("evenkeel.toml", &self.sources.evenkeel),
            ("assets.toml", &self.sources.assets),
            ("evenkeel.lock", &self.sources.lock),
        ];
        texts.extend(
            single
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_owned(), text.clone()?))),
        );
        texts
    }
}

impl Unclean {
    /// As a compiler shows it, with a count at the end.
    pub fn render(&self) -> String {
        let count = self.problems.len();
        let plural = if count == 1 { "" } else { "s" };
        let colour = std::io::stderr().is_terminal();
        format!(
            "{}\n\n{count} problem{plural}",
            render::problem::render(&self.problems, &self.texts, colour)
        )
    }
}

impl std::fmt::Display for Unclean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render())
    }
}

impl std::error::Error for Unclean {}

fn no_plugin(file: &str, error: &LoadError) -> Problem {
    let place = File { path: file, text: "" };
    place
        .problem_as_a_whole("no-plugin", format!("`{file}` is no plugin: {error}"))
        .help("build it with `evenkeel plugin build`, or take the file away")
}

/// Names, sizes and times of files.
pub type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Changes when a file of the home does: names, sizes and times of all that `load` reads.
pub fn stamp(home: &Path) -> Result<Stamp> {
    let mut paths = runbook_files(home)?;
    paths.extend(rule_files(home)?);
    paths.extend(["evenkeel.toml", "assets.toml", "evenkeel.lock"].map(|name| home.join(name)));
    paths.extend(files_in(&home.join("plugins"), "wasm", 0)?);
    Ok(stamp_of(paths))
}

/// Of those that are there.
pub fn stamp_of(paths: Vec<PathBuf>) -> Stamp {
    let stamped = paths.into_iter().filter_map(|path| {
        let meta = fs::metadata(&path).ok()?;
        Some((path, meta.len(), meta.modified().ok()))
    });
    stamped.collect()
}

/// Each with its name in the home.
fn texts_of(home: &Path, paths: Vec<PathBuf>) -> Result<Vec<(String, String)>> {
    let read = |path: PathBuf| {
        let name = path.strip_prefix(home).expect("it was found under the home");
        Ok((name.display().to_string(), read_text(&path)?.unwrap_or_default()))
    };
    paths.into_iter().map(read).collect()
}

fn runbook_files(home: &Path) -> Result<Vec<PathBuf>> {
    files_in(&home.join("runbooks"), "toml", DEEPEST)
}

/// Rules of both kinds. What is named `…_test.yml` or `…_test.yaml` is a unit test of rules, as `evenkeel rules test` takes it.
pub fn rule_files(home: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for ending in ["toml", "yaml", "yml"] {
        found.extend(files_in(&home.join("rules"), ending, DEEPEST)?);
    }
    let name = |path: &Path| path.to_string_lossy().into_owned();
    found.retain(|path| !["_test.yml", "_test.yaml"].iter().any(|end| name(path).ends_with(end)));
    found.sort();
    Ok(found)
}

/// Files with this ending, in name order; a directory that is not there has none.
fn files_in(dir: &Path, ending: &str, depth: usize) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("can't read `{}`", dir.display())),
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() && depth > 0 {
            found.extend(files_in(&path, ending, depth - 1)?);
        } else if path.is_file() && path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    Ok(found)
}

/// None: there is no such file.
pub fn read_text(path: &Path) -> Result<Option<String>> {
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("can't read `{}`", path.display()))?,
    };
    if meta.len() > LARGEST {
        bail!("`{}` is larger than 1 MiB; that is no text of a home", path.display());
    }
    let bytes = fs::read(path).with_context(|| format!("can't read `{}`", path.display()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => bail!(
            "`{}` is not UTF-8 at byte {}",
            path.display(),
            error.utf8_error().valid_up_to()
        ),
    }
}
