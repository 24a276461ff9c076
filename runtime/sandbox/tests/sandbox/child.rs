//! The children of the sandbox's tests, as the binary `evenkeel` is its own.
//!
//! A target of its own: cargo builds a package's binaries before its integration tests and tells
//! them where, while a test binary can't be its own child, since its harness writes to standard
//! output.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|first| first == "attend").is_some() {
        return evenkeel_sandbox::attend_as_child(args);
    }
    evenkeel_sandbox::compile_as_child(args.map(|arg| arg.to_string_lossy().into_owned()))
}
