//! `evenkeel lock`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use evenkeel_model::home::lock::{self, Lock};

use crate::args;
use crate::home::{self, Files, Unclean};
use crate::render;

/// Writes `evenkeel.lock`; what it pins already stays where it still satisfies the runbooks.
pub fn lock(dir: &Path, args: &args::Lock) -> Result<ExitCode> {
    let home = home::locate(dir)?;
    let mut files = Files::read(&home)?;
    let before = files.sources.lock.take();
    files.sources.lock = before.as_deref().map(|text| kept(text, args));
    let resolved = lock::resolve(&files.sources, &files.plugins.installed).map_err(|problems| Unclean {
        problems,
        texts: files.texts(),
    })?;
    let path = home.join("evenkeel.lock");
    let text = resolved.render();
    if before.as_deref() == Some(&text) {
        render::line("evenkeel.lock is as it should be")?;
        return Ok(ExitCode::SUCCESS);
    }
    fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))?;
    for entry in &resolved.plugins {
        render::line(&format!("{} {} {}", entry.name, entry.version, entry.digest))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The lock without what may change. One that can't be read is written anew.
fn kept(text: &str, args: &args::Lock) -> String {
    let mut lock = Lock::parse(text).unwrap_or_default();
    lock.plugins
        .retain(|entry| !args.update_all && !args.update.contains(&entry.name));
    lock.render()
}
