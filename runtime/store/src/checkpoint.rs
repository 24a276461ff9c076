//! Moves what is in the write-ahead log into the database, off the writer's thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

const EVERY: Duration = Duration::from_millis(500);
/// From this size of the log on it is copied.
const WORTHWHILE: u64 = 4 << 20;
/// Copying beside a busy writer never gets to the end of the log, and only then it begins anew.
/// From this size on the writer is asked to wait for it once; little is left to copy then.
const TOO_LONG: u64 = 64 << 20;

/// Dropping it ends the thread.
pub struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub fn start(connection: Connection, database: &Path, truncate: Arc<AtomicBool>) -> std::io::Result<Self> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (stop, stopped) = channel();
        let thread = Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || watch(&connection, &log, &truncate, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked there is nothing left to end.
            let _ = thread.join();
        }
    }
}

fn watch(connection: &Connection, log: &Path, truncate: &AtomicBool, stopped: &Receiver<()>) {
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let size = std::fs::metadata(log).map_or(0, |log| log.len());
        if size < WORTHWHILE {
            continue;
        }
        match copy(connection) {
            Ok(rest) if rest > 0 && size > TOO_LONG => truncate.store(true, Ordering::Relaxed),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log can't be checkpointed"),
        }
    }
}

/// How many pages of the log are left to copy.
fn copy(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })
}
