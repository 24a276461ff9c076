//! `evenkeel lock`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use evenkeel_model::lock;

use crate::args::Lock;
use crate::home::{self, Files, Unclean};
use crate::render;

/// Writes `evenkeel.lock`; what it pins already stays where it still satisfies the runbooks.
pub fn lock(dir: &Path, args: &Lock) -> Result<ExitCode> {
    let home = home::locate(dir)?;
    let files = Files::read(&home)?;
    let update = if args.update_all { lock::Update::All } else { lock::Update::Named(args.update.clone()) };
    let resolved = lock::resolve(&files.sources, &files.installed, &update)
        .map_err(|problems| Unclean { problems, texts: files.texts() })?;
    let path = home.join("evenkeel.lock");
    let text = resolved.render();
    if files.sources.lock.as_deref() == Some(&text) {
        render::line("evenkeel.lock is as it should be")?;
        return Ok(ExitCode::SUCCESS);
    }
    fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))?;
    for entry in &resolved.plugins {
        render::line(&format!("{} {} {}", entry.name, entry.version, entry.sha256))?;
    }
    Ok(ExitCode::SUCCESS)
}
