//! The runbooks that ship, and the home that ships with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{evenkeel::Home, workspace};

/// The directory `runbooks/` of this project.
pub fn directory() -> PathBuf {
    workspace::root().join("runbooks")
}

/// The text of a runbook below it, as `disk/free-disk-space.toml`.
///
/// # Errors
/// When there is none.
pub fn runbook(file: impl AsRef<Path>) -> anyhow::Result<String> {
    let path = directory().join(file);
    fs::read_to_string(&path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

/// A copy of the example home, without a runbook and without plugins.
///
/// # Errors
/// When it can't be copied.
pub fn example_home() -> anyhow::Result<Home> {
    let home = Home::empty()?;
    copy(&directory().join("example-home"), home.path())?;
    Ok(home)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
