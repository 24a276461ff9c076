//! A disk that is full.

use evenkeel_engine::port::{Durability, Journal as _};
use evenkeel_model::name::RunId;
use evenkeel_store::{Options, Store};

use crate::home::{Home, at, line, open_run, round};

const SMALL: u64 = 256 << 10;

fn small(home: &Home) -> Store {
    let options = Options {
        max_bytes: Some(SMALL),
        ..Options::default()
    };
    Store::open(&home.path(), options).unwrap()
}

/// Fills the disk with events of `run`, and says how many were acknowledged.
async fn fill(store: &Store, run: RunId) -> (usize, String) {
    let mut acknowledged = 0;
    loop {
        let bodies = vec![line(&"x".repeat(4_000))];
        match store.append(run, at(1), bodies, Durability::Disk).await {
            Ok(()) => acknowledged += 1,
            Err(error) => return (acknowledged, error.to_string()),
        }
        assert!(acknowledged < 1_000, "the limit does not hold");
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_the_append_and_loses_nothing_acknowledged() {
    let home = Home::new();
    let store = small(&home);
    let run = open_run(&store, "1").await;
    let (acknowledged, why) = fill(&store, run).await;
    assert_eq!(why, "the journal can't be written: database or disk is full");
    assert!(store.writable().await.is_ok(), "what needs no new page can be written");
    drop(store);
    let events = home.open().events(run).await.unwrap().unwrap();
    assert_eq!(events.len(), acknowledged + 1);
    assert!(events.iter().map(|event| event.seq).eq(1..=acknowledged as u64 + 1));
}

/// It begins anew beside a writer that never stops, and its file grows to that and no further.
#[tokio::test]
async fn the_log_of_a_busy_writer_stays_short() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..160 {
        let bodies = vec![line(&megabyte)];
        store.append(run, at(1), bodies, Durability::Disk).await.unwrap();
    }
    let log = std::fs::metadata(home.path().with_extension("db-wal")).unwrap().len();
    // Where a checkpoint is under way at that moment, it is begun anew 2 MiB later.
    assert!((60 << 20..76 << 20).contains(&log), "it has {log} bytes");
}

#[tokio::test]
async fn a_lost_event_stops_its_run_and_no_other() {
    let home = Home::new();
    let store = small(&home);
    let (run, other) = (open_run(&store, "1").await, open_run(&store, "2").await);
    let big = vec![line(&"x".repeat(SMALL as usize))];
    store.append(run, at(1), big, Durability::Group).await.unwrap();
    let after = store.append(run, at(2), vec![line("after")], Durability::Disk).await;
    let why = after.unwrap_err().to_string();
    assert!(
        why.contains("an earlier event of run 1 was lost: database or disk is full"),
        "{why}"
    );
    store
        .append(other, at(2), vec![line("fine")], Durability::Disk)
        .await
        .unwrap();
    assert_eq!(store.events(run).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_that_is_taken_on_anew_goes_on_after_what_was_lost() {
    let home = Home::new();
    let store = small(&home);
    let run = open_run(&store, "1").await;
    let big = vec![line(&"x".repeat(SMALL as usize))];
    store.append(run, at(1), big, Durability::Group).await.unwrap();
    let events = store.take_on(run).await.unwrap().unwrap();
    assert_eq!(events.len(), 1, "what was lost is not there");
    store
        .append(run, at(2), vec![line("after")], Durability::Disk)
        .await
        .unwrap();
    let events = store.events(run).await.unwrap().unwrap();
    assert!(events.iter().map(|event| event.seq).eq(1..=2));
}

#[tokio::test]
async fn one_bad_write_does_not_fail_those_beside_it() {
    let home = Home::new();
    let store = small(&home);
    let run = open_run(&store, "1").await;
    let other = open_run(&store, "2").await;
    let big = store.append(run, at(1), vec![line(&"x".repeat(SMALL as usize))], Durability::Disk);
    let good = store.append(other, at(1), vec![line("good")], Durability::Disk);
    let round = store.open(round("3"), at(1));
    let (big, good, round) = tokio::join!(big, good, round);
    assert!(big.is_err());
    good.unwrap();
    round.unwrap();
}
