//! Moves what is in the write-ahead log into the database, off the writer's thread.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

/// Pages (4 KiB) that are worth copying: most of them are written again and again, and copied once then.
const WORTHWHILE: u32 = 4_096;
/// Copying beside a busy writer never gets to the end of the log, and only then it begins anew.
/// From so many pages on the writer waits for it once; little is left to copy then.
const TOO_LONG: u32 = 16_384;
/// So many pages before that it is copied once more; so many after it, it is waited for again.
const LITTLE: u32 = 512;
/// How long the writer waits for readers who still look at the log.
const PATIENCE: Duration = Duration::from_millis(20);
/// What the file is cut down to when the log begins anew: not below what it grows to. What is written over something is
/// on disk sooner than what makes the file longer.
const FILE_BYTES: i64 = (TOO_LONG as i64) << 12;

thread_local! {
    /// Pages in the log after the last commit of the connection that writes on this thread.
    static PAGES: Cell<u32> = const { Cell::new(0) };
}

/// Makes a connection that writes leave the log to others. (Its hook is what SQLite's own
/// checkpoints would hang on.)
pub fn enter(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update_and_check(None, "journal_size_limit", FILE_BYTES, |_| Ok(()))?;
    connection.wal_hook(Some(|_, pages| {
        PAGES.set(pages.unsigned_abs());
        Ok(())
    }));
    Ok(())
}

/// Dropping it ends the thread, once every [`Log`] is gone.
pub struct Checkpointer {
    trigger: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub fn start(connection: Connection) -> std::io::Result<Self> {
        let (trigger, triggered) = sync_channel(1);
        let thread = Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || copy(&connection, &triggered))?;
        Ok(Self {
            trigger: Some(trigger),
            thread: Some(thread),
        })
    }

    pub fn trigger(&self) -> Log {
        Log {
            trigger: self.trigger.clone(),
            copy_at: Cell::new(WORTHWHILE),
            restart_at: Cell::new(TOO_LONG),
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.trigger.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked there is nothing left to end.
            let _ = thread.join();
        }
    }
}

fn copy(connection: &Connection, triggered: &Receiver<()>) {
    while triggered.recv().is_ok() {
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log can't be checkpointed");
        }
    }
}

/// The writer's side of it.
pub struct Log {
    trigger: Option<SyncSender<()>>,
    /// The number of pages at which it is copied next.
    copy_at: Cell<u32>,
    /// The number of pages at which the writer begins it anew.
    restart_at: Cell<u32>,
}

impl Log {
    /// Called on the writer's thread, between two transactions.
    pub fn keep_short(&self, connection: &Connection) {
        let pages = PAGES.get();
        if pages < WORTHWHILE {
            self.copy_at.set(WORTHWHILE);
            self.restart_at.set(TOO_LONG);
            return;
        }
        if pages >= self.copy_at.get() {
            self.copy_at.set(copied_next(pages));
            if let Some(trigger) = &self.trigger {
                // Full: it is at it already.
                let _ = trigger.try_send(());
            }
        }
        if pages >= self.restart_at.get() {
            // It begins with the next commit, unless a reader still looks at it.
            self.restart_at.set(pages + LITTLE);
            if let Err(error) = restart(connection) {
                tracing::warn!(%error, "the write-ahead log can't be begun anew");
            }
        }
    }
}

/// The number of pages at which a log of so many is copied next.
fn copied_next(pages: u32) -> u32 {
    let last = TOO_LONG - LITTLE;
    let next = pages + WORTHWHILE;
    if pages < last { next.min(last) } else { next }
}

fn restart(connection: &Connection) -> rusqlite::Result<()> {
    let patience: i64 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    connection.busy_timeout(PATIENCE)?;
    let restarted = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
    connection.busy_timeout(Duration::from_millis(patience.unsigned_abs()))?;
    restarted
}
