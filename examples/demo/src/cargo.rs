//! What the demo needs to have built: evenkeel itself, and the plugins that its home uses.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::process;

/// What plugins are compiled to.
const TARGET: &str = "wasm32-wasip2";

/// The workspace that the demo is part of.
pub fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the demo is in examples/demo of the workspace")
}

/// cargo's directory `target`, told from where it has put the demo itself: target/PROFILE/demo.
pub fn target_dir() -> anyhow::Result<PathBuf> {
    let demo = env::current_exe()?;
    let target = demo
        .ancestors()
        .nth(2)
        .context("the demo lies in no target directory")?;
    Ok(target.to_owned())
}

/// The program `evenkeel`, built in the profile of the demo itself.
pub async fn evenkeel() -> anyhow::Result<PathBuf> {
    let mut cargo = command(&env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.args([
        "build",
        "--package",
        "evenkeel",
        "--message-format=json-render-diagnostics",
    ]);
    cargo.args(["--profile", &profile()]);
    let (status, said) = process::run(cargo).await.map_err(|error| is_missing(error, "cargo"))?;
    ensure!(
        status.success(),
        "`cargo build --package evenkeel` failed; its words are above"
    );
    executable(&String::from_utf8_lossy(&said), "evenkeel").context("package `evenkeel` makes no program of its name")
}

/// Builds a shipped plugin into a home, with `evenkeel plugin build`.
pub async fn plugin(evenkeel: &Path, name: &str, home: &Path) -> anyhow::Result<()> {
    let mut build = command(evenkeel.as_os_str());
    build.args(["plugin", "build"]).arg(Path::new("plugins").join(name));
    build.arg("--out").arg(home.join("plugins"));
    let (status, _) = process::run(build).await?;
    ensure!(
        status.success(),
        "`evenkeel plugin build plugins/{name}` failed; its words are above"
    );
    Ok(())
}

/// Looks for the target before anything long begins.
pub async fn has_target() -> anyhow::Result<()> {
    let mut rustc = command("rustc".as_ref());
    rustc
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null());
    let (status, said) = process::run(rustc).await.map_err(|error| is_missing(error, "rustc"))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&said).trim());
    if status.success() && libraries.is_dir() {
        return Ok(());
    }
    bail!(
        "plugins are compiled for {TARGET}, and this Rust has no such target; run `rustup target add {TARGET}`, \
         or install your distribution's package of it"
    )
}

fn command(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The operating system's own words for a missing program don't say which one, nor what for.
fn is_missing(error: anyhow::Error, program: &str) -> anyhow::Error {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    if kind == Some(io::ErrorKind::NotFound) {
        return anyhow!(
            "there is no `{program}` on the PATH, and the demo builds evenkeel and its plugins with it; \
             https://rustup.rs installs it"
        );
    }
    error.context(format!("`{program}` can't be started"))
}

/// The path in cargo's message about the binary named `name`
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html>).
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

fn profile() -> String {
    let demo = env::current_exe().unwrap_or_default();
    let folder = demo.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match folder {
        None | Some("debug") => "dev".to_owned(),
        Some(profile) => profile.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_from_the_libraries_beside_it() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"evenkeel-model"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"evenkeel"},"executable":"/t/debug/evenkeel"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "evenkeel"),
            Some(PathBuf::from("/t/debug/evenkeel"))
        );
        assert_eq!(executable(messages, "evenkeel-model"), None);
    }

    #[test]
    fn a_missing_cargo_is_said_in_words() {
        let missing = anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound));
        let said = format!("{:#}", is_missing(missing, "cargo"));
        assert!(said.starts_with("there is no `cargo` on the PATH"), "{said}");
    }
}
