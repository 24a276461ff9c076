//! Reads, each on a connection and a thread that the writer doesn't know of.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

pub struct Readers {
    path: PathBuf,
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub fn new(path: PathBuf, at_once: usize, patience: Duration) -> Self {
        Self {
            path,
            patience,
            idle: Mutex::default(),
            permits: Semaphore::new(at_once.max(1)),
        }
    }

    pub async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, String>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let _permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
        let readers = self.clone();
        tokio::task::spawn_blocking(move || readers.read_now(query))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }

    /// On this thread, for what a few pages answer that are in memory as a rule: another thread takes several times as
    /// long to be woken.
    pub async fn glance<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let _permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
        self.read_now(query).map_err(|error| error.to_string())
    }

    fn read_now<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = query(&connection);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        result
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = crate::open::connect(&self.path, self.patience)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}
