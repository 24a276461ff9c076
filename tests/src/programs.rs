//! The workspace's own programs, built as a user builds them.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::workspace;

/// The program that the package of that name makes, built once a test process and in the profile
/// that the tests themselves are built in. `cargo test` builds no other package's programs.
///
/// # Errors
/// When it doesn't compile, with what the compiler says.
pub fn program(package: &str) -> anyhow::Result<PathBuf> {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(program) = built.get(package) {
        return Ok(program.clone());
    }
    let program = build(package)?;
    built.insert(package.to_owned(), program.clone());
    Ok(program)
}

fn build(package: &str) -> anyhow::Result<PathBuf> {
    let output = workspace::cargo()
        .args(["build", "--quiet", "--package", package, "--profile"])
        .arg(profile())
        .arg("--message-format=json-render-diagnostics")
        .output()?;
    ensure!(
        output.status.success(),
        "`cargo build --package {package}` failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    executable(&String::from_utf8_lossy(&output.stdout), package)
        .with_context(|| format!("package `{package}` makes no program of its name"))
}

/// The path in cargo's message about the binary named `name`.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The profile of the running test, told from where cargo has put it: target/PROFILE/deps/TEST.
fn profile() -> String {
    let test = env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).and_then(Path::file_name);
    match folder.and_then(|name| name.to_str()) {
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
}
