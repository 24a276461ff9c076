//! Where the calls of a measured step are recorded.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::{Calls, Durability, Journal as _, JournalError, NewRound, NewRun, Opened};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::invocation::{Key, Phase};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Mode, Occurrence};
use evenkeel_model::seal::{KEY, SALT, Seal};
use evenkeel_store::{Options, Store};

pub struct Nowhere;

#[async_trait]
impl Calls for Nowhere {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
        Ok(())
    }
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}

/// Nothing is recorded, and each call lets others go first, as one that waits for something would.
pub struct Yields;

#[async_trait]
impl Calls for Yields {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
        tokio::task::yield_now().await;
        Ok(())
    }
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}

/// Sealed, as the daemon's is.
pub fn store(home: &Path) -> Result<Store> {
    let options = Options {
        seal: Some(Seal::new(&[7; KEY], [7; SALT])),
        ..Options::default()
    };
    Ok(Store::open(&home.join("bench.db"), options)?)
}

/// In the store, sealed, as the engine has it written: with the next group, since no effect is made.
pub struct Stored {
    store: Arc<Store>,
    run: RunId,
}

impl Stored {
    pub async fn open(home: &Path) -> Result<Self> {
        let store = Arc::new(store(home)?);
        let occurrence = Occurrence::Person {
            runbook: "noop".into(),
            request: "bench".into(),
            who: "bench".into(),
        };
        let round = NewRound {
            occurrence,
            runbook: "noop".into(),
            text_hash: String::new(),
            text: String::new(),
            mode: Mode::Live,
            alert: None,
            input: serde_json::json!({}),
            targets: vec![NewRun::default()],
            override_freeze: None,
            asked_by: None,
            has_after: false,
        };
        match store.open(round, DateTime::<Utc>::UNIX_EPOCH).await? {
            Opened::New(_, runs) if runs.len() == 1 => Ok(Self { store, run: runs[0] }),
            other => bail!("the round was opened as {other:?}"),
        }
    }
}

#[async_trait]
impl Calls for Stored {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError> {
        let called = Body::Called {
            key: key(),
            n,
            call: call.cloned(),
            answer: answer.clone(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let at = DateTime::<Utc>::UNIX_EPOCH;
        self.store.append(self.run, at, vec![called], Durability::Group).await
    }
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}

/// The first call is never answered; counts the instances that wait.
#[derive(Default)]
pub struct Stuck(AtomicUsize);

impl Stuck {
    pub fn waiting(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub async fn wait(&self) -> Infallible {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

#[async_trait]
impl Calls for Stuck {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
        match self.wait().await {}
    }
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}

pub fn key() -> Key {
    Key {
        step: "noop".into(),
        phase: Phase::Check,
        action: None,
        attempt: 1,
    }
}
