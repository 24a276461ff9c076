//! A home whose runbooks leave a trace of everything that they do.

use std::fs;

use chrono::{SecondsFormat, TimeDelta, Utc};
use evenkeel_tests::dice::Dice;
use evenkeel_tests::{evenkeel::Home, plugins};
use serde_json::{Value, json};

use crate::sink::Sink;

/// Names of alerts, each of which starts a runbook.
const ALERTS: [&str; 11] = [
    "files",
    "commands",
    "web",
    "planning",
    "undoing",
    "asking",
    "mixed",
    "beside",
    "each",
    "each-undone",
    "calling",
];
const ASSETS: [&str; 4] = ["one", "two", "three", "four"];

/// A repeated effect leaves its token twice. `late` leaves it at its end: a daemon that dies before leaves it to chance.
const SETTINGS: &str = r#"
[engine]
approve_own = true

[sandbox]
circuit = "0s"

[role.app.roots.traces]
path = "traces"
allow = ["read", "write"]

[role.app.exec.append]
command = ["sh", "-c", "echo $0 >> traces/log; sleep 0.02"]
args = ["[a-z0-9-]+"]

[role.app.exec.late]
command = ["sh", "-c", "sleep 0.02; echo $0 >> traces/log"]
args = ["[a-z0-9-]+"]

[role.app.exec.peek]
command = ["sh", "-c", "echo $0 >> traces/peeks"]
args = ["[a-z0-9-]+"]
read_only = true
"#;

pub fn home(sink: &Sink) -> anyhow::Result<Home> {
    let home = Home::empty()?;
    let origin = format!(
        "[role.app.origins.sink]\nurl = \"http://127.0.0.1:{}\"\nallow = [\"GET\", \"PUT\", \"POST\"]\nprivate = true\n",
        sink.port
    );
    home.write("evenkeel.toml", &format!("{SETTINGS}\n{origin}"))?;
    let assets = ASSETS
        .map(|id| format!("[[asset]]\nid = \"{id}\"\nrole = \"app\"\naddress = \"127.0.0.1\"\n"))
        .concat();
    home.write("assets.toml", &assets)?;
    home.write("traces/given", "given")?;
    for (name, text) in runbooks() {
        home.write(&format!("runbooks/{name}.toml"), &text)?;
    }
    fs::create_dir_all(home.path().join("plugins"))?;
    let plugin = plugins::built("tests/torture/plugin")?;
    fs::copy(plugin, home.path().join("plugins/torture.wasm"))?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

fn runbooks() -> Vec<(&'static str, String)> {
    let check = step("look", "check", r#"acts = ["peek", "get", "read", "state"]"#, "");
    let sick = step("look", "check", r#"acts = ["peek", "state"], find = true"#, "");
    let remedy = |with: &str| remedy("mend", with, "ask_from = \"never\"");
    let undo = "\n[healed]\nrerun = \"look\"\nwithin = \"1s\"\notherwise = \"undo\"\n";
    let all = r#"plan = ["peek", "state"], actions = [["write", "put"], ["append", "post"], ["late", "put", "write"]]"#;
    let planning = r#"plan = ["read", "state", "peek", "read", "get", "state", "read", "get", "peek", "state"], actions = [["write"]]"#;
    vec![
        (
            "files",
            remedy(r#"actions = [["write", "write", "write", "write", "write", "write"]]"#),
        ),
        (
            "commands",
            check.clone() + &remedy(r#"actions = [["append", "late", "append"], ["late", "append"]]"#),
        ),
        (
            "web",
            remedy(r#"actions = [["put", "post", "put", "post"], ["put", "put"], ["post"]]"#),
        ),
        ("planning", remedy(planning)),
        (
            "undoing",
            sick + &remedy(
                r#"actions = [["append"], ["put", "write"], ["post"]], undo = ["put", "late", "write", "put"]"#,
            ) + undo,
        ),
        (
            "asking",
            check + &self::remedy("mend", all, "ask_from = \"low\"\nexpires = \"8h\""),
        ),
        (
            "mixed",
            remedy(all) + &self::remedy("more", r#"actions = [["put", "late"]]"#, "ask_from = \"never\""),
        ),
        ("ticking", remedy(r#"actions = [["write", "put"]]"#)),
    ]
    .into_iter()
    .chain(of_many())
    .map(|(name, steps)| (name, format!("{}{steps}", head(name))))
    .collect()
}

/// Several things at once: steps, items, runs.
fn of_many() -> Vec<(&'static str, String)> {
    let never = "ask_from = \"never\"";
    let beside = |id: &str, needs: &str| {
        let acts = r#"actions = [["append", "put"], ["late", "write"]]"#;
        remedy(id, acts, &format!("{never}\nneeds = [{needs}]"))
    };
    let three = format!("{never}\neach = [\"x\", \"y\", \"z\"]\nconcurrency = 2");
    let each = |acts: &str| {
        step(
            "mend",
            "remedy",
            &format!("tag = \"mend{{{{ index }}}}\", {acts}"),
            &three,
        )
    };
    let sick = step("look", "check", r#"acts = ["peek", "state"], find = true"#, "");
    let undo = "\n[healed]\nrerun = \"look\"\nwithin = \"1s\"\notherwise = \"undo\"\n";
    let call = |id: &str, rest: &str| format!("[[step]]\nid = \"{id}\"\nruns = \"called\"\n{rest}\n");
    vec![
        (
            "beside",
            beside("one", "")
                + &beside("two", "")
                + &beside("three", "\"one\"")
                + &beside("four", "\"three\", \"two\""),
        ),
        (
            "each",
            each(r#"actions = [["append", "put", "post"], ["late"], ["write"]]"#),
        ),
        (
            "each-undone",
            sick + &each(r#"actions = [["append"], ["put", "write"]], undo = ["put", "late"]"#) + undo,
        ),
        (
            "calling",
            call("first", "")
                + &call("two", "needs = []\neach = [1, 2]\nconcurrency = 2")
                + &remedy(
                    "mend",
                    r#"actions = [["append", "put"]]"#,
                    &format!("{never}\nneeds = [\"first\", \"two\"]"),
                ),
        ),
        (
            "called",
            remedy("mend", r#"actions = [["append", "put"], ["late"]]"#, never),
        ),
    ]
}

/// The one that ticks does so on an asset of its own accord; the others run where their alert says.
fn head(name: &str) -> String {
    let (on, select) = match name {
        "ticking" => (
            "[[on]]\ncron = \"* * * * * *\"\nmissed = \"last\"".to_owned(),
            "asset=\"four\"",
        ),
        "called" => (String::new(), "role=\"app\""),
        _ => (format!("[[on]]\nalert = \"{name}\""), "role=\"app\""),
    };
    format!(
        "name = \"{name}\"\nsummary = \"Leaves traces\"\n{on}\n[targets]\nselect = '{select}'\n[limits]\ncooldown = \"0s\"\nmax_runs = \"none\"\nstrikes = 1000\nfleet = \"100%\"\noverlap = \"queue\"\n"
    )
}

fn remedy(id: &str, with: &str, rest: &str) -> String {
    step(id, "remedy", &format!("tag = \"{id}\", {with}"), rest)
}

fn step(id: &str, kind: &str, with: &str, rest: &str) -> String {
    format!(
        "[[step]]\nid = \"{id}\"\nuses = \"torture/{kind}@1\"\ntimeout = \"60s\"\nwith = {{ {with} }}\n\
         grant = {{ files = [\"read traces\", \"write traces\"], exec = [\"run append\", \"run late\", \"run peek\"], \
         http = [\"GET sink\", \"PUT sink\", \"POST sink\"] }}\n{rest}\n"
    )
}

/// An alert that nobody has seen before, and that fires for longer than any test.
pub fn alert(dice: &mut Dice, number: u64) -> Value {
    let time = |hours| (Utc::now() + TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "labels": {
            "alertname": dice.one_of(&ALERTS),
            "asset": dice.one_of(&ASSETS),
            "number": number.to_string(),
        },
        "startsAt": time(0),
        "endsAt": time(24),
    })
}
