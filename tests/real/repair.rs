//! The task board fills its cache, a real Prometheus sees it, and evenkeel repairs it, once.

use std::path::Path;

use anyhow::ensure;
use evenkeel_tests::{
    board::Board,
    evenkeel::{BOUND, Daemon, Home},
    servers::{Alertmanager, Prometheus},
    wait::wait_until,
};

const RULES: &str = r#"
groups:
  - name: taskboard
    rules:
      - alert: SessionCacheFull
        expr: taskboard_cache_files > 50
        for: 2s
        labels: { severity: critical }
        annotations: { summary: "{{ $value }} session files at {{ $labels.instance }}" }
"#;

/// More visitors than the rule allows sessions.
const VISITORS: usize = 60;

const ASSETS: &str = r#"
[[asset]]
id = "board"
role = "board"
address = "127.0.0.1"
"#;

/// Waits until the test has seen the alert sent again. Then the sessions are cleared, and the
/// page has only one visitor: who asks.
const CLEAR: &str = r#"
name = "clear-sessions"
summary = "Clears the session cache of the board"

[[on]]
alert = "SessionCacheFull"
match = 'severity="critical"'

[targets]
select = 'role="board"'

[limits]
cooldown = "0s"

[[step]]
id = "wait"
uses = "command/check@1"
with = { profile = "wait" }
grant = { exec = ["run wait"] }
timeout = "5m"

[[step]]
id = "page"
uses = "http-probe@1"
with = { origin = "page", contains = ["1 visitor here"] }
grant = { http = ["GET page"] }

[[step]]
id = "clear"
uses = "cache-clean@1"
when = "steps.page.severity == 'critical'"
with = { root = "sessions", older_than = "0s" }
grant = { files = ["read sessions", "remove sessions"] }

[healed]
rerun = "page"
within = "20s"
"#;

fn home(board: &Board) -> anyhow::Result<Home> {
    let role = format!(
        "[role.board.roots.sessions]\npath = \"{}\"\nallow = [\"read\", \"remove\"]\n\n\
         [role.board.origins.page]\nurl = \"{}\"\nallow = [\"GET\"]\n\n\
         [role.board.exec.wait]\n\
         command = [\"sh\", \"-c\", \"until [ -e go ] || [ ! -e assets.toml ]; do sleep 0.05; done\"]\n\
         read_only = true\ntimeout = \"5m\"\n",
        board.cache.display(),
        board.url,
    );
    Home::ready(&[
        ("evenkeel.toml", &role),
        ("assets.toml", ASSETS),
        ("runbooks/clear-sessions.toml", CLEAR),
    ])
}

fn received(daemon: &Daemon) -> anyhow::Result<f64> {
    daemon.metric("evenkeel_alerts_received_total", &[])
}

/// Waits until so many more alerts have come in.
#[track_caller]
fn wait_for_more(daemon: &Daemon, count: f64) {
    let before = received(daemon).expect("the daemon answers");
    wait_until(BOUND, &format!("{count} more alerts"), || {
        let now = received(daemon)?;
        ensure!(now >= before + count, "there were {before} and now there are {now}");
        Ok(())
    });
}

/// From the full cache to the resolved alert, which is sent again and again all the while.
#[track_caller]
fn assert_repaired_once(home: &Home, daemon: &Daemon, board: &Board, prometheus: &Prometheus) -> anyhow::Result<()> {
    board.visit(VISITORS)?;
    home.wait_for_state(1, "running");
    wait_for_more(daemon, 3.0);
    assert_eq!(prometheus.alert_state("SessionCacheFull")?.as_deref(), Some("firing"));
    assert_eq!(daemon.metric("evenkeel_alert_edges_total", &[])?, 1.0, "it fired once");
    home.write("go", "")?;

    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "repaired", "{}", home.story(1)?);
    wait_until(BOUND, "the alert is resolved where it was raised", || {
        let state = prometheus.alert_state("SessionCacheFull")?;
        ensure!(state.is_none(), "it is {state:?}");
        Ok(())
    });
    wait_until(BOUND, "the resolve has come in", || {
        let edges = daemon.metric("evenkeel_alert_edges_total", &[])?;
        ensure!(edges >= 2.0, "{edges} edges");
        Ok(())
    });

    // Each look at the page leaves a session.
    assert!(board.cache_files()? < 10, "{} files are left", board.cache_files()?);
    let story = home.story(1)?;
    assert!(story.contains(&format!("instance=\"{}\"", board.address())), "{story}");
    assert!(story.contains("removed "), "{story}");
    Ok(())
}

#[track_caller]
fn assert_one_run(home: &Home) -> anyhow::Result<()> {
    let runs = home.runs()?;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    Ok(())
}

fn board(directory: &Path) -> anyhow::Result<(Board, Home)> {
    let board = Board::start(directory)?;
    let home = home(&board)?;
    Ok((board, home))
}

#[test]
fn what_a_real_prometheus_pushes_is_repaired_once() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (board, home) = board(directory.path())?;
    let daemon = home.serve()?;
    let prometheus = Prometheus::start(directory.path(), &[board.address()], RULES, daemon.address())?;

    assert_repaired_once(&home, &daemon, &board, &prometheus)?;

    // A Prometheus goes on to send the resolve for a quarter of an hour.
    wait_for_more(&daemon, 2.0);
    assert_eq!(
        daemon.metric("evenkeel_alert_edges_total", &[])?,
        2.0,
        "it resolved once"
    );
    assert_one_run(&home)?;
    // And to a daemon that has been restarted meanwhile.
    let address = daemon.address().to_owned();
    assert!(daemon.terminate()?.success());
    let daemon = home.serve_at(&address, &[])?;
    wait_for_more(&daemon, 2.0);
    assert_eq!(daemon.metric("evenkeel_alert_edges_total", &[])?, 0.0);
    assert_one_run(&home)
}

#[test]
fn what_a_real_alertmanager_sends_to_its_webhook_is_repaired_once() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (board, home) = board(directory.path())?;
    let daemon = home.serve()?;
    let webhook = format!("{}/api/v1/alertmanager", daemon.url);
    let alertmanager = Alertmanager::start(directory.path(), &webhook)?;
    let prometheus = Prometheus::start(directory.path(), &[board.address()], RULES, &alertmanager.address)?;

    assert_repaired_once(&home, &daemon, &board, &prometheus)?;

    assert_eq!(
        daemon.metric("evenkeel_alert_edges_total", &[])?,
        2.0,
        "it resolved once"
    );
    assert_one_run(&home)
}
