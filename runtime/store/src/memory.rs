//! What plugins remember: [`Memory`] over SQLite.
//!
//! A put is answered when it is written, and on disk with the next durable point: the run's own
//! journal goes no further, so both end at the same place after a crash.

use async_trait::async_trait;
use evenkeel_engine::port::Durability;
use evenkeel_engine::port::memory::{Found, Memory, MemoryError, Owner, Put, Remembered, Usage};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::open::Store;
use crate::rows;

/// An owner's line.
struct Shelf {
    id: i64,
    usage: Usage,
    floor: u64,
}

#[async_trait]
impl Memory for Store {
    async fn get(&self, owner: &Owner, key: &str) -> Result<Option<Remembered>, MemoryError> {
        let (owner, key) = (owner.clone(), key.to_owned());
        let query = move |connection: &Connection| {
            let Some(shelf) = shelf(connection, &owner)? else {
                return Ok(None);
            };
            let sql = "SELECT value, version FROM remembered WHERE memory = ?1 AND key = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row(params![shelf.id, key], remembered).optional()
        };
        self.read(query).await.map_err(MemoryError::Io)
    }

    async fn put(&self, owner: &Owner, key: &str, put: Put) -> Result<u64, MemoryError> {
        let (owner, key) = (owner.clone(), key.to_owned());
        let write = move |connection: &Connection| write(connection, &owner, &key, &put);
        let written = self.writer.write(Durability::Group, write).await;
        written.map_err(MemoryError::Io)?
    }

    async fn delete(&self, owner: &Owner, key: &str) -> Result<(), MemoryError> {
        let (owner, key) = (owner.clone(), key.to_owned());
        let write = move |connection: &Connection| delete(connection, &owner, &key);
        let deleted = self.writer.write(Durability::Group, write).await;
        deleted.map_err(MemoryError::Io)
    }

    async fn keys(
        &self,
        owner: &Owner,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, MemoryError> {
        let (owner, prefix) = (owner.clone(), prefix.to_owned());
        let after = after.map(str::to_owned);
        let query = move |connection: &Connection| keys(connection, &owner, &prefix, after.as_deref(), limit);
        self.read(query).await.map_err(MemoryError::Io)
    }

    async fn usage(&self, owner: &Owner) -> Result<Usage, MemoryError> {
        let owner = owner.clone();
        let query = move |connection: &Connection| shelf(connection, &owner);
        let shelf = self.read(query).await.map_err(MemoryError::Io)?;
        Ok(shelf.map(|shelf| shelf.usage).unwrap_or_default())
    }
}

fn shelf(connection: &Connection, owner: &Owner) -> rusqlite::Result<Option<Shelf>> {
    let sql = "SELECT id, keys, bytes, floor FROM memories \
               WHERE plugin = ?1 AND runbook = ?2 AND step = ?3 AND target = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let shelf = |row: &Row<'_>| {
        Ok(Shelf {
            id: row.get(0)?,
            usage: Usage {
                keys: size(row, 1)?,
                bytes: size(row, 2)?,
            },
            floor: rows::number(row, 3)?,
        })
    };
    statement.query_row(owner_params(owner), shelf).optional()
}

fn owner_params(owner: &Owner) -> [&str; 4] {
    [
        &owner.plugin,
        owner.runbook.as_str(),
        owner.step.as_str(),
        owner.target.as_str(),
    ]
}

fn new_shelf(connection: &Connection, owner: &Owner) -> rusqlite::Result<Shelf> {
    let sql = "INSERT INTO memories (plugin, runbook, step, target, keys, bytes, floor) \
               VALUES (?1, ?2, ?3, ?4, 0, 0, 0)";
    connection.prepare_cached(sql)?.execute(owner_params(owner))?;
    Ok(Shelf {
        id: connection.last_insert_rowid(),
        usage: Usage::default(),
        floor: 0,
    })
}

/// The inner error is what the rule says; nothing was written then.
fn write(connection: &Connection, owner: &Owner, key: &str, put: &Put) -> rusqlite::Result<Result<u64, MemoryError>> {
    let known = shelf(connection, owner)?;
    let entry = match &known {
        Some(shelf) => entry(connection, shelf, key)?,
        None => None,
    };
    if let Some((version, _, write)) = &entry
        && *write == put.write
    {
        return Ok(Ok(*version));
    }
    let found = Found {
        entry: entry.map(|(version, bytes, _)| (version, bytes)),
        usage: known.as_ref().map(|shelf| shelf.usage).unwrap_or_default(),
        floor: known.as_ref().map_or(0, |shelf| shelf.floor),
    };
    let (version, usage) = match put.over(key, &found) {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    let shelf = match known {
        Some(shelf) => shelf,
        None => new_shelf(connection, owner)?,
    };
    let sql = "INSERT INTO remembered (memory, key, value, version, write) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (memory, key) DO UPDATE \
               SET value = excluded.value, version = excluded.version, write = excluded.write";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![shelf.id, key, put.value, rows::id(version), put.write])?;
    settle(connection, &Shelf { usage, ..shelf })?;
    Ok(Ok(version))
}

fn delete(connection: &Connection, owner: &Owner, key: &str) -> rusqlite::Result<()> {
    let Some(shelf) = shelf(connection, owner)? else {
        return Ok(());
    };
    let Some((version, bytes, _)) = entry(connection, &shelf, key)? else {
        return Ok(());
    };
    let sql = "DELETE FROM remembered WHERE memory = ?1 AND key = ?2";
    connection.prepare_cached(sql)?.execute(params![shelf.id, key])?;
    let shelf = Shelf {
        usage: shelf.usage.without(key, bytes),
        floor: shelf.floor.max(version),
        ..shelf
    };
    settle(connection, &shelf)
}

fn settle(connection: &Connection, shelf: &Shelf) -> rusqlite::Result<()> {
    let sql = "UPDATE memories SET keys = ?2, bytes = ?3, floor = ?4 WHERE id = ?1";
    let Usage { keys, bytes } = shelf.usage;
    let arguments = params![shelf.id, count(keys), count(bytes), rows::id(shelf.floor)];
    connection.prepare_cached(sql)?.execute(arguments).map(drop)
}

/// Version, size of the value, and the write that it is of.
fn entry(connection: &Connection, shelf: &Shelf, key: &str) -> rusqlite::Result<Option<(u64, usize, String)>> {
    let sql = "SELECT version, octet_length(value), write FROM remembered WHERE memory = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let entry = |row: &Row<'_>| Ok((rows::number(row, 0)?, size(row, 1)?, row.get(2)?));
    statement.query_row(params![shelf.id, key], entry).optional()
}

/// SQLite compares texts by their bytes.
fn keys(
    connection: &Connection,
    owner: &Owner,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<String>> {
    let Some(shelf) = shelf(connection, owner)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT key FROM remembered WHERE memory = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3) ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map(params![shelf.id, prefix, after], |row| row.get::<_, String>(0))?;
    found
        .take_while(|key| key.as_ref().map_or(true, |key| key.starts_with(prefix)))
        .take(limit as usize)
        .collect()
}

fn remembered(row: &Row<'_>) -> rusqlite::Result<Remembered> {
    Ok(Remembered {
        value: row.get(0)?,
        version: rows::number(row, 1)?,
    })
}

fn size(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    rows::number(row, column).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn count(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
