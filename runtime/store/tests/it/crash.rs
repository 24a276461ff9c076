//! A process that is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use evenkeel_alerting::port::Memory as _;
use evenkeel_engine::port::{Alerts as _, Journal as _};
use evenkeel_model::name::RunId;
use evenkeel_store::{Options, Store};

use crate::home::{Home, alert, append, at, line, open_run};

const DATABASE: &str = "EVENKEEL_TEST_DATABASE";

/// What the killed process does; run by itself, it has nothing to do.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's own process is told by its environment"
)]
async fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let store = Store::open(Path::new(&path), Options::default()).unwrap();
    let run = open_run(&store, "1").await;
    for n in 1_i64.. {
        append(&store, run, n, vec![line(&n.to_string())]).await;
        store
            .accept(vec![alert(&format!("Alert{n}"), 0, 9)], at(0))
            .await
            .unwrap();
        // The harness ends its own line first.
        writeln!(std::io::stderr(), "acknowledged {n}").unwrap();
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test kills a process of its own")]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let home = Home::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_process_that_is_killed", "--nocapture"])
        .env(DATABASE, home.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut acknowledged = 0;
    for line in lines {
        if let Some(n) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged = n.parse::<usize>().unwrap();
        }
        if acknowledged == 50 {
            // SIGKILL.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged >= 50);

    let store = home.open();
    let events = store.events(RunId(1)).await.unwrap().unwrap();
    assert!(
        events.len() > acknowledged,
        "{} events of {acknowledged}",
        events.len() - 1
    );
    assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
    assert!(store.pending(usize::MAX).await.unwrap().len() >= acknowledged);
    assert_eq!(store.unfinished().await.unwrap().len(), 1);
}
