//! The compiling child of the sandbox's tests, as the binary `evenkeel` is its own.
//!
//! A target of its own: cargo builds a package's binaries before its integration tests and tells
//! them where, while a test binary can't be its own child, since its harness writes to standard
//! output.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel_sandbox::compile_as_child(std::env::args().skip(1))
}
