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

/// The program that the package of that name makes, asked for once a test process, and in the
/// profile that the tests themselves are built in.
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

/// Asks for what `cargo test --workspace` builds, and not for the package alone: features are chosen over all that is
/// asked for, so a package by itself would be compiled a second time, its dependencies included. The programs are
/// among it because their packages have integration tests.
fn build(package: &str) -> anyhow::Result<PathBuf> {
    let output = workspace::cargo()
        .args(["test", "--quiet", "--workspace", "--no-run", "--profile"])
        .arg(profile())
        .arg("--message-format=json-render-diagnostics")
        .output()?;
    ensure!(
        output.status.success(),
        "`cargo test --workspace --no-run` failed:\n{}",
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
        .filter(|message| message["target"]["name"] == name && message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The profile of the running test, told from where cargo has put it: target/PROFILE/deps/TEST.
fn profile() -> String {
    let test = env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).and_then(Path::file_name);
    match folder.and_then(|name| name.to_str()) {
        None | Some("debug") => "test".to_owned(),
        Some(profile) => profile.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_from_its_tests_and_from_libraries() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"evenkeel-model"},"profile":{"test":false},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"evenkeel"},"profile":{"test":true},"executable":"/t/debug/deps/evenkeel-1"}
            {"reason":"compiler-artifact","target":{"name":"evenkeel"},"profile":{"test":false},"executable":"/t/debug/evenkeel"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "evenkeel"),
            Some(PathBuf::from("/t/debug/evenkeel"))
        );
        assert_eq!(executable(messages, "evenkeel-model"), None);
    }
}
