//! The shipped plugins, built as their authors build them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, ensure};

use crate::{programs, workspace};

const TARGET: &str = "wasm32-wasip2";

/// The directory that holds the component of every plugin under plugins/, built once a test
/// process with `evenkeel plugin build`.
///
/// # Errors
/// When one doesn't build, or the compiler has no WebAssembly target and none can be added.
pub fn shipped() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| build_all().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

/// The component of the plugin whose source is in this directory of the project.
///
/// # Errors
/// When it doesn't build.
pub fn built(directory: &str) -> anyhow::Result<PathBuf> {
    ensure_target()?;
    let _lock = workspace::lock("plugins")?;
    let out = workspace::target_dir().join("plugins-of-tests");
    build(&PathBuf::from(directory), &out)
}

/// The names of the plugins under plugins/, sorted.
///
/// # Errors
/// When the directory can't be read.
pub fn names() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace::root().join("plugins"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn build_all() -> anyhow::Result<PathBuf> {
    ensure_target()?;
    let out = workspace::target_dir().join("plugins");
    let _lock = workspace::lock("plugins")?;
    let mut built = Vec::new();
    for name in names()? {
        built.push(build(&PathBuf::from("plugins").join(name), &out)?);
    }
    remove_others(&out, &built)?;
    Ok(out)
}

/// The path of the component that it wrote.
fn build(plugin: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new(programs::program("evenkeel")?)
        .current_dir(workspace::root())
        .args(["plugin", "build", "--json"])
        .arg(plugin)
        .arg("--out")
        .arg(out)
        .output()?;
    ensure!(
        output.status.success(),
        "`evenkeel plugin build {}` failed:\n{}",
        plugin.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let installed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let file = installed["file"].as_str().context("it does not say its file")?;
    Ok(PathBuf::from(file))
}

/// Versions that were built there earlier don't ship any more.
fn remove_others(out: &Path, built: &[PathBuf]) -> anyhow::Result<()> {
    for component in fs::read_dir(out)? {
        let component = component?;
        if !built
            .iter()
            .any(|path| path.file_name() == Some(&component.file_name()))
        {
            fs::remove_file(component.path())?;
        }
    }
    Ok(())
}

/// rust-toolchain.toml names the target, but a compiler that rustup doesn't look after, or a
/// rustup that may install nothing by itself, can be without it.
///
/// # Errors
/// When it is not there and rustup can't add it: the sentence says what to install.
pub fn ensure_target() -> anyhow::Result<()> {
    if has_target()? {
        return Ok(());
    }
    let added = Command::new("rustup")
        .current_dir(workspace::root())
        .args(["target", "add", TARGET])
        .status();
    ensure!(
        added.is_ok_and(|status| status.success()) && has_target()?,
        "the plugins need the Rust target {TARGET}: run `rustup target add {TARGET}`, \
         or install your distribution's package of it"
    );
    Ok(())
}

fn has_target() -> anyhow::Result<bool> {
    let rustc = Command::new("rustc")
        .current_dir(workspace::root())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc can't be started")?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&rustc.stdout).trim());
    Ok(rustc.status.success() && libraries.is_dir())
}
