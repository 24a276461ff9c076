//! The calls of one invocation, as events of its run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::invocation::Key;
use evenkeel_model::run::Body;
use evenkeel_model::tape::Tape;

use super::Recorder;
use crate::port::{Calls, JournalError};

/// Between two progress events of an invocation, unless one says that all is done.
const PROGRESS_EVERY: TimeDelta = TimeDelta::milliseconds(200);

/// Where one invocation's calls are recorded.
pub(crate) struct InvocationCalls {
    recorder: Arc<Recorder>,
    key: Key,
    /// False once the invocation has ended: what comes later is nobody's.
    open: AtomicBool,
    progressed_at: Mutex<Option<DateTime<Utc>>>,
    /// Lines that are recorded already: an invocation that is gone on with says them again.
    said: AtomicU64,
}

impl InvocationCalls {
    /// Of its log, the first `said` lines are left out.
    pub(crate) fn new(recorder: Arc<Recorder>, key: Key, said: u64) -> Arc<Self> {
        Arc::new(Self {
            recorder,
            key,
            open: AtomicBool::new(true),
            progressed_at: Mutex::new(None),
            said: AtomicU64::new(said),
        })
    }

    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    fn is_open(&self) -> Result<(), JournalError> {
        if self.open.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(JournalError {
            action: "written",
            cause: format!("the {} of `{}` has ended", self.key.phase, self.key.step),
        })
    }

    fn note(&self, body: Body) {
        if self.is_open().is_ok() {
            self.recorder.note(body);
        }
    }
}

#[async_trait]
impl Calls for InvocationCalls {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        self.is_open()?;
        let key = self.key.clone();
        let call = call.clone();
        self.recorder.append(vec![Body::Intended { key, n, call }]).await
    }

    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError> {
        self.is_open()?;
        let called = Body::Called {
            key: self.key.clone(),
            n,
            call: call.cloned(),
            answer: answer.clone(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.recorder.append(vec![called]).await
    }

    fn sensed(&self, tape: Tape) {
        let key = self.key.clone();
        self.note(Body::Sensed { key, tape });
    }

    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        let less = |said: u64| said.checked_sub(1);
        if self
            .said
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
        {
            return;
        }
        let key = self.key.clone();
        self.note(Body::Logged {
            key,
            level,
            message,
            fields,
        });
    }

    fn logs_dropped(&self, lines: u64) {
        let key = self.key.clone();
        self.note(Body::LogsDropped { key, lines });
    }

    fn progress(&self, permille: u16, note: String) {
        let now = self.recorder.clock.now();
        {
            let mut last = self.progressed_at.lock().unwrap_or_else(PoisonError::into_inner);
            if permille < 1000 && last.is_some_and(|last| now - last < PROGRESS_EVERY) {
                return;
            }
            *last = Some(now);
        }
        let key = self.key.clone();
        self.note(Body::Progressed { key, permille, note });
    }
}
