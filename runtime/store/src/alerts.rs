//! What is known of alerts, and the edges that wait: [`Memory`] and [`Alerts`] over SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_alerting::lifecycle::Manner;
use evenkeel_alerting::port::{Heard, Memory, MemoryError};
use evenkeel_engine::port::{Alerts, Durability, JournalError};
use evenkeel_model::alert::{Alert, Edge, Identity};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Notify, oneshot};

use crate::open::Store;
use crate::rows::{self, micros};
use crate::writer::STOPPED;

mod accept;
mod expire;
mod row;

use accept::Incoming;

fn unwritten(cause: String) -> MemoryError {
    MemoryError {
        action: "written",
        cause,
    }
}

fn unread(cause: String) -> MemoryError {
    MemoryError { action: "read", cause }
}

fn heard(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<Vec<Heard>> {
    // The list of all words lets the index be used.
    let sql = format!(
        "SELECT {} FROM alerts WHERE told IN ('nothing', 'fired', 'expired', 'resolved') \
         AND ends_at > ?1 AND resolved = 0 ORDER BY starts_at, id",
        row::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([micros(now)], |found| {
        Ok(Heard {
            alert: row::alert(found)?,
            at: row::heard_at(found)?,
        })
    })?;
    found.collect()
}

pub fn remembered(connection: &Connection, fingerprint: &str) -> rusqlite::Result<Vec<Alert>> {
    let sql = format!(
        "SELECT {} FROM alerts WHERE fingerprint = ?1 ORDER BY customer",
        row::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([fingerprint], row::alert)?;
    found.collect()
}

pub fn done(connection: &Connection, edge: u64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM edges WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([rows::id(edge)]).map(drop)
}

fn firing_since(
    connection: &Connection,
    identity: &Identity,
    now: DateTime<Utc>,
) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let sql = "SELECT since FROM alerts WHERE customer = ?1 AND fingerprint = ?2 AND resolved = 0 AND ends_at > ?3";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_row(
            params![identity.customer.as_str(), identity.fingerprint, micros(now)],
            |row| rows::time(row, 0),
        )
        .optional()
}

#[async_trait]
impl Memory for Store {
    async fn accept_as(
        &self,
        manner: Manner,
        incoming: Vec<Alert>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Edge>, MemoryError> {
        let incoming: Result<Vec<Incoming>, String> = incoming.into_iter().map(Incoming::new).collect();
        let incoming = incoming.map_err(unwritten)?;
        self.write_edges(move |connection| accept::accept(connection, &incoming, manner, now))
            .await
    }

    async fn expire(&self, now: DateTime<Utc>) -> Result<Vec<Edge>, MemoryError> {
        let look = move |connection: &Connection| expire::is_due(connection, now);
        if !self.read(look).await.map_err(unread)? {
            return Ok(Vec::new());
        }
        self.write_edges(move |connection| expire::expire(connection, now))
            .await
    }

    async fn firing(&self, now: DateTime<Utc>) -> Result<Vec<Alert>, MemoryError> {
        let heard = Memory::heard(self, now).await?;
        Ok(heard.into_iter().map(|heard| heard.alert).collect())
    }

    async fn heard(&self, now: DateTime<Utc>) -> Result<Vec<Heard>, MemoryError> {
        self.read(move |connection| heard(connection, now))
            .await
            .map_err(unread)
    }
}

impl Store {
    /// Whoever acts on the edges is told before who brought them, so that neither waits for the other.
    async fn write_edges<P>(&self, write: P) -> Result<Vec<Edge>, MemoryError>
    where
        P: FnMut(&Connection) -> rusqlite::Result<Vec<Edge>> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let news = self.news.clone();
        let settle = move |edges: Result<Vec<Edge>, String>| {
            if edges.as_ref().is_ok_and(|edges| !edges.is_empty()) {
                news.notify_one();
            }
            // Who brought them may have gone away.
            let _ = reply.send(edges);
        };
        let handed = self.writer.hand_over(Durability::Disk, write, settle).await;
        handed.map_err(unwritten)?;
        result.await.map_err(|_| unwritten(STOPPED.into()))?.map_err(unwritten)
    }

    /// What is known of alerts is committed before anybody hears of it, so that nobody has to wait for the writer.
    async fn look<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send) -> Result<T, JournalError> {
        let found = self.readers.glance(query).await;
        found.map_err(|cause| JournalError { action: "read", cause })
    }
}

#[async_trait]
impl Alerts for Store {
    async fn firing_since(
        &self,
        identity: &Identity,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, JournalError> {
        let identity = identity.clone();
        self.look(move |connection| firing_since(connection, &identity, now))
            .await
    }

    async fn firing_among(&self, identities: Vec<Identity>, now: DateTime<Utc>) -> Result<Vec<Identity>, JournalError> {
        let query = move |connection: &Connection| {
            let mut firing = Vec::new();
            for identity in identities {
                if firing_since(connection, &identity, now)?.is_some() {
                    firing.push(identity);
                }
            }
            Ok(firing)
        };
        let firing = self.readers.read(query).await;
        firing.map_err(|cause| JournalError { action: "read", cause })
    }

    fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }

    async fn pending(&self, limit: usize) -> Result<Vec<(u64, Edge)>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT id, body FROM edges ORDER BY id LIMIT ?1")?;
            let found = statement.query_map([limit], |row| Ok((rows::number(row, 0)?, rows::json(row, 1)?)))?;
            found.collect()
        };
        self.look(query).await
    }

    async fn done(&self, edge: u64) -> Result<(), JournalError> {
        let write = move |connection: &Connection| done(connection, edge);
        // If that is lost in a crash the edge comes again, and its occurrences are known then.
        let done = self.writer.write(Durability::Group, write).await;
        done.map_err(|cause| JournalError {
            action: "written",
            cause,
        })
    }
}
