//! A home with many plugins: one component again and again, each under a name of its own, so that no two are the same to
//! the cache.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use evenkeel_sandbox::{embed, inspect};
use tempfile::TempDir;

use crate::build;

/// The plugin in `source` (relative to the checkout), so many times: `NAME-0`, `NAME-1`…
pub fn home(evenkeel: &Path, source: &str, copies: usize) -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    let (built, plugins) = (home.path().join("built"), home.path().join("plugins"));
    fs::create_dir(&plugins)?;
    build::plugin(evenkeel, source, &built)?;
    let component = fs::read_dir(&built)?.next().context("it was built")??;
    let bytes = fs::read(component.path())?;
    let manifest = inspect(&bytes)?.into_manifest()?;
    for n in 0..copies {
        let mut manifest = manifest.clone();
        manifest.name = format!("{}-{n}", manifest.name);
        let file = format!("{}-1.0.0.wasm", manifest.name);
        fs::write(plugins.join(file), embed(&bytes, &manifest)?)?;
    }
    Ok(home)
}
