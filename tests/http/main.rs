//! What is wrong is refused over HTTP with a reason, and what is right beside it is not lost.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod endpoints;
mod input;
mod tokens;
mod wire;

use evenkeel_tests::evenkeel::{Daemon, Home};

/// A home with one runbook that any alert `Full` starts, and its daemon.
fn served() -> anyhow::Result<(Home, Daemon)> {
    served_with("")
}

/// The same, with more in its `evenkeel.toml`.
fn served_with(settings: &str) -> anyhow::Result<(Home, Daemon)> {
    let role = "[role.host.roots.data]\npath = \"app\"\nallow = [\"read\"]\n";
    let home = Home::ready(&[
        ("evenkeel.toml", &format!("{settings}\n{role}")),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n"),
        ("runbooks/look.toml", LOOK),
        ("app/a-file", "of the application"),
    ])?;
    let daemon = home.serve()?;
    Ok((home, daemon))
}

const LOOK: &str = r#"
name = "look"
summary = "Looks how full the disk is"

[[on]]
alert = "Full"

[[step]]
id = "disk"
uses = "disk-usage@1"
with = { root = "data", warn = 100, critical = 100, inodes = false }
grant = { files = ["read data"] }
"#;
