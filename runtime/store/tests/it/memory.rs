//! What plugins remember.

use std::sync::atomic::{AtomicU32, Ordering};

use evenkeel_engine::port::memory::{Memory as _, MemoryError, Owner, Put, Usage};
use evenkeel_store::{Options, Store};

use crate::home::{Home, append, line, open_run};

#[path = "../../../engine/contract/memory.rs"]
mod contract;

fn owner(plugin: &str) -> Owner {
    Owner {
        plugin: plugin.to_owned(),
        runbook: "disk".into(),
        step: "look".into(),
        target: "app-1".into(),
    }
}

fn put(value: &[u8], write: &str) -> Put {
    Put {
        value: value.to_vec(),
        if_version: None,
        write: write.to_owned(),
        quota: Usage { keys: 10, bytes: 1_000 },
    }
}

#[test]
fn it_keeps_the_contract_of_a_memory() {
    let home = Home::new();
    let made = AtomicU32::new(0);
    contract::holds(|| {
        let file = format!("{}.db", made.fetch_add(1, Ordering::Relaxed));
        Store::open(&home.dir.path().join(file), Options::default()).unwrap()
    });
}

#[tokio::test]
async fn what_was_put_is_there_after_a_restart_and_the_same_write_changes_nothing() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(
        store.put(&owner("a"), "key", put(b"one", "1/look/check//1/0")).await,
        Ok(1)
    );
    drop(store);

    let store = home.open();
    let over_nothing = Put {
        if_version: Some(0),
        ..put(b"one", "1/look/check//1/0")
    };
    assert_eq!(
        store.put(&owner("a"), "key", over_nothing.clone()).await,
        Ok(1),
        "as it was answered the first time"
    );
    let another = Put {
        write: "2/look/check//1/0".to_owned(),
        ..over_nothing
    };
    assert_eq!(store.put(&owner("a"), "key", another).await, Err(MemoryError::Conflict));
    assert_eq!(
        store.get(&owner("b"), "key").await,
        Ok(None),
        "another plugin has its own"
    );
}

/// The next durable point of any run takes it along.
#[tokio::test]
async fn a_put_is_on_disk_with_the_next_durable_point() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    store.put(&owner("a"), "key", put(b"one", "w")).await.unwrap();
    append(&store, run, 1, vec![line("durable")]).await;
    // As after a crash: another look at the files while the first is still open.
    let copy = Home::new();
    for name in ["evenkeel.db", "evenkeel.db-wal"] {
        std::fs::copy(home.dir.path().join(name), copy.dir.path().join(name)).unwrap();
    }
    let copied: Store = copy.open();
    assert_eq!(copied.get(&owner("a"), "key").await.unwrap().unwrap().value, b"one");
}

#[tokio::test]
async fn a_quota_that_was_lowered_lets_a_memory_shrink_and_not_grow() {
    let home = Home::new();
    let store = home.open();
    store.put(&owner("a"), "key", put(&[1; 100], "1")).await.unwrap();
    let lowered = |value: usize, write: &str| Put {
        quota: Usage { keys: 10, bytes: 50 },
        ..put(&vec![2; value], write)
    };
    let store = &store;
    let a = &owner("a");
    assert_eq!(store.put(a, "key", lowered(101, "2")).await, Err(MemoryError::Quota));
    assert_eq!(store.put(a, "other", lowered(0, "3")).await, Err(MemoryError::Quota));
    assert_eq!(store.put(a, "key", lowered(90, "4")).await, Ok(2));
    assert_eq!(store.usage(a).await, Ok(Usage { keys: 1, bytes: 93 }));
}
