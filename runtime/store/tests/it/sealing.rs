use std::fs;
use std::time::Instant;

use evenkeel_engine::port::{Durability, Journal as _};
use evenkeel_model::name::RunId;
use evenkeel_model::seal::Seal;
use evenkeel_store::{Options, Store, StoreError, sealed_with};

use crate::home::{Home, append, at, line, open_run};

const SAID: &str = "what a plugin said";

fn seal(key: u8) -> Seal {
    // Each start has a salt of its own.
    let salt = std::process::id().to_be_bytes().repeat(4).try_into().unwrap();
    Seal::new(&[key; 32], salt)
}

fn open(home: &Home, key: Option<u8>) -> Result<Store, StoreError> {
    let options = Options {
        seal: key.map(seal),
        ..Options::default()
    };
    Store::open(&home.path(), options)
}

/// In any of the files.
fn is_on_disk(home: &Home, text: &str) -> bool {
    fs::read_dir(home.dir.path()).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

async fn events(store: &Store, run: RunId) -> usize {
    store.events(run).await.unwrap().unwrap().len()
}

#[tokio::test]
async fn what_was_said_is_read_with_the_key_and_is_nowhere_on_disk_without_it() {
    let home = Home::new();
    let store = open(&home, Some(1)).unwrap();
    let run = open_run(&store, "request-7").await;
    append(&store, run, 1, vec![line(SAID)]).await;
    let read = store.events(run).await.unwrap().unwrap();
    assert_eq!(read[1].body, line(SAID));
    assert!(!is_on_disk(&home, SAID), "while it is open");
    drop(store);
    assert!(!is_on_disk(&home, SAID));
    let again = open(&home, Some(1)).unwrap();
    assert_eq!(again.events(run).await.unwrap().unwrap(), read);
}

#[tokio::test]
async fn another_key_or_none_opens_nothing_and_loses_nothing() {
    let home = Home::new();
    let store = open(&home, Some(1)).unwrap();
    let run = open_run(&store, "r").await;
    drop(store);
    assert_eq!(sealed_with(&home.path()).unwrap(), Some(seal(1).fingerprint()));
    for key in [Some(2), None] {
        let Err(error) = open(&home, key) else {
            panic!("it opened")
        };
        assert!(matches!(error, StoreError::Key { .. }), "{error}");
        assert!(
            error.to_string().contains("evenkeel.db` is sealed with another key"),
            "{error}"
        );
    }
    assert_eq!(events(&open(&home, Some(1)).unwrap(), run).await, 1);
}

#[tokio::test]
async fn a_journal_from_before_the_key_is_read_and_goes_on_sealed() {
    let home = Home::new();
    let store = open(&home, None).unwrap();
    let run = open_run(&store, "r").await;
    append(&store, run, 1, vec![line("open")]).await;
    drop(store);
    assert_eq!(sealed_with(&home.path()).unwrap(), None);
    let store = open(&home, Some(1)).unwrap();
    append(&store, run, 2, vec![line(SAID)]).await;
    let read = store.events(run).await.unwrap().unwrap();
    assert_eq!((&read[1].body, &read[2].body), (&line("open"), &line(SAID)));
    assert!(!is_on_disk(&home, SAID));
}

#[tokio::test]
async fn an_event_that_was_moved_or_changed_is_refused_by_its_number() {
    let home = Home::new();
    let store = open(&home, Some(1)).unwrap();
    let run = open_run(&store, "r").await;
    append(&store, run, 1, vec![line("one"), line("two")]).await;
    drop(store);
    let database = rusqlite::Connection::open(home.path()).unwrap();
    let moved = "UPDATE events SET sealed = (SELECT sealed FROM events WHERE seq = 2) WHERE seq = 3";
    database.execute(moved, []).unwrap();
    drop(database);
    let error = open(&home, Some(1)).unwrap().events(run).await.unwrap_err();
    assert!(error.to_string().contains("event 3 of run 1 can't be read"), "{error}");
}

/// `cargo test --release -p evenkeel-store sealing -- --nocapture` tells what an event costs.
#[tokio::test(flavor = "multi_thread")]
async fn sealed_and_plain_journals_take_as_many_events() {
    let text = "x".repeat(600);
    for key in [None, Some(1)] {
        let home = Home::new();
        let store = open(&home, key).unwrap();
        let run = open_run(&store, "r").await;
        let began = Instant::now();
        for _ in 0..200 {
            let bodies = vec![line(&text); 100];
            store.append(run, at(1), bodies, Durability::Group).await.unwrap();
        }
        append(&store, run, 2, vec![line("last")]).await;
        println!("sealed: {}: {:?} an event", key.is_some(), began.elapsed() / 20_000);
        assert_eq!(events(&store, run).await, 20_002);
    }
}

/// Delays of schedules depend on it: they are to stay the same over a restart, and to differ from another home's.
#[test]
fn a_home_s_word_is_that_of_its_key() {
    let home = Home::new();
    let word = |key| open(&Home::new(), key).unwrap().word_of_home();
    let ours = open(&home, Some(1)).unwrap().word_of_home();
    assert_eq!(open(&home, Some(1)).unwrap().word_of_home(), ours);
    assert_ne!(word(Some(2)), ours);
    assert_ne!(word(None), ours);
}
