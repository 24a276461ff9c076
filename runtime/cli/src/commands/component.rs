//! Makes a component as `[build]` of `plugin.toml` says: what is not Rust has tools of its own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use evenkeel_model::plugin::Build;

/// Runs the command in `dir`; its words go to standard error.
pub fn make(dir: &Path, build: &Build) -> Result<Vec<u8>> {
    let program = build.command.first().context("`build.command` names a program")?;
    let status = command(&program_in(dir, program)?, dir)
        .args(&build.command[1..])
        .stdout(Stdio::from(std::io::stderr()))
        .status();
    let status = status.with_context(|| {
        format!("can't start `{program}`, which plugin.toml names under `[build]`; is what builds it installed?")
    })?;
    let line = build.command.join(" ");
    if !status.success() {
        bail!("`{line}` ended with {status}; its messages are above");
    }
    let path = dir.join(&build.component);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "`{line}` ended well and made no `{}`; make it the `component` under `[build]` of plugin.toml",
            build.component
        ),
        bytes => bytes.with_context(|| format!("can't read `{}`", path.display())),
    }
}

/// With a slash, it is one of the plugin's own directory; without, one of the `PATH`.
fn program_in(dir: &Path, program: &str) -> Result<PathBuf> {
    if !program.contains('/') {
        return Ok(program.into());
    }
    let dir = dir
        .canonicalize()
        .with_context(|| format!("there is no `{}`", dir.display()))?;
    Ok(dir.join(program))
}

#[expect(
    clippy::disallowed_methods,
    reason = "building a plugin is the work of its language's tools"
)]
fn command(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null());
    command
}
