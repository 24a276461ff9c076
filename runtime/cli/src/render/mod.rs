//! What people see. Nothing here decides anything.

pub mod answer;
pub mod grants;
pub mod plan;
pub mod problem;
pub mod rules;
pub mod safe;
pub mod schedule;
pub mod story;
pub mod table;
pub mod why;

use std::io::{self, Write as _};

/// Prints one line to standard output. A reader that went away is no error.
pub fn line(text: &str) -> io::Result<()> {
    quiet(writeln!(io::stdout().lock(), "{text}"))
}

/// Prints a value as JSON, indented, to standard output.
pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value).map_err(io::Error::from)?)
}

/// Prints one line to standard error.
pub fn note(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn quiet(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
