//! The fixtures under tests/check, as the binary meets them: homes on disk, with component files.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use evenkeel_tests::{component, evenkeel::Home, workspace};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn fixtures() -> PathBuf {
    workspace::root().join("tests/check")
}

/// The files in a directory with that ending, sorted.
fn list(directory: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(fixtures().join(directory))? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().unwrap_or_default() == ending);
    paths.sort();
    ensure!(!paths.is_empty(), "there is no fixture in {directory}");
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The base home on disk.
struct Base {
    home: Home,
    /// A component's digest by that of its manifest, which the fixtures' lock files know.
    digests: BTreeMap<String, String>,
}

impl Base {
    fn new() -> anyhow::Result<Self> {
        let home = Home::empty()?;
        let mut digests = BTreeMap::new();
        let mut lock = "version = 1\n".to_owned();
        for path in list("base/manifests", "json")? {
            let json = fs::read(&path)?;
            let manifest: Value = serde_json::from_slice(&json)?;
            let component = smallest(&manifest, &json)?;
            let digest = sha256(&component);
            home.write(&format!("plugins/{}.wasm", stem(&path)), "")?;
            fs::write(home.path().join(format!("plugins/{}.wasm", stem(&path))), component)?;
            let (name, version) = (manifest["name"].as_str(), manifest["version"].as_str());
            let (name, version) = name.zip(version).context("a manifest without a name")?;
            write!(
                lock,
                "\n[[plugin]]\nname = \"{name}\"\nversion = \"{version}\"\nsha256 = \"{digest}\"\n"
            )?;
            digests.insert(sha256(&json), digest);
        }
        home.write("evenkeel.lock", &lock)?;
        for file in ["evenkeel.toml", "assets.toml"] {
            home.write(file, &fs::read_to_string(fixtures().join("base").join(file))?)?;
        }
        Ok(Self { home, digests })
    }

    /// Puts a fixture's file into the home.
    fn replace(&self, file: &str, path: &Path) -> anyhow::Result<()> {
        let mut text = fs::read_to_string(path)?;
        for (manifest, component) in &self.digests {
            text = text.replace(manifest, component);
        }
        Ok(self.home.write(file, &text)?)
    }

    /// What the check says, in the words of the fixtures' expectations.
    fn said(&self) -> anyhow::Result<String> {
        let output = self.home.run(&["check", "--json"])?;
        let report: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        ensure!(report["clean"] == (output.code == 0), "{output:#?}");
        let mut said = String::new();
        for problem in report["problems"].as_array().context("no list of problems")? {
            if problem["code"] != "unused-lock" {
                said.push_str(&self.rendered(problem)?);
            }
        }
        Ok(said)
    }

    fn rendered(&self, problem: &Value) -> anyhow::Result<String> {
        let text = |field: &str| problem[field].as_str().unwrap_or_default();
        let mut line = text("file").to_owned();
        let span = problem["span"]["start"].as_u64().zip(problem["span"]["end"].as_u64());
        if span.is_some() {
            write!(line, ":{}:{}", problem["line"], problem["column"])?;
        }
        writeln!(line, ": {}[{}]: {}", text("level"), text("code"), text("message"))?;
        if let Some((start, end)) = span {
            let file = fs::read_to_string(self.home.path().join(text("file"))).unwrap_or_default();
            let token = file.get(usize::try_from(start)?..usize::try_from(end)?);
            writeln!(
                line,
                "  at: {}",
                token.context("a span outside of its file")?.escape_debug()
            )?;
        }
        for what in ["label", "help"] {
            if let Some(said) = problem[what].as_str() {
                writeln!(line, "  {what}: {said}")?;
            }
        }
        Ok(line)
    }
}

/// The smallest component that exports these kinds and carries this manifest.
fn smallest(manifest: &Value, json: &[u8]) -> anyhow::Result<Vec<u8>> {
    let kinds = manifest["kinds"].as_object().context("a manifest without kinds")?;
    let exports: String = kinds
        .keys()
        .map(|kind| format!("(instance ${kind}) (export \"evenkeel:plugin/{kind}@0.1.0\" (instance ${kind}))"))
        .collect();
    let component = wat::parse_str(format!("(component {exports})"))?;
    Ok(component::with_manifest(component, json))
}

fn expected(path: &Path) -> anyhow::Result<String> {
    let path = path.with_extension("expected");
    fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))
}

#[test]
fn valid_runbooks_check_clean() -> anyhow::Result<()> {
    let base = Base::new()?;
    for path in list("valid", "toml")? {
        let file = format!("runbooks/{}.toml", stem(&path));
        base.replace(&file, &path)?;
        assert_eq!(base.said()?, "", "{}", path.display());
        let said = base.home.done(&["check"])?;
        assert!(said.stdout.starts_with("clean: 1 runbook"), "{said:#?}");
        fs::remove_file(base.home.path().join(file))?;
    }
    Ok(())
}

#[test]
fn invalid_runbooks_say_what_is_expected() -> anyhow::Result<()> {
    let base = Base::new()?;
    let mut different = Vec::new();
    for path in list("invalid", "toml")? {
        let file = format!("runbooks/{}.toml", stem(&path));
        base.replace(&file, &path)?;
        let (found, wanted) = (base.said()?, expected(&path)?);
        if found != wanted {
            different.push(format!("{}\nexpected:\n{wanted}\nfound:\n{found}", path.display()));
        }
        shown_as_text(&base.home, &wanted)?;
        fs::remove_file(base.home.path().join(file))?;
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}

#[test]
fn invalid_homes_say_what_is_expected() -> anyhow::Result<()> {
    let mut different = Vec::new();
    for directory in list("invalid-home", "")? {
        let base = Base::new()?;
        for file in files(&directory)? {
            let name = file.strip_prefix(&directory)?.to_string_lossy().into_owned();
            base.replace(&name, &file)?;
        }
        let (found, mut wanted) = (base.said()?, expected(&directory)?);
        for (manifest, component) in &base.digests {
            wanted = wanted.replace(manifest, component);
        }
        if found != wanted {
            different.push(format!("{}\nexpected:\n{wanted}\nfound:\n{found}", directory.display()));
        }
        shown_as_text(&base.home, &wanted)?;
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}

fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// People get the same problems, each with its code and its place, and nothing on stdout.
fn shown_as_text(home: &Home, wanted: &str) -> anyhow::Result<()> {
    let said = home.run(&["check"])?;
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:#?}");
    let problems: Vec<_> = wanted.lines().filter(|line| !line.starts_with("  ")).collect();
    for problem in &problems {
        let (place, rest) = problem.split_once(": ").context("an expectation without a place")?;
        let title = rest.split_once(": ").map_or(rest, |(level_and_code, _)| level_and_code);
        assert!(said.stderr.contains(title), "no {title} in {}", said.stderr);
        assert!(said.stderr.contains(place), "no {place} in {}", said.stderr);
    }
    let plural = if problems.len() == 1 { "" } else { "s" };
    let count = format!("{} problem{plural}", problems.len());
    let counted = said.stderr.trim_end().lines().last().unwrap_or_default();
    assert!(
        counted.starts_with(&count) || said.stderr.contains("unused-lock"),
        "{count}: {}",
        said.stderr
    );
    Ok(())
}
