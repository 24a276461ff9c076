//! `evenkeel backup` and `evenkeel restore`.
//!
//! A backup is a directory: the journal, the home's key, the components that runs were made with, and
//! `manifest.json` with what each of them has to be.

use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, Utc};
use evenkeel_model::action::hex;
use evenkeel_store::backup::{self, Contents};
use evenkeel_store::{Options, Store, audit};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::args::{Backup, Restore};
use crate::lock::HomeLock;
use crate::render;
use crate::{home, key};

const JOURNAL: &str = "evenkeel.db";
const KEY: &str = "home.key";
const COMPONENTS: &str = "components";
const MANIFEST: &str = "manifest.json";
/// Of the manifest.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    evenkeel: String,
    taken_at: DateTime<Utc>,
    contents: Contents,
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    /// From the backup's directory.
    file: String,
    bytes: u64,
    sha256: String,
}

pub fn backup(dir: &Path, args: &Backup, now: DateTime<Utc>) -> Result<ExitCode> {
    let data = home::data(&home::locate(dir)?);
    let journal = data.join(JOURNAL);
    ensure!(
        journal.exists(),
        "`{}` has no journal yet: nothing was run",
        dir.display()
    );
    ensure!(
        !args.to.exists(),
        "`{}` is there already; name another directory",
        args.to.display()
    );
    let part = beside(&args.to, "part")?;
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("can't clear `{}`", part.display()))?;
    }
    let written = write(&data, &part, now);
    let manifest = written.inspect_err(|_| drop(fs::remove_dir_all(&part)))?;
    fs::rename(&part, &args.to).with_context(|| format!("can't write `{}`", args.to.display()))?;
    tell(&manifest, args.listing.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A name beside it, on the same file system.
fn beside(path: &Path, ending: &str) -> Result<PathBuf> {
    let name = path.file_name().context("a backup's directory has a name")?;
    Ok(path.with_file_name(format!(".{}.{ending}", name.to_string_lossy())))
}

fn write(data: &Path, to: &Path, now: DateTime<Utc>) -> Result<Manifest> {
    private(to)?;
    backup::copy(&data.join(JOURNAL), &to.join(JOURNAL))?;
    copy(&data.join(KEY), &to.join(KEY))?;
    private(&to.join(COMPONENTS))?;
    for component in components(&data.join(COMPONENTS)) {
        let file = Path::new(COMPONENTS).join(&component);
        copy(&data.join(&file), &to.join(&file))?;
    }
    let mut files = vec![JOURNAL.to_owned(), KEY.to_owned()];
    let kept = components(&to.join(COMPONENTS));
    files.extend(kept.iter().map(|name| format!("{COMPONENTS}/{name}")));
    let manifest = Manifest {
        version: VERSION,
        evenkeel: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: now,
        contents: backup::examine(&to.join(JOURNAL))?,
        parts: files.iter().map(|file| part(to, file)).collect::<Result<_>>()?,
    };
    let text = serde_json::to_vec_pretty(&manifest)?;
    fs::write(to.join(MANIFEST), text)?;
    File::open(to.join(MANIFEST))?.sync_all()?;
    File::open(to)?.sync_all()?;
    Ok(manifest)
}

fn private(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("can't make `{}`", dir.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = fs::copy(from, to).and_then(|_| {
        fs::set_permissions(to, fs::Permissions::from_mode(0o600))?;
        File::open(to)?.sync_all()
    });
    copied.with_context(|| format!("can't copy `{}` to `{}`", from.display(), to.display()))
}

/// File names, sorted.
fn components(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".wasm")).collect();
    names.sort();
    names
}

fn part(dir: &Path, file: &str) -> Result<Part> {
    let path = dir.join(file);
    let mut input = File::open(&path).with_context(|| format!("can't read `{}`", path.display()))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(Part {
        file: file.to_owned(),
        bytes,
        sha256: hex(&hash.finalize()),
    })
}

// ---- restore -----------------------------------------------------------------------------

pub async fn restore(dir: &Path, args: &Restore, now: DateTime<Utc>) -> Result<ExitCode> {
    if args.check {
        let manifest = verified(&args.from)?;
        tell(&manifest, args.listing.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = home::data(&home::locate(dir)?);
    let _lock = HomeLock::take(&data)?;
    if data.join(JOURNAL).exists() && !args.force {
        bail!(
            "`{}` has a journal: --force moves it, and its key, to a directory beside them first",
            data.display()
        );
    }
    let manifest = verified(&args.from)?;
    let restoring = data.join("restoring");
    if restoring.exists() {
        fs::remove_dir_all(&restoring)?;
    }
    private(&restoring)?;
    for file in [JOURNAL, KEY] {
        copy(&args.from.join(file), &restoring.join(file))?;
    }
    let ended = settle(&restoring, manifest.taken_at, now).await?;
    set_aside(&data, now)?;
    private(&data.join(COMPONENTS))?;
    for component in components(&args.from.join(COMPONENTS)) {
        let file = Path::new(COMPONENTS).join(&component);
        copy(&args.from.join(&file), &data.join(&file))?;
    }
    for file in [KEY, JOURNAL] {
        fs::rename(restoring.join(file), data.join(file))?;
    }
    fs::remove_dir_all(&restoring)?;
    File::open(&data)?.sync_all()?;
    tell(&manifest, args.listing.json)?;
    if ended > 0 {
        render::note(&format!(
            "{ended} runs were under way when the backup was taken; what they did since is not known, and the next \
             start ends them so: look at their targets"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn settle(restoring: &Path, taken_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<usize> {
    let options = Options {
        seal: Some(key::seal(restoring)?),
        ..Options::default()
    };
    let store = Store::open(&restoring.join(JOURNAL), options)?;
    let ended = store.settle_restored(taken_at, now).await?;
    // It writes out all and leaves a single file.
    drop(store);
    for ending in ["-wal", "-shm"] {
        let left = restoring.join(format!("{JOURNAL}{ending}"));
        ensure!(
            !left.exists(),
            "`{}` could not be closed",
            restoring.join(JOURNAL).display()
        );
    }
    Ok(ended)
}

/// What there was is kept.
fn set_aside(data: &Path, now: DateTime<Utc>) -> Result<()> {
    let old: Vec<PathBuf> = [JOURNAL, "evenkeel.db-wal", "evenkeel.db-shm", KEY]
        .iter()
        .map(|name| data.join(name))
        .filter(|path| path.exists())
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    let aside = data.join(format!("before-restore-{}", now.format("%Y%m%dT%H%M%SZ")));
    private(&aside)?;
    for path in old {
        let name = path.file_name().context("it has a name")?;
        fs::rename(&path, aside.join(name))?;
    }
    render::note(&format!("what was there is in `{}`", aside.display()));
    Ok(())
}

/// A backup all of whose parts are what they were, with a sound journal and an unbroken chain of changes.
fn verified(from: &Path) -> Result<Manifest> {
    let path = from.join(MANIFEST);
    let text =
        fs::read(&path).with_context(|| format!("`{}` is no backup: can't read `{MANIFEST}`", from.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("`{}` is no manifest of a backup", path.display()))?;
    ensure!(
        manifest.version == VERSION,
        "`{}` is of a newer evenkeel ({}): upgrade evenkeel",
        from.display(),
        manifest.evenkeel
    );
    for wanted in &manifest.parts {
        let known = [JOURNAL, KEY].contains(&wanted.file.as_str()) || is_component(&wanted.file);
        ensure!(
            known,
            "`{}` names a part that no backup has: `{}`",
            path.display(),
            wanted.file
        );
        let found = part(from, &wanted.file)?;
        ensure!(
            found.sha256 == wanted.sha256,
            "`{}` is damaged: it is not what was written into the backup",
            from.join(&wanted.file).display()
        );
    }
    let journal = from.join(JOURNAL);
    ensure!(
        backup::examine(&journal)? == manifest.contents,
        "`{}` does not hold what its manifest says",
        journal.display()
    );
    let audit = audit::verify(&journal, Some(&key::seal(from)?), None)?;
    ensure!(
        audit.breaks.is_empty(),
        "the records of changes in `{}` are not what was written: `evenkeel audit verify` after the restore says more",
        journal.display()
    );
    Ok(manifest)
}

fn is_component(file: &str) -> bool {
    let name = file
        .strip_prefix("components/")
        .and_then(|name| name.strip_suffix(".wasm"));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn tell(manifest: &Manifest, json: bool) -> Result<()> {
    if json {
        return Ok(render::json(manifest)?);
    }
    let Contents {
        runs,
        unfinished,
        events,
        changes,
        head,
        ..
    } = &manifest.contents;
    let bytes: u64 = manifest.parts.iter().map(|part| part.bytes).sum();
    let head = head.as_deref().unwrap_or("none");
    render::line(&format!(
        "backup of {}: {bytes} bytes, {runs} runs ({unfinished} under way), {events} events, {changes} changes, head {head}",
        manifest.taken_at.format("%Y-%m-%d %H:%M:%SZ")
    ))?;
    Ok(())
}
