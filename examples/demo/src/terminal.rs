//! What the one who watches sees: titles, sentences, and other programs' words as they are.

use std::io::{self, Write};

/// A new act of the story.
pub fn title(text: &str) {
    line(&format!("\n== {text}"));
}

pub fn say(text: &str) {
    line(&format!("   {text}"));
}

/// A command, and what it said.
pub fn command(arguments: &[&str], said: &str) {
    say(&format!("$ evenkeel {}", arguments.join(" ")));
    quote(said);
}

/// Text that somebody else wrote.
pub fn quote(text: &str) {
    for said in text.trim_end().lines() {
        line(format!("   | {said}").trim_end());
    }
}

/// What went wrong, with its causes.
pub fn complain(error: &anyhow::Error) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "\nerror: {error:#}");
}

fn line(text: &str) {
    // The story goes on when whoever listened has left: its exit code still counts.
    let _ = writeln!(io::stdout().lock(), "{text}");
}
