//! Compiles a plugin's crate to a component.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// What plugins are compiled to; std's output for it is a component.
pub const TARGET: &str = "wasm32-wasip2";

/// Small components that load fast, whatever the crate's own profiles say.
const PROFILE: [&str; 5] = [
    "profile.plugin.inherits=\"release\"",
    "profile.plugin.opt-level=\"s\"",
    "profile.plugin.lto=true",
    "profile.plugin.codegen-units=1",
    "profile.plugin.strip=true",
];

/// The component that cargo made, and the version in its `Cargo.toml`.
pub struct Artifact {
    pub file: PathBuf,
    pub version: String,
}

/// Runs `cargo build` in `dir`; its words go to standard error.
pub fn build(dir: &Path) -> Result<Artifact> {
    if !dir.join("Cargo.toml").is_file() {
        bail!(
            "`{}` has no Cargo.toml; a plugin that is not Rust says in plugin.toml how it is built, with the keys \
             `command` and `component` under `[build]`",
            dir.display()
        );
    }
    target_is_there(dir)?;
    let mut cargo = command("cargo", dir);
    cargo.args([
        "build",
        "--profile",
        "plugin",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    cargo.args(["--manifest-path", "Cargo.toml"]);
    for setting in PROFILE {
        cargo.args(["--config", setting]);
    }
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("can't start `cargo`; is Rust installed?")?;
    if !output.status.success() {
        bail!("`cargo build` failed; its messages are above");
    }
    artifact(&output.stdout, dir)
}

fn artifact(messages: &[u8], dir: &Path) -> Result<Artifact> {
    let manifest = dir
        .join("Cargo.toml")
        .canonicalize()
        .context("there is no Cargo.toml")?;
    let found = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.manifest_path.as_deref() == Some(&manifest))
        .find_map(|message| Some((message.component()?, message.version()?)));
    let Some((file, version)) = found else {
        bail!("the crate has no library of the type `cdylib`; add `[lib] crate-type = [\"cdylib\", \"rlib\"]`");
    };
    Ok(Artifact { file, version })
}

/// The part of cargo's JSON messages that is of use here
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html>).
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl Message {
    fn component(&self) -> Option<PathBuf> {
        self.filenames
            .iter()
            .find(|file| file.extension().is_some_and(|end| end == "wasm"))
            .cloned()
    }

    /// A package id ends in `#VERSION` or `#NAME@VERSION`.
    fn version(&self) -> Option<String> {
        let (_, end) = self.package_id.as_ref()?.rsplit_once('#')?;
        Some(end.rsplit_once('@').map_or(end, |(_, version)| version).to_owned())
    }
}

fn target_is_there(dir: &Path) -> Result<()> {
    let output = command("rustc", dir)
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::inherit())
        .output()
        .context("can't start `rustc`; is Rust installed?")?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !output.status.success() || !libdir.is_dir() {
        bail!("Rust's `{TARGET}` target is not installed; run `rustup target add {TARGET}`");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "building a plugin is cargo's work")]
fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null());
    command
}
