//! The daemon's life: one a home, asked over its socket, and gone only when its work is done.

use std::process::Stdio;

use evenkeel_tests::{evenkeel::BOUND, process, wait::wait_until};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::workshop::{Repair, broken, fixes, go, is_broken, wait_for_fixes};

#[test]
fn a_second_daemon_is_refused_with_the_pid_of_the_first() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let daemon = home.serve()?;

    let said = home.run(&["serve", "--listen", "127.0.0.1:0"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains(&format!("process {}", daemon.id())), "{said:#?}");
    assert_eq!(daemon.get("/healthz")?.status, 200);
    home.done(&["run", "repair"])?;
    Ok(())
}

#[test]
fn a_run_is_the_daemon_s_if_there_is_one_and_its_own_if_not() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow")])?;
    let daemon = home.serve()?;
    let mut follower = home.command()?.args(["run", "repair"]).stdout(Stdio::null()).spawn()?;
    wait_for_fixes(&home, 1);
    // The run is not its follower's: it goes on without.
    follower.kill()?;
    follower.wait()?;
    go(&home)?;
    assert_eq!(home.finished(1)[0]["verdict"], "changed");
    assert!(daemon.terminate()?.success());

    std::fs::remove_file(home.path().join("app/go"))?;
    home.write("app/broken", "")?;
    let mut alone = home.command()?.args(["run", "repair"]).stdout(Stdio::null()).spawn()?;
    wait_for_fixes(&home, 2);
    let said = home.run(&["run", "repair"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stderr
            .contains(&format!("process {} works on this home", alone.id())),
        "{said:#?}"
    );
    let listed = home.runs()?;
    assert_eq!(listed[1]["state"], "running", "runs can be read meanwhile");
    go(&home)?;
    assert!(alone.wait()?.success());
    Ok(())
}

#[test]
fn sigterm_lets_a_run_finish_and_starts_none() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow")])?;
    let daemon = home.serve()?;
    let follower = home.command()?.args(["run", "repair"]).stdout(Stdio::piped()).spawn()?;
    wait_for_fixes(&home, 1);

    daemon.signal(Signal::SIGTERM)?;
    wait_until(BOUND, "the daemon says that it stops", || {
        let health = daemon.get("/healthz")?;
        anyhow::ensure!(health.status == 503 && health.body.contains("stopping"), "{health:#?}");
        Ok(())
    });
    let said = home.run(&["run", "repair"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("the daemon is stopping"), "{said:#?}");
    go(&home)?;

    let followed = follower.wait_with_output()?;
    assert!(followed.status.success(), "{followed:?}");
    let log = daemon.log();
    assert!(daemon.terminate().map_or(true, |status| status.success()), "{log}");
    assert_eq!(home.verdicts()?, ["changed"]);
    assert_eq!(fixes(&home), ["begun"]);
    assert!(!home.path().join("data/evenkeel.sock").exists(), "the socket is left");
    Ok(())
}

#[test]
fn a_follower_tells_the_end_although_the_daemon_is_gone() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow")])?;
    let daemon = home.serve()?;
    let follower = home.command()?.args(["run", "repair"]).stdout(Stdio::piped()).spawn()?;
    wait_for_fixes(&home, 1);

    let follower_pid = Pid::from_raw(i32::try_from(follower.id())?);
    signal::kill(follower_pid, Signal::SIGSTOP)?;
    go(&home)?;
    assert!(daemon.terminate()?.success());
    signal::kill(follower_pid, Signal::SIGCONT)?;

    let followed = follower.wait_with_output()?;
    assert!(followed.status.success(), "{followed:?}");
    assert!(
        String::from_utf8_lossy(&followed.stdout).contains("changed"),
        "{followed:?}"
    );
    Ok(())
}

#[test]
fn what_has_not_finished_when_the_drain_is_over_is_left_to_the_next_start() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "slow")])?;
    let address = format!("127.0.0.1:{}", process::free_port()?);
    let mut daemon = home.serve_at(&address, &["--drain", "200ms"])?;
    let mut follower = home
        .command()?
        .args(["run", "repair"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    wait_for_fixes(&home, 1);

    daemon.signal(Signal::SIGTERM)?;
    let line = daemon.wait_for_log(&["left to the next start"])?;

    assert!(line.contains("run=1"), "{line}");
    let status = wait_until(BOUND, "the follower ends", || {
        follower.try_wait()?.ok_or_else(|| anyhow::anyhow!("it follows"))
    });
    assert!(!status.success(), "a run without a verdict is no success");
    drop(daemon);
    assert_eq!(home.runs()?[0]["verdict"], serde_json::Value::Null);
    let _daemon = home.serve()?;
    assert_eq!(home.finished(1)[0]["verdict"], "unknown");
    assert_eq!(fixes(&home), ["begun"]);
    go(&home)?;
    Ok(())
}

#[test]
fn ctrl_c_ends_a_daemon_too() -> anyhow::Result<()> {
    let home = broken(&[])?;
    let daemon = home.serve()?;
    daemon.signal(Signal::SIGINT)?;
    wait_until(BOUND, "it has ended", || {
        anyhow::ensure!(daemon.get("/healthz").is_err(), "it answers");
        Ok(())
    });
    assert_eq!(home.run(&["runs", "list"])?.code, 0);
    Ok(())
}

/// A power cut leaves its socket and its lock file behind.
#[test]
fn what_a_dead_daemon_left_is_in_nobody_s_way() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    home.serve()?.kill()?;
    assert!(home.path().join("data/evenkeel.sock").exists());

    assert_eq!(home.runs()?.len(), 0);
    home.done(&["run", "repair"])?;
    let _daemon = home.serve()?;
    assert_eq!(home.runs()?.len(), 1);
    assert!(!is_broken(&home));
    Ok(())
}

#[test]
fn an_address_in_use_is_said_with_the_fix() -> anyhow::Result<()> {
    let home = broken(&[])?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let said = home.run(&["serve", "--listen", &address])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains(&format!("can't listen on {address}")), "{said:#?}");
    assert!(said.stderr.contains("`--listen` names another address"), "{said:#?}");
    Ok(())
}

#[test]
fn the_log_is_json_if_it_is_asked_for() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let address = format!("127.0.0.1:{}", process::free_port()?);
    let daemon = home.serve_at(&address, &["--log-format", "json"])?;
    home.done(&["run", "repair"])?;
    daemon.push(&[serde_json::json!({ "labels": { "alertname": "\u{1b}[2J\nx" } })])?;
    let log = daemon.log();
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
    }
    Ok(())
}
