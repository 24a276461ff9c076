//! The command line as its users meet it: what it says, to whom, and with which code it ends.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod approvals;
mod explain;
mod fixtures;
mod help;
mod homes;
mod listings;
mod metrics;
mod plugins;
mod problems;
mod query;
mod schedules;
mod story;

use evenkeel_tests::evenkeel::Home;

/// A home with a disk check and a cache to clean, both of files in the home itself.
fn home() -> anyhow::Result<Home> {
    let home = Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"app\"\n"),
        ("runbooks/look.toml", LOOK),
        ("runbooks/clean.toml", CLEAN),
        ("app/cache/old-1", "12345"),
        ("app/cache/old-2", "1234567"),
        ("app/cache/a.lock", "kept"),
    ])?;
    Ok(home)
}

const ROLE: &str = r#"
[role.app.roots.data]
path = "app"
allow = ["read"]

[role.app.roots.cache]
path = "app/cache"
allow = ["read", "remove"]

[role.app.exec.crowded]
command = ["sh", "-c", "n=$(ls app/cache | wc -l); echo \"$n files in the cache\"; [ $n -le 1 ] || exit 2"]
read_only = true
"#;

const LOOK: &str = r#"
name = "look"
summary = "Looks how full the disk is"

[[on]]
cron = "30 3 29 2 *"

[[step]]
id = "disk"
uses = "disk-usage@1"
with = { root = "data", warn = 100, critical = 100, inodes = false }
grant = { files = ["read data"] }
"#;

const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache when it is crowded"
owner = "platform"

[[on]]
alert = "CacheCrowded"

[limits]
cooldown = "0s"

[[step]]
id = "look"
uses = "command/check@1"
with = { profile = "crowded", code = "cache-crowded" }
grant = { exec = ["run crowded"] }

[[step]]
id = "clean"
uses = "cache-clean@1"
when = "steps.look.severity == 'critical'"
with = { root = "cache", older_than = "0s", keep = ["*.lock"] }
grant = { files = ["read cache", "remove cache"] }

[healed]
rerun = "look"
within = "10s"
"#;
