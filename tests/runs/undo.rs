//! A repair that turns out wrong the next morning is undone, by the plugin that made it.

use std::{fs, process::Stdio};

use anyhow::ensure;
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    wait::wait_until,
};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    replays::patched,
    workshop::{Repair, break_again, broken, fixes, go, is_broken, wait_for_fixes},
};

fn repaired() -> anyhow::Result<Home> {
    let home = broken(&[Repair::new("repair", "fix"), Repair::new("hold", "slow")])?;
    home.done(&["run", "repair"])?;
    assert!(!is_broken(&home));
    Ok(home)
}

/// The plugin becomes another component of a later version; the one that was is nowhere in `plugins/`.
fn upgrade(home: &Home) -> anyhow::Result<()> {
    let plugins = home.path().join("plugins");
    let old = plugins.join("command-1.0.0.wasm");
    patched(
        &old,
        "\"version\":\"1.0.0\"",
        "\"version\":\"1.1.0\"",
        &plugins.join("command-1.1.0.wasm"),
    )?;
    fs::remove_file(old)?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(())
}

/// Which components were called for a phase, by their digests.
fn callers(home: &Home, run: &str, phase: &str) -> anyhow::Result<Vec<String>> {
    let story = home.json(&["runs", "show", run])?;
    let invoked = |event: &Value| {
        let body = &event["body"]["invoked"];
        (body["key"]["phase"] == phase).then(|| body["plugin"]["digest"].as_str().unwrap_or_default().to_owned())
    };
    Ok(story["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(invoked)
        .collect())
}

#[track_caller]
fn assert_refused(home: &Home, arguments: &[&str], words: &str) -> anyhow::Result<()> {
    let said = home.run(&[&["runs", "undo"], arguments].concat())?;
    assert_eq!(said.code, 1, "{arguments:?}: {said:#?}");
    assert!(said.stderr.contains(words), "{arguments:?}: {said:#?}");
    Ok(())
}

#[test]
fn a_repair_is_undone_by_the_very_plugin_that_made_it() -> anyhow::Result<()> {
    let home = repaired()?;
    upgrade(&home)?;

    let shown = home.done(&["runs", "undo", "1", "--dry-run"])?.stdout;
    assert!(
        shown.contains("repair `run`: runs `unfix`, by command@1.0.0"),
        "{shown}"
    );
    assert!(shown.contains("exec.run unfix []\n"), "{shown}");
    home.done(&["pause", "--all", "--why", "the move"])?;
    assert_refused(&home, &["1", "--dry-run"], "paused everything")?;
    home.done(&["unpause", "--all"])?;
    assert_eq!(fixes(&home), ["fixed"]);

    let said = home.run(&["runs", "undo", "1", "--why", "it was wrong"])?;

    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("wants it undone: it was wrong"), "{said:#?}");
    assert!(said.stdout.contains("verdict      undone"), "{said:#?}");
    assert!(is_broken(&home));
    assert_eq!(fixes(&home), ["fixed", "undone"]);
    assert_eq!(home.verdicts()?, ["undone"]);
    let (apply, rollback) = (callers(&home, "1", "apply")?, callers(&home, "1", "rollback")?);
    assert_eq!((apply.len(), &apply), (1, &rollback), "the same component");
    let changes = home.json(&["changes"])?;
    assert_eq!(changes[1]["undone"], true, "{changes:#}");
    assert_eq!(changes[0]["outcome"], "undone", "{changes:#}");
    assert_eq!(changes[0]["cause"]["person"]["request"], "undo", "{changes:#}");
    home.done(&["audit", "verify"])?;

    assert_refused(&home, &["1"], "it was undone already")?;
    // The next run is the new version's.
    home.done(&["run", "repair"])?;
    assert_ne!(callers(&home, "2", "apply")?, apply);
    Ok(())
}

#[test]
fn records_of_changes_that_were_tampered_with_are_named() -> anyhow::Result<()> {
    let home = repaired()?;
    break_again(&home)?;
    home.done(&["run", "repair"])?;
    home.done(&["audit", "verify"])?;
    let head = home.done(&["audit", "head"])?.stdout;
    let verify = ["audit", "verify", "--head", head.trim()];
    home.done(&verify)?;
    let short = home.run(&["audit", "verify", "--head", &head[..12]])?;
    assert!(
        short.code == 2 && short.stderr.contains("64 hexadecimal digits"),
        "{short:#?}"
    );
    let database = Connection::open(home.path().join("data/evenkeel.db"))?;
    for (tamper, named) in [
        (
            "UPDATE changes SET target = 'two' WHERE seq = 1",
            "change 1: it was changed",
        ),
        (
            "DELETE FROM changes WHERE seq = 1",
            "change 2: records after 0 are missing",
        ),
        (
            "DELETE FROM changes WHERE seq = 2",
            "the head that was kept is not there",
        ),
    ] {
        assert_eq!(database.execute(tamper, [])?, 1, "{tamper}");
        let said = home.run(&verify)?;
        assert_eq!(said.code, 1, "{tamper}: {said:#?}");
        assert!(said.stdout.contains(named), "{tamper}: {said:#?}");
    }
    Ok(())
}

#[test]
fn an_undo_that_was_asked_for_is_made_once_after_a_kill() -> anyhow::Result<()> {
    let home = repaired()?;
    upgrade(&home)?;
    break_again(&home)?;
    let daemon = home.serve()?;
    // Another run is at work on the target: the undo waits for it.
    let mut holder = home.command()?;
    holder.args(["run", "hold"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut holder = holder.spawn()?;
    wait_for_fixes(&home, 2);
    let mut undoing = home.command()?;
    undoing
        .args(["runs", "undo", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut undoing = undoing.spawn()?;
    wait_until(BOUND, "the undo is asked for", || {
        ensure!(home.story(1)?.contains("wants it undone"));
        Ok(())
    });
    assert_eq!(home.runs()?[0]["state"], "running");

    daemon.kill()?;
    holder.wait()?;
    assert!(!undoing.wait()?.success(), "it was not undone while somebody looked");
    go(&home)?;
    let _daemon = home.serve()?;

    let run = home.wait_for_state(1, "finished");
    assert_eq!(run["verdict"], "undone", "{}", home.story(1)?);
    assert_eq!(fixes(&home), ["fixed", "begun", "undone"]);
    assert_eq!(callers(&home, "1", "apply")?, callers(&home, "1", "rollback")?);
    Ok(())
}

#[test]
fn what_can_t_be_undone_is_refused_in_words() -> anyhow::Result<()> {
    let home = repaired()?;
    assert_refused(&home, &["9"], "there is no run 9")?;
    break_again(&home)?;
    home.done(&["run", "repair", "--dry-run"])?;
    assert_refused(&home, &["2"], "run 2 was a dry run")?;
    home.done(&["run", "repair"])?;
    assert_refused(
        &home,
        &["1"],
        "run 3 of the same runbook changed the same target after run 1",
    )?;
    home.done(&["run", "repair"])?;
    assert_refused(&home, &["4"], "it changed nothing")?;
    home.done(&["pause", "--all", "--why", "we move"])?;
    assert_refused(&home, &["3"], "run 3 can't be undone now (pause): ")?;
    home.done(&["unpause", "--all"])?;
    assert_eq!(fixes(&home), ["fixed", "fixed"]);

    // The component is nowhere any more.
    upgrade(&home)?;
    fs::remove_dir_all(home.path().join("data/components"))?;
    assert_refused(&home, &["3"], "run 3 can't be undone: ")?;
    assert_eq!(fixes(&home), ["fixed", "fixed"]);
    Ok(())
}

#[test]
fn the_earlier_of_two_is_undone_if_somebody_insists() -> anyhow::Result<()> {
    let home = repaired()?;
    break_again(&home)?;
    home.done(&["run", "repair"])?;
    let _daemon = home.serve()?;
    let said = home.run(&["runs", "undo", "1", "--despite-later"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(home.verdicts()?, ["undone", "changed"]);
    Ok(())
}
