//! Where the project and what cargo makes of it are.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, ensure};
use serde_json::Value;

/// The directory of the workspace's Cargo.toml.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a folder of the workspace")
}

/// Cargo's target directory, wherever the environment or a configuration has put it.
pub fn target_dir() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        let metadata = metadata(&["--no-deps"]).expect("cargo can read its own workspace");
        let target = metadata["target_directory"]
            .as_str()
            .expect("cargo metadata names the target directory");
        PathBuf::from(target)
    })
}

/// The cargo that runs these tests.
pub fn cargo() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// What `cargo metadata` says of this workspace.
///
/// # Errors
/// When cargo can't read it, with cargo's own words.
pub fn metadata(arguments: &[&str]) -> anyhow::Result<Value> {
    let output = cargo()
        .args(["metadata", "--format-version=1"])
        .args(arguments)
        .output()
        .context("cargo can't be started")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Holds every other test process back that wants the same `name`, until it is dropped.
///
/// # Errors
/// When the lock file can't be made.
pub fn lock(name: &str) -> anyhow::Result<File> {
    let directory = target_dir().join("locks");
    fs::create_dir_all(&directory)?;
    let file = File::create(directory.join(name))?;
    file.lock()
        .with_context(|| format!("can't lock `{name}` in {}", directory.display()))?;
    Ok(file)
}
