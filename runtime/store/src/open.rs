//! Opening the database, and what can be wrong with it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::name::RunId;
use evenkeel_model::seal::Seal;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Notify, broadcast};

use crate::checkpoint::{self, Checkpointer};
use crate::migrations;
use crate::reader::Readers;
use crate::sealed;
use crate::writer::{Counts, Writer};

/// `PRAGMA application_id`: the letters `evkl`, so that nobody else's database is written to.
pub const APPLICATION: i64 = 0x6576_6b6c;

#[derive(Clone, Debug)]
pub struct Options {
    /// Reads at once.
    pub readers: usize,
    /// Writes that wait for the next group; whoever brings one more waits too.
    pub queue: usize,
    /// The database may not grow past it: writes fail as on a full disk. None: no limit.
    pub max_bytes: Option<u64>,
    /// How long another program may keep the database from us before that is an error.
    pub patience: Duration,
    /// What events are sealed with; None: they are not, and a sealed journal is not opened.
    pub seal: Option<Seal>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 4_096,
            max_bytes: None,
            patience: Duration::from_secs(5),
            seal: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{}` can't be opened: {cause}", path.display())]
    Open { path: PathBuf, cause: String },
    #[error("`{}` is not a database of evenkeel: move it away, or name another file", path.display())]
    Foreign { path: PathBuf },
    #[error("`{}` is in use by another program; is another daemon running?", path.display())]
    Locked { path: PathBuf },
    #[error("`{}` was written by a newer evenkeel (schema {found}; this one knows up to {known}): upgrade evenkeel", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("`{}` is damaged ({cause}): restore it from a backup", path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("`{}` is sealed with another key ({sealed}) than the home's: put the key back that it was sealed with; nothing was changed", path.display())]
    Key { path: PathBuf, sealed: String },
}

/// The journal, the memory of alerts, and what else is kept. Dropping it writes out what is
/// queued and closes the files.
pub struct Store {
    pub(crate) writer: Writer,
    pub(crate) readers: Arc<Readers>,
    pub(crate) seal: Option<Seal>,
    /// Edges of alerts were written.
    pub(crate) news: Arc<Notify>,
    // Stops its thread when dropped.
    _checkpointer: Checkpointer,
}

impl Store {
    /// Opens the database at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// If the file can't be used, or is another program's, a newer version's, or damaged.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let failed = |error| explain(path, &error);
        create(path).map_err(|error| StoreError::Open {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        let mut connection = connect(path, options.patience).map_err(failed)?;
        let found = identify(&connection, path)?;
        enter_wal(&connection, path)?;
        sealed::check(&connection, found, options.seal.as_ref(), path)?;
        migrations::migrate(&mut connection, found).map_err(failed)?;
        sealed::claim(&connection, options.seal.as_ref()).map_err(failed)?;
        limit(&connection, options.max_bytes).map_err(failed)?;
        let readers = Arc::new(Readers::new(path.to_owned(), options.readers, options.patience));
        let threadless = |error: std::io::Error| StoreError::Open {
            path: path.to_owned(),
            cause: format!("its thread can't be started: {error}"),
        };
        let background = connect(path, options.patience).map_err(failed)?;
        let checkpointer = Checkpointer::start(background).map_err(threadless)?;
        let writer = Writer::start(connection, options.queue, checkpointer.trigger()).map_err(threadless)?;
        Ok(Self {
            writer,
            readers,
            seal: options.seal,
            news: Arc::default(),
            _checkpointer: checkpointer,
        })
    }

    /// Runs that got new events, as they are written. A receiver that falls behind is told so.
    pub fn appended(&self) -> broadcast::Receiver<RunId> {
        self.writer.appended.subscribe()
    }

    /// What was written since it was opened.
    pub fn counts(&self) -> Counts {
        self.writer.counts()
    }

    /// Whether it can be written: what the last write came to, tried again if it failed.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn writable(&self) -> Result<(), String> {
        if self.writer.failure().is_none() {
            return Ok(());
        }
        self.writer.probe().await
    }
}

/// Only its owner may read it: what plugins saw is in it. SQLite gives its other files the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn connect(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    // KiB, as a negative number.
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The schema's version; 0: a new database.
fn identify(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let failed = |error| explain(path, &error);
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(failed)?;
    let found = number("user_version").map_err(failed)?;
    let things: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    let ours = application == APPLICATION || (application == 0 && found == 0 && things == 0);
    if !ours {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > migrations::VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: migrations::VERSION,
        });
    }
    Ok(found)
}

fn enter_wal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| explain(path, &error))?;
    if mode != "wal" {
        return Err(StoreError::Open {
            path: path.to_owned(),
            cause: "its file system has no shared memory for a write-ahead log".to_owned(),
        });
    }
    checkpoint::enter(connection).map_err(|error| explain(path, &error))
}

fn limit(connection: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    let Some(max_bytes) = max_bytes else { return Ok(()) };
    let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(max_bytes / u64::from(page.max(1)))
        .unwrap_or(i64::MAX)
        .max(1);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

pub(crate) fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged {
            path,
            cause: error.to_string(),
        },
        _ => StoreError::Open {
            path,
            cause: error.to_string(),
        },
    }
}
