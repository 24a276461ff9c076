//! A home whose application breaks and is repaired when a test says so: `app/broken` is there or
//! not, and `slow` takes until `app/go` is there.

use std::{fs, path::Path};

use anyhow::ensure;
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    wait::wait_until,
};

/// What the operator allows on the application.
pub const ROLE: &str = r#"
[role.app.roots.cache]
path = "app/cache"
allow = ["read", "remove"]

[role.app.exec.look]
command = ["sh", "-c", "if [ -e app/broken ]; then echo it is broken; exit 2; else echo it is well; fi"]
read_only = true

[role.app.exec.fix]
command = ["sh", "-c", "echo fixed >> app/fixes; rm -f app/broken"]

[role.app.exec.in-vain]
command = ["sh", "-c", "echo tried >> app/fixes"]

[role.app.exec.fail]
command = ["sh", "-c", "echo no space left >&2; exit 3"]

# Ends when the test says so, or when the home has gone with its test.
[role.app.exec.slow]
command = ["sh", "-c", "echo begun >> app/fixes; until [ -e app/go ] || [ ! -d app ]; do sleep 0.02; done; rm -f app/broken"]
timeout = "5m"

# A look that takes as long, and finds that something is broken.
[role.app.exec.slow-look]
command = ["sh", "-c", "echo looked >> app/fixes; until [ -e app/go ] || [ ! -d app ]; do sleep 0.02; done; [ ! -e app/broken ] || exit 2"]
read_only = true
timeout = "5m"

[role.app.exec.hang]
command = ["sh", "-c", "echo begun >> app/fixes; while [ -d app ]; do sleep 0.02; done"]
timeout = "5m"

[role.app.exec.unfix]
command = ["sh", "-c", "echo undone >> app/fixes; touch app/broken"]
"#;

pub const ASSETS: &str = r#"
[[asset]]
id = "one"
role = "app"
address = "10.0.0.1"
labels = { env = "prod" }

[[asset]]
id = "two"
role = "app"
address = "10.0.0.2"
labels = { env = "prod" }
"#;

/// A runbook that looks, and repairs with a command if that found something.
pub struct Repair {
    name: &'static str,
    /// Of the check.
    look: &'static str,
    /// Of the remedy.
    profile: &'static str,
    /// `select` of its `[targets]`.
    select: &'static str,
    cooldown: &'static str,
    /// More of `[limits]`.
    limits: &'static str,
    /// More of the remedy's step.
    step: &'static str,
    /// `[healed]`, `[[on]]` and what else there is.
    rest: &'static str,
}

impl Repair {
    /// On the asset `one`, without a cool-down, and without looking at whether it helped.
    pub fn new(name: &'static str, profile: &'static str) -> Self {
        Self {
            name,
            look: "look",
            profile,
            select: r#"asset="one""#,
            cooldown: "0s",
            limits: "",
            step: "",
            rest: "",
        }
    }

    /// Another profile to look with.
    pub fn look(mut self, look: &'static str) -> Self {
        self.look = look;
        self
    }

    pub fn select(mut self, select: &'static str) -> Self {
        self.select = select;
        self
    }

    pub fn cooldown(mut self, cooldown: &'static str) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// More lines of `[limits]`.
    pub fn limits(mut self, limits: &'static str) -> Self {
        self.limits = limits;
        self
    }

    /// More lines of the step `repair`.
    pub fn step(mut self, step: &'static str) -> Self {
        self.step = step;
        self
    }

    /// More tables of the runbook.
    pub fn and(mut self, rest: &'static str) -> Self {
        self.rest = rest;
        self
    }

    pub fn text(&self) -> String {
        let Self {
            name,
            look,
            profile,
            select,
            cooldown,
            limits,
            step,
            rest,
        } = self;
        let risk = if step.contains("ask_from") {
            ""
        } else {
            "ask_from = \"never\"\n"
        };
        format!(
            r#"
name = "{name}"
summary = "Repairs the application with `{profile}`"

[targets]
select = '{select}'

[limits]
cooldown = "{cooldown}"
{limits}

[[step]]
id = "look"
uses = "command/check@1"
with = {{ profile = "{look}", code = "app-broken" }}
grant = {{ exec = ["run {look}"] }}
timeout = "5m"

[[step]]
id = "repair"
uses = "command/remedy@1"
when = "steps.look.severity == 'critical'"
with = {{ profile = "{profile}", undo = {{ profile = "unfix" }} }}
grant = {{ exec = ["run {profile}", "run unfix"] }}
timeout = "5m"
{risk}{step}
{rest}
"#
        )
    }
}

/// Started by the alert `Broken`, on the asset that it names.
pub const ON_ALERT: &str = "[[on]]\nalert = \"Broken\"\n";

/// Looks again whether it helped.
pub const HEALED: &str = "[healed]\nrerun = \"look\"\nwithin = \"20s\"\n";

/// Both.
pub const ON_ALERT_HEALED: &str = "[[on]]\nalert = \"Broken\"\n[healed]\nrerun = \"look\"\nwithin = \"20s\"\n";

/// A home of these runbooks, whose application is broken.
pub fn broken(repairs: &[Repair]) -> anyhow::Result<Home> {
    let texts: Vec<_> = repairs
        .iter()
        .map(|repair| (format!("runbooks/{}.toml", repair.name), repair.text()))
        .collect();
    let mut files = vec![
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("app/broken", ""),
        ("app/cache/old", "1"),
    ];
    files.extend(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    Home::ready(&files)
}

/// What the repairing commands noted, a word each.
pub fn fixes(home: &Home) -> Vec<String> {
    let noted = fs::read_to_string(home.path().join("app/fixes")).unwrap_or_default();
    noted.lines().map(str::to_owned).collect()
}

pub fn break_again(home: &Home) -> anyhow::Result<()> {
    Ok(home.write("app/broken", "")?)
}

pub fn is_broken(home: &Home) -> bool {
    home.path().join("app/broken").exists()
}

/// Waits until that many repairing commands have begun.
#[track_caller]
pub fn wait_for_fixes(home: &Home, count: usize) {
    wait_until(BOUND, &format!("{count} commands have begun"), || {
        let fixes = fixes(home);
        ensure!(fixes.len() >= count, "they are {fixes:?}");
        Ok(())
    });
}

/// Lets the slow command end.
pub fn go(home: &Home) -> anyhow::Result<()> {
    Ok(home.write("app/go", "")?)
}

/// Files of these names, each with its name as content, and older than the cool of a cache.
pub fn fill(directory: &Path, count: usize) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for n in 0..count {
        fs::write(directory.join(format!("{n:05}")), format!("{n}"))?;
    }
    Ok(())
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
