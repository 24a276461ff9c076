//! The fixtures under `tests/check` say what they are expected to say.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails and says why")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use evenkeel_model::action::hex;
use evenkeel_model::check::{Sources, check};
use evenkeel_model::home::lock::{Lock, Locked};
use evenkeel_model::plugin::{Digest, Installed, Manifest};
use evenkeel_model::problem::Problem;
use sha2::Digest as _;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/check")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Sorted, so that failures come in the same order everywhere.
fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn with_extension(dir: &str, extension: &str) -> Vec<PathBuf> {
    let mut paths = list(&fixtures().join(dir));
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    assert!(!paths.is_empty(), "no fixtures in {dir}");
    paths
}

fn installed() -> Vec<Installed> {
    let manifests = with_extension("base/manifests", "json");
    let installed = manifests.iter().map(|path| {
        let json = fs::read(path).unwrap();
        Installed {
            manifest: Manifest::parse(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            digest: Digest(hex(&sha2::Sha256::digest(&json))),
            file: format!("plugins/{}.wasm", name(path)),
        }
    });
    installed.collect()
}

/// The base home, with everything locked that is installed.
fn base(installed: &[Installed]) -> Sources {
    let locked = installed.iter().map(|plugin| Locked {
        name: plugin.manifest.name.clone(),
        version: plugin.manifest.version.clone(),
        digest: plugin.digest.clone(),
    });
    let lock = Lock {
        plugins: locked.collect(),
    };
    Sources {
        dir: "/home/of/tests".into(),
        evenkeel: Some(read(&fixtures().join("base/evenkeel.toml"))),
        assets: Some(read(&fixtures().join("base/assets.toml"))),
        runbooks: Vec::new(),
        lock: Some(lock.render()),
    }
}

/// What is said, but for locked plugins that the one runbook doesn't use.
fn said(sources: &Sources, installed: &[Installed]) -> Vec<Problem> {
    let mut problems = match check(sources, installed) {
        Ok(checked) => checked.warnings,
        Err(problems) => problems,
    };
    problems.retain(|problem| problem.code != "unused-lock");
    problems
}

fn text_of<'s>(sources: &'s Sources, file: &str) -> &'s str {
    let runbook = sources.runbooks.iter().find(|(path, _)| path == file);
    match file {
        "evenkeel.toml" => sources.evenkeel.as_deref(),
        "assets.toml" => sources.assets.as_deref(),
        "evenkeel.lock" => sources.lock.as_deref(),
        _ => runbook.map(|(_, text)| text.as_str()),
    }
    .unwrap_or_default()
}

fn rendered(sources: &Sources, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        writeln!(text, "{problem}").unwrap();
        if let Some(span) = &problem.span {
            let token = &text_of(sources, &problem.file)[span.clone()];
            writeln!(text, "  at: {}", token.escape_debug()).unwrap();
        }
        for (what, said) in [("label", &problem.label), ("help", &problem.help)] {
            if let Some(said) = said {
                writeln!(text, "  {what}: {said}").unwrap();
            }
        }
    }
    text
}

/// Compares, or writes if asked to. Returns the name of what differs.
#[expect(
    clippy::disallowed_methods,
    reason = "the one who runs the tests may ask for new expectations"
)]
fn differs(expectation: &Path, found: &str) -> Option<String> {
    if std::env::var("UPDATE_EXPECT").is_ok() {
        fs::write(expectation, found).unwrap();
    }
    let wanted = fs::read_to_string(expectation).unwrap_or_default();
    if wanted == found {
        return None;
    }
    eprintln!("--- {}\n{wanted}+++ found\n{found}", expectation.display());
    Some(name(expectation))
}

#[test]
fn valid_runbooks_check_without_a_word() {
    let installed = installed();
    for path in with_extension("valid", "toml") {
        let mut sources = base(&installed);
        sources.runbooks = vec![(format!("runbooks/{}.toml", name(&path)), read(&path))];
        let problems = said(&sources, &installed);
        assert!(problems.is_empty(), "{}", rendered(&sources, &problems));
        let home = check(&sources, &installed).unwrap().home;
        assert_eq!(home.runbooks.len(), 1);
        assert!(home.customers.contains_key(&"local".into()) && home.assets.contains_key(&"local".into()));
    }
}

#[test]
fn a_checked_home_holds_what_was_written() {
    let installed = installed();
    let mut sources = base(&installed);
    let runbook = read(&fixtures().join("valid/free-disk-space.toml"));
    sources.runbooks = vec![("runbooks/disk.toml".into(), runbook.clone())];
    let home = check(&sources, &installed).unwrap().home;
    let asset = &home.assets[&"steel-app-1".into()];
    assert_eq!(asset.labels["tier"], "vip", "inherited from the customer");
    assert_eq!(asset.selectable()["role"], "redmine");
    let checked = &home.runbooks[&"free-disk-space".into()];
    assert_eq!(checked.text, runbook);
    assert_eq!(checked.hash, hex(&sha2::Sha256::digest(&runbook)));
    assert_eq!(checked.on.len(), 2);
    let clean = &checked.steps[1];
    assert_eq!(
        clean.plugin().unwrap().to_string(),
        "cache-clean@1.2.0",
        "the highest that is locked"
    );
    assert_eq!(clean.with["older_than"], "7d");
    assert_eq!(clean.timeout.as_secs(), 120);
    assert_eq!(clean.ask.as_deref(), Some("duty"));
}

#[test]
fn a_locked_version_is_used_although_a_higher_one_is_installed() {
    let installed = installed();
    let mut sources = base(&installed);
    let lower = Lock::parse(sources.lock.as_deref().unwrap()).unwrap();
    let mut plugins = lower.plugins;
    plugins.retain(|locked| (locked.name.as_str(), locked.version.minor) != ("cache-clean", 2));
    sources.lock = Some(Lock { plugins }.render());
    sources.runbooks = vec![(
        "runbooks/disk.toml".into(),
        read(&fixtures().join("valid/free-disk-space.toml")),
    )];
    let home = check(&sources, &installed).unwrap().home;
    let step = &home.runbooks[&"free-disk-space".into()].steps[1];
    assert_eq!(step.plugin().unwrap().to_string(), "cache-clean@1.0.0");
}

#[test]
fn a_place_in_a_text_of_several_lines_is_exact() {
    let installed = installed();
    let mut sources = base(&installed);
    let runbook = read(&fixtures().join("valid/free-disk-space.toml"));
    let runbook = runbook.replace(
        "\"steps.look.severity == 'critical'\"",
        "\"\"\"\n  steps.look.severity == nobody\"\"\"",
    );
    sources.runbooks = vec![("runbooks/disk.toml".into(), runbook)];
    let problems = check(&sources, &installed).unwrap_err();
    let token = problems
        .iter()
        .find(|problem| problem.code == "unknown-variable")
        .unwrap();
    assert_eq!(&sources.runbooks[0].1[token.span.clone().unwrap()], "nobody");
}

#[test]
fn invalid_runbooks_say_what_is_expected() {
    let installed = installed();
    let mut different = Vec::new();
    for path in with_extension("invalid", "toml") {
        let mut sources = base(&installed);
        sources.runbooks = vec![(format!("runbooks/{}.toml", name(&path)), read(&path))];
        assert!(check(&sources, &installed).is_err(), "{} checks", path.display());
        let found = rendered(&sources, &said(&sources, &installed));
        different.extend(differs(&path.with_extension("expected"), &found));
    }
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn invalid_homes_say_what_is_expected() {
    homes_say_what_is_expected("invalid-home", true);
}

#[test]
fn odd_homes_are_served_and_say_what_is_expected() {
    homes_say_what_is_expected("odd-home", false);
}

fn homes_say_what_is_expected(of: &str, refused: bool) {
    let installed = installed();
    let mut different = Vec::new();
    let mut dirs = list(&fixtures().join(of));
    dirs.retain(|path| path.is_dir());
    assert!(!dirs.is_empty());
    for dir in dirs {
        let mut sources = base(&installed);
        let own = |file: &str| fs::read_to_string(dir.join(file)).ok();
        sources.evenkeel = own("evenkeel.toml").or(sources.evenkeel);
        sources.assets = own("assets.toml").or(sources.assets);
        sources.lock = own("evenkeel.lock").or(sources.lock);
        if dir.join("runbooks").is_dir() {
            let runbooks = list(&dir.join("runbooks"));
            let runbooks = runbooks
                .iter()
                .map(|path| (format!("runbooks/{}.toml", name(path)), read(path)));
            sources.runbooks = runbooks.collect();
        }
        assert_eq!(check(&sources, &installed).is_err(), refused, "{}", dir.display());
        let found = rendered(&sources, &said(&sources, &installed));
        assert!(!found.is_empty(), "{} says nothing", dir.display());
        different.extend(differs(&dir.with_extension("expected"), &found));
    }
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn every_problem_has_a_label_or_a_next_step() {
    let expectations = [
        with_extension("invalid", "expected"),
        with_extension("invalid-home", "expected"),
        with_extension("odd-home", "expected"),
    ]
    .concat();
    for path in expectations {
        let text = read(&path);
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let more = std::iter::from_fn(|| lines.next_if(|next| next.starts_with("  "))).collect::<Vec<_>>();
            let says = |what: &str| more.iter().any(|line| line.trim_start().starts_with(what));
            assert!(says("label: ") || says("help: "), "{}: {line}", path.display());
        }
    }
}
