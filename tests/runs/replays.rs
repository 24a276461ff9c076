//! Runs that are played again, offline, from the journal.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use evenkeel_tests::{
    board::Board,
    evenkeel::{Daemon, Home},
    plugins,
};
use serde_json::Value;

use crate::shipped::{Shipped, provoke, runbooks, settings};

const LOOK: &str = r#"
name = "look"
summary = "Looks at the disk"

[targets]
select = 'asset="one"'

[[step]]
id = "look"
uses = "disk-usage@1"
with = { root = "data", warn = 100, critical = 100 }
grant = { files = ["read data"] }
"#;

fn looking() -> anyhow::Result<Home> {
    Home::ready(&[
        (
            "evenkeel.toml",
            "[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
        ),
        ("assets.toml", "[[asset]]\nid = \"one\"\nrole = \"host\"\n"),
        ("runbooks/look.toml", LOOK),
    ])
}

/// Writes the plugin's component with this text, which is of the same length, in place of that.
pub fn patched(component: &Path, text: &str, by: &str, to: &Path) -> anyhow::Result<()> {
    let mut bytes = fs::read(component)?;
    let mut found = 0;
    for at in 0..bytes.len() - text.len() {
        if bytes[at..].starts_with(text.as_bytes()) {
            bytes[at..at + by.len()].copy_from_slice(by.as_bytes());
            found += 1;
        }
    }
    anyhow::ensure!(found > 0 && text.len() == by.len(), "no `{text}` to replace");
    Ok(fs::write(to, bytes)?)
}

#[test]
fn a_run_comes_out_the_same_with_a_daemon_and_without() -> anyhow::Result<()> {
    let home = looking()?;
    home.done(&["run", "look"])?;
    let alone = home.done(&["runs", "replay", "1"])?;
    assert_eq!(
        alone.stdout,
        "run 1  look check: 1 call, the same\n1 invocations, 1 the same\n"
    );
    let daemon: Daemon = home.serve()?;
    assert_eq!(home.done(&["runs", "replay", "1"])?.stdout, alone.stdout);
    drop(daemon);

    let missing = home.run(&["runs", "replay", "7"])?;
    assert_eq!(missing.code, 1, "{missing:#?}");
    assert!(missing.stderr.contains('7'), "{missing:#?}");
    Ok(())
}

/// Row 29 of the attacks, over the binary.
#[test]
fn a_changed_plugin_is_told_by_its_first_difference() -> anyhow::Result<()> {
    let home = looking()?;
    home.done(&["run", "look"])?;
    let shipped = plugins::shipped()?;
    let component = fs::read_dir(shipped)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("disk-usage"));
    let component = component.context("disk-usage ships")?;
    let changed = home.path().join("changed.wasm");
    patched(&component, " full", " FULL", &changed)?;

    let said = home.run(&["runs", "replay", "1", "--with", "changed.wasm"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "run 1  look check: 1 call, and then it differs");
    assert!(
        lines[1].starts_with("    recorded  ended: ") && lines[1].contains(" full"),
        "{lines:#?}"
    );
    assert!(
        lines[2].starts_with("    replayed  ended: ") && lines[2].contains(" FULL"),
        "{lines:#?}"
    );

    let told = home.run(&["runs", "replay", "1", "--with", "changed.wasm", "--json"])?;
    let told: Value = serde_json::from_str(&told.stdout)?;
    assert_eq!(told[0]["replayed"]["ending"]["differs"]["n"], 1, "{told:#}");

    // The recorded version may be replaced: it is still in the cache, or else among what is kept. Once it is gone, that
    // is said.
    for entry in fs::read_dir(home.path().join("plugins"))? {
        fs::remove_file(entry?.path())?;
    }
    home.done(&["runs", "replay", "1"])?;
    fs::remove_dir_all(home.path().join("data/cache"))?;
    home.done(&["runs", "replay", "1"])?;
    fs::remove_dir_all(home.path().join("data/components"))?;
    fs::remove_dir_all(home.path().join("data/cache"))?;
    let said = home.run(&["runs", "replay", "1"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stdout
            .contains("not replayed: `disk-usage@1.0.0`: no plugin with the digest "),
        "{said:#?}"
    );
    let said = home.run(&["runs", "replay", "1", "--with", "runbooks/look.toml"])?;
    assert!(said.stderr.contains("look.toml` can't be replayed with"), "{said:#?}");
    Ok(())
}

/// How many invocations the proof takes: EVENKEEL_INVOCATIONS, or few.
fn wanted() -> anyhow::Result<usize> {
    match std::env::var("EVENKEEL_INVOCATIONS") {
        Ok(number) => number.parse().context("EVENKEEL_INVOCATIONS is no number"),
        Err(_) => Ok(40),
    }
}

/// Without pauses between runs, and with little patience for what doesn't heal.
fn hasten(home: &Home, runbook: &Path) -> anyhow::Result<()> {
    let file = runbook.to_string_lossy();
    let mut text = fs::read_to_string(home.path().join(runbook))?;
    for (key, hasty) in [("cooldown", "0s"), ("within", "3s"), ("every", "1s")] {
        for patient in ["2s", "5s", "10s", "30s", "1m", "2m", "5m", "10m", "30m", "1h"] {
            text = text.replace(&format!("{key} = \"{patient}\""), &format!("{key} = \"{hasty}\""));
        }
    }
    Ok(home.write(&file, &text)?)
}

/// One round of all shipped runbooks, so that most of their remedies have something to do.
fn round(shipped: &Shipped, board: &mut Option<Board>, n: usize) -> anyhow::Result<()> {
    let home = &shipped.home;
    for file in 0..=n % 7 {
        let text = format!("{n} {file}").repeat(n + 1);
        home.write(&format!("app/cache/page-{file}.html"), &text)?;
    }
    provoke(home)?;
    // Every third round finds the application down.
    if n % 3 == 2 {
        *board = None;
    } else if board.is_none() {
        *board = Some(Board::start(home.path())?);
    }
    for runbook in runbooks()? {
        let name = crate::shipped::name(&runbook);
        let dry: &[&str] = if n % 5 == 4 { &["--dry-run"] } else { &[] };
        // Whatever comes of it: failures are replayed as well.
        home.run(&[&["run", &name], settings(&name), dry].concat())?;
    }
    home.run(&["run", "empty-queue"])?;
    Ok(())
}

/// What no shipped runbook does without a PostgreSQL.
const EMPTY_QUEUE: &str = r#"
name = "empty-queue"
summary = "Takes jobs that are done out of the queue, one with each run"

[targets]
select = 'role="app"'

[limits]
cooldown = "0s"
max_runs = "none"

[[step]]
id = "take"
uses = "sql-change@1"
with.database = "app"
with.statement = "delete from jobs where id = (select min(id) from jobs)"
grant = { sql = ["execute app"] }
ask_from = "never"
"#;

const NOTIFIERS: [&str; 2] = ["dingtalk", "webhook"];

/// Every invocation of every shipped plugin replays to the same calls and the same result, when
/// what it looked at is gone. `EVENKEEL_INVOCATIONS=1000 cargo test --workspace --test runs
/// replays::` is the long form.
#[test]
fn all_that_the_shipped_plugins_did_comes_out_the_same() -> anyhow::Result<()> {
    let wanted = wanted()?;
    let mut shipped = Shipped::new()?;
    for runbook in runbooks()? {
        hasten(&shipped.home, &Path::new("runbooks").join(runbook))?;
    }
    shipped.home.write("runbooks/empty-queue.toml", EMPTY_QUEUE)?;
    shipped.home.done(&["lock"])?;
    let mut board = shipped.board.take();
    let (mut invoked, mut rounds, mut seen) = (BTreeMap::<String, usize>::new(), 0, 0);
    while rounds < 3 || (invoked.values().sum::<usize>() < wanted && rounds < wanted) {
        round(&shipped, &mut board, rounds)?;
        rounds += 1;
        for run in shipped.home.runs()?.iter().skip(seen) {
            seen += 1;
            count(&shipped.home, &run["run"].to_string(), &mut invoked)?;
        }
    }
    drop(board);
    fs::rename(shipped.home.path().join("app"), shipped.home.path().join("gone"))?;

    let mut same = 0;
    for run in 1..=seen {
        let said = shipped.home.run(&["runs", "replay", &run.to_string(), "--json"])?;
        let lines: Vec<Value> = serde_json::from_str(&said.stdout).with_context(|| format!("{said:#?}"))?;
        for line in lines {
            assert_eq!(line["replayed"]["ending"], "same", "{line:#}");
            same += 1;
        }
    }
    println!("{same} invocations of {seen} runs in {rounds} rounds replayed the same: {invoked:#?}");
    assert_eq!(same, invoked.values().sum::<usize>());
    let used = |name: &str| invoked.keys().any(|key| key.starts_with(&format!("{name} ")));
    // Notices are sent beside runs, and their tries are no invocations of any.
    for name in plugins::names()?
        .iter()
        .filter(|name| !NOTIFIERS.contains(&name.as_str()))
    {
        assert!(used(name), "{name} was not invoked: {invoked:#?}");
    }
    assert!(invoked.keys().any(|key| key.ends_with(" apply")), "{invoked:#?}");
    Ok(())
}

/// Invocations by plugin and phase.
fn count(home: &Home, run: &str, invoked: &mut BTreeMap<String, usize>) -> anyhow::Result<()> {
    let story = home.json(&["runs", "show", run])?;
    let events = story["events"].as_array().context("a run has events")?;
    for event in events {
        let body = &event["body"]["invoked"];
        if let Some(name) = body["plugin"]["name"].as_str() {
            let phase = body["key"]["phase"].as_str().unwrap_or_default();
            *invoked.entry(format!("{name} {phase}")).or_default() += 1;
        }
    }
    Ok(())
}
