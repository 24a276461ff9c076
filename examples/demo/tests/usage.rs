//! What the program does with words that it doesn't know. That it has a test here also makes `cargo test` build it,
//! which tests/ relies on.

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test starts what it tests")]
fn an_unknown_option_is_refused_before_anything_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--kep")
        .output()
        .expect("it starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--kep"));
}
