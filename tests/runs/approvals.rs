//! Plans that a person approves, with the real binary and its socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use anyhow::ensure;
use evenkeel_tests::alerts::Alert;
use evenkeel_tests::evenkeel::{BOUND, Home};
use evenkeel_tests::servers::Account;
use evenkeel_tests::wait::wait_until;
use serde_json::Value;

use crate::workshop::{ASSETS, HEALED, ON_ALERT_HEALED, ROLE, Repair, broken, fixes};

fn asks() -> Repair {
    Repair::new("repair", "fix").step("ask_from = \"low\"\nexpires = \"1h\"")
}

/// The same, and whoever asks may say yes.
fn alone() -> anyhow::Result<Home> {
    let settings = format!("[engine]\napprove_own = true\n{ROLE}");
    let text = asks().and(HEALED).text();
    Home::ready(&[
        ("evenkeel.toml", &settings),
        ("assets.toml", ASSETS),
        ("app/broken", ""),
        ("runbooks/repair.toml", &text),
    ])
}

fn pending(home: &Home) -> anyhow::Result<Vec<Value>> {
    Ok(serde_json::from_str(&home.done(&["approvals", "--json"])?.stdout)?)
}

#[test]
fn without_a_daemon_a_run_is_left_until_somebody_says_yes() -> anyhow::Result<()> {
    let home = alone()?;
    let said = home.run(&["run", "repair"])?;
    assert_eq!(said.code, 16, "{said:#?}");
    assert!(
        said.stderr.contains("`evenkeel approve 1` goes on with it"),
        "{said:#?}"
    );
    assert!(fixes(&home).is_empty());
    let told = home.done(&["approvals"])?.stdout;
    for part in [
        "run 1 (round 1): `repair` on `one`",
        "exec.run fix []",
        "it may use: run fix",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let plan = pending(&home)?[0]["plan"].as_str().unwrap_or_default().to_owned();
    let short = home.run(&["approve", "1", "--plan", &plan[..7]])?;
    assert_eq!((short.code, fixes(&home).len()), (1, 0), "{short:#?}");
    assert!(short.stderr.contains("8 or more digits"), "{short:#?}");
    let other = home.run(&["approve", "1", "--plan", "00000000"])?;
    assert!(other.stderr.contains("with another plan"), "{other:#?}");
    assert_eq!((other.code, fixes(&home).len()), (1, 0), "{other:#?}");
    let said = home.run(&["approve", "1", "--plan", &plan[..12], "--why", "it is night"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("verdict      repaired"), "{said:#?}");
    assert_eq!(fixes(&home), ["fixed"]);
    assert!(
        home.story(1)?.contains("approved it: it is night"),
        "{}",
        home.story(1)?
    );
    assert!(pending(&home)?.is_empty());
    Ok(())
}

#[test]
fn a_person_says_no_to_what_they_asked_for_and_not_yes() -> anyhow::Result<()> {
    let home = broken(&[asks()])?;
    assert_eq!(home.run(&["run", "repair"])?.code, 16);
    let own = home.run(&["approve", "1"])?;
    assert_eq!(own.code, 1);
    assert!(own.stderr.contains("approve_own = true"), "{own:#?}");
    let no = home.run(&["decline", "1"])?;
    assert_eq!(no.code, 13, "{no:#?}");
    assert!(fixes(&home).is_empty());
    let again = home.run(&["decline", "1"])?;
    assert!(again.stderr.contains("run 1 waits for nobody's approval"), "{again:#?}");
    Ok(())
}

#[test]
fn nobody_approves_their_own_through_a_daemon() -> anyhow::Result<()> {
    let home = broken(&[asks()])?;
    let daemon = home.serve()?;
    let mut follower = home.command()?.args(["run", "repair"]).stdout(Stdio::null()).spawn()?;
    let waits = || {
        ensure!(pending(&home)?.len() == 1);
        Ok(())
    };
    wait_until(BOUND, "the plan waits", waits);
    // The kernel says who talks to the socket, whatever the environment says.
    let mut approve = home.command()?;
    approve.args(["approve", "1"]).env("USER", "ada").env("LOGNAME", "ada");
    let own = approve.output()?;
    assert_eq!(own.status.code(), Some(1), "{own:#?}");
    let said = String::from_utf8(own.stderr)?;
    assert!(
        said.contains("asked for run 1, and nobody approves their own (`approve_own = true`"),
        "{said}"
    );
    let round = home.run(&["approve", "--round", "1"])?;
    assert!(
        round.code == 1 && round.stderr.contains("nobody approves their own"),
        "{round:#?}"
    );
    waits()?;
    assert_eq!(home.runs()?[0]["state"], "waiting");
    let story = home.story(1)?;
    assert!(!story.contains("approved it"), "{story}");
    let told = home.done(&["why"])?.stdout;
    for part in [
        "run 1 of `repair` on `one`: waits for an approval",
        "waits for a person who may talk to the daemon to approve the plan of step `repair` until",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(fixes(&home).is_empty());
    home.done(&["decline", "1"])?;
    assert_eq!(follower.wait()?.code(), Some(13));
    assert!(fixes(&home).is_empty());
    drop(daemon);
    Ok(())
}

/// Who is not root has no second user to try it with, and is told so.
#[test]
fn another_user_approves_and_is_who_the_kernel_says() -> anyhow::Result<()> {
    let other = Account::find()?;
    let (Some(name), Some(group)) = (other.name(), other.group()?) else {
        eprintln!("only root can be two users: what one user may do is tested beside this, and nothing here");
        return Ok(());
    };
    let home = broken(&[asks()])?;
    home.write("evenkeel.toml", &format!("[server]\ngroup = {group:?}\n{ROLE}"))?;
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
    let daemon = home.serve()?;
    let mut follower = home.command()?.args(["run", "repair"]).stdout(Stdio::null()).spawn()?;
    wait_until(BOUND, "the plan waits", || {
        ensure!(pending(&home)?.len() == 1);
        Ok(())
    });
    let mut approve = home.command()?;
    approve
        .args(["approve", "1", "--why", "it is night"])
        .env("USER", "root")
        .env("LOGNAME", "root");
    other.done(&mut approve)?;
    assert_eq!(follower.wait()?.code(), Some(0));
    assert_eq!(fixes(&home), ["fixed"]);
    let story = home.story(1)?;
    assert!(story.contains(&format!("{name} approved it: it is night")), "{story}");
    let changes = home.json(&["changes"])?;
    assert_eq!(changes[0]["approved_by"], serde_json::json!([name]), "{changes:#}");
    drop(daemon);
    Ok(())
}

#[test]
fn what_an_alert_started_waits_in_the_daemon_over_its_death() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")
        .step("ask_from = \"low\"")
        .and(ON_ALERT_HEALED)])?;
    let daemon = home.serve()?;
    let alert = Alert::new("Broken").label("asset", "one");
    daemon.push(&[alert.firing()])?;
    let asked = || {
        ensure!(pending(&home)?.len() == 1);
        Ok(())
    };
    wait_until(BOUND, "the plan waits", asked);
    assert_eq!(home.runs()?[0]["state"], "waiting");
    daemon.kill()?;
    assert_eq!(pending(&home)?.len(), 1, "it is read from the files");
    let daemon = home.serve()?;
    wait_until(BOUND, "the plan waits again", asked);
    daemon.push(&[alert.firing()])?;
    let said = home.done(&["approve", "--round", "1"])?;
    assert!(said.stdout.contains("run 1: approved by"), "{said:#?}");
    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "repaired", "{runs:#?}");
    assert_eq!(fixes(&home), ["fixed"]);
    Ok(())
}

#[test]
fn a_group_of_users_is_let_in() -> anyhow::Result<()> {
    let own = Command::new("id").arg("-gn").output()?;
    let settings = format!("[server]\ngroup = {:?}\n{ROLE}", String::from_utf8(own.stdout)?.trim());
    let home = Home::ready(&[("evenkeel.toml", &settings), ("assets.toml", ASSETS)])?;
    let daemon = home.serve()?;
    let mode =
        |path: &str| -> anyhow::Result<u32> { Ok(fs::metadata(home.path().join(path))?.permissions().mode() & 0o777) };
    assert_eq!((mode("data")?, mode("data/evenkeel.sock")?), (0o710, 0o660));
    assert_eq!(mode("data/home.key")? & 0o077, 0, "nothing else in it is theirs");
    home.done(&["approvals"])?;
    drop(daemon);
    home.write(
        "evenkeel.toml",
        &settings.replace("group = ", "group = \"no-such-group\" # "),
    )?;
    let said = home.run(&["serve"])?;
    assert!(said.stderr.contains("there is no group `no-such-group`"), "{said:#?}");
    Ok(())
}
