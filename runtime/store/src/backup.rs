//! Copies of the journal as it is at one moment, also while a daemon writes it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_engine::port::{Durability, Journal as _, JournalError};
use evenkeel_model::run::Body;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::open::{Store, StoreError, connect, explain};
use crate::rows::micros;

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub schema: i64,
    pub runs: u64,
    pub unfinished: u64,
    pub events: u64,
    pub changes: u64,
    /// The last change record's hash; none: there are no records.
    pub head: Option<String>,
}

/// Copies the journal at `from` to a new file, which has only what is in use. Writers go on meanwhile:
/// the copy is read within one transaction, during which the write-ahead log grows.
///
/// # Errors
/// If `from` can't be read, or `to` is there already or can't be written; then it is not there.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let unwritten = |error: std::io::Error| StoreError::Open {
        path: to.to_owned(),
        cause: error.to_string(),
    };
    // Empty, and nobody else's: SQLite writes into it.
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(to);
    drop(made.map_err(unwritten)?);
    let copied = || {
        let connection = connect(from, Duration::from_secs(30))?;
        let name = to.to_string_lossy();
        connection.execute("VACUUM INTO ?1", [&*name]).map(drop)
    };
    let written = copied().map_err(|error| explain(from, &error));
    let settled = written.and_then(|()| File::open(to).and_then(|file| file.sync_all()).map_err(unwritten));
    if settled.is_err() {
        // It is no copy.
        let _ = std::fs::remove_file(to);
    }
    settled
}

/// Looks through a whole copy, and says what is in it.
///
/// # Errors
/// If it is damaged, or no journal.
pub fn examine(path: &Path) -> Result<Contents, StoreError> {
    if !path.exists() {
        return Err(StoreError::Open {
            path: path.to_owned(),
            cause: "there is no such file".to_owned(),
        });
    }
    let look = || {
        let connection = connect(path, Duration::from_secs(30))?;
        connection.pragma_update(None, "query_only", true)?;
        let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        Ok((sound, contents(&connection)?))
    };
    let (sound, contents) = look().map_err(|error| explain(path, &error))?;
    match sound.as_str() {
        "ok" => Ok(contents),
        cause => Err(StoreError::Damaged {
            path: path.to_owned(),
            cause: cause.to_owned(),
        }),
    }
}

fn contents(connection: &Connection) -> rusqlite::Result<Contents> {
    let schema: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let count = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    };
    let has_changes = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'changes'", [], |_| Ok(()))
        .optional()?;
    let (changes, head) = match has_changes {
        Some(()) => (
            count("SELECT count(*) FROM changes")?,
            connection
                .query_row("SELECT hash FROM changes ORDER BY seq DESC LIMIT 1", [], |row| {
                    row.get(0)
                })
                .optional()?,
        ),
        None => (0, None),
    };
    Ok(Contents {
        schema,
        runs: count("SELECT count(*) FROM runs")?,
        unfinished: count("SELECT count(*) FROM runs WHERE state <> 'finished'")?,
        events: count("SELECT count(*) FROM events")?,
        changes,
        head,
    })
}

impl Store {
    /// Makes a journal out of a backup the one to go on with: nobody knows what happened since it was
    /// taken. A run that was under way ends when it is taken up, and says so; ticks up to now are
    /// not made up for. Answers how many runs that are.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn settle_restored(&self, taken_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<usize, JournalError> {
        let runs = self.unfinished().await?;
        for run in &runs {
            let restored = vec![Body::Restored { taken_at }];
            self.append(run.run, now, restored, Durability::Disk).await?;
        }
        let seen = move |connection: &Connection| {
            connection
                .execute("UPDATE ticks SET at = max(at, ?1)", params![micros(now)])
                .map(drop)
        };
        let written = self.writer.write(Durability::Disk, seen).await;
        written.map_err(|cause| JournalError {
            action: "written",
            cause,
        })?;
        Ok(runs.len())
    }
}
