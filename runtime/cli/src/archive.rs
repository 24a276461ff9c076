//! Components that are pinned now, kept for the time when they are pinned no more: what they did is
//! undone by themselves, and what they were in the middle of goes on with them.
//!
//! They are files named by their digest. A file that holds something else is none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use evenkeel_model::home::Home;
use evenkeel_model::plugin::{Digest, Installed};
use tracing::warn;

/// Below the home.
const DIRECTORY: &str = "data/components";
/// So long after it was pinned the last time a component is kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);
/// How exactly that is noted.
const STAMPED: Duration = Duration::from_secs(86_400);

/// Keeps what the home's runbooks are pinned to, drops what was not pinned for long, and answers
/// what else is there. What can't be kept is said and no reason not to serve the home.
pub fn keep(dir: &Path, home: &Home, now: SystemTime) -> Vec<Installed> {
    let steps = home.runbooks.values().flat_map(|runbook| runbook.all_steps());
    let pinned: BTreeSet<&Digest> = steps.filter_map(|step| Some(&step.plugin()?.digest)).collect();
    for plugin in home.plugins.iter().filter(|plugin| pinned.contains(&plugin.digest)) {
        if let Err(why) = keep_one(dir, plugin, now) {
            let name = &plugin.manifest.name;
            warn!("plugin `{name}` can't be kept for the time after its upgrade: {why:#}");
        }
    }
    for (digest, path) in files(dir) {
        let is_old = fs::metadata(&path).is_ok_and(|meta| age(&meta, now) > KEPT);
        if is_old && !pinned.contains(&digest) {
            // It is found again the next time.
            let _ = fs::remove_file(path);
        }
    }
    others(dir, &home.plugins)
}

/// What is kept and not among these.
pub fn others(dir: &Path, plugins: &[Installed]) -> Vec<Installed> {
    let known = |digest: &Digest| plugins.iter().any(|plugin| plugin.digest == *digest);
    let others = files(dir).into_iter().filter(|(digest, _)| !known(digest));
    let read = others.filter_map(|(digest, _)| {
        let read = evenkeel_sandbox::installed(dir, &format!("{DIRECTORY}/{digest}.wasm")).ok()?;
        (read.digest == digest).then_some(read)
    });
    read.collect()
}

/// By what they ought to hold.
fn files(dir: &Path) -> Vec<(Digest, PathBuf)> {
    let entries = fs::read_dir(dir.join(DIRECTORY)).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((Digest(name.strip_suffix(".wasm")?.to_owned()), entry.path()))
    });
    named.collect()
}

fn keep_one(dir: &Path, plugin: &Installed, now: SystemTime) -> Result<()> {
    let kept = dir.join(DIRECTORY).join(format!("{}.wasm", plugin.digest));
    if let Ok(meta) = fs::metadata(&kept) {
        if age(&meta, now) > STAMPED {
            File::options().write(true).open(&kept)?.set_modified(now)?;
        }
        return Ok(());
    }
    let directory = dir.join(DIRECTORY);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let file = dir.join(&plugin.file);
    let bytes = fs::read(&file).with_context(|| format!("can't read `{}`", file.display()))?;
    ensure!(
        evenkeel_sandbox::digest(&bytes) == plugin.digest,
        "`{}` is being replaced",
        file.display()
    );
    let part = kept.with_extension("part");
    let mut options = File::options();
    let mut written = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&part)?;
    written.write_all(&bytes)?;
    written.sync_all()?;
    fs::rename(&part, &kept)?;
    File::open(&directory)?.sync_all()?;
    Ok(())
}

fn age(meta: &fs::Metadata, now: SystemTime) -> Duration {
    let modified = meta.modified().ok();
    modified.and_then(|at| now.duration_since(at).ok()).unwrap_or_default()
}
