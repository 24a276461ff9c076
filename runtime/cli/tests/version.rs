//! What the program says of itself. That it has a test here also makes `cargo test` build it, which tests/ relies on.

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test starts what it tests")]
fn the_version_is_the_packages() {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .arg("--version")
        .output()
        .expect("it starts");
    let version = format!("evenkeel {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}
