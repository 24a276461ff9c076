//! What of the journal is sealed with the home's key, and with which key.

use std::path::Path;
use std::time::Duration;

use evenkeel_model::change::Change;
use evenkeel_model::run::{Body, Event};
use evenkeel_model::seal::Seal;
use rusqlite::types::{FromSql as _, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::open::{StoreError, connect, explain};
use crate::rows;

/// The schema from which on there is a place for the key's fingerprint.
const SINCE: i64 = 3;

/// The fingerprint of the key that the journal at `path` is sealed with. None: there is no journal
/// there, or no sealed one, so a new key may be made for it.
///
/// # Errors
/// If the file is there and can't be read.
pub fn sealed_with(path: &Path) -> Result<Option<String>, StoreError> {
    let there = std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
    if !there {
        return Ok(None);
    }
    let failed = |error| explain(path, &error);
    let connection = connect(path, Duration::from_secs(5)).map_err(failed)?;
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    claimed(&connection, found).map_err(failed)
}

/// Whether this key is the one. Nothing is written before that is known.
pub fn check(connection: &Connection, found: i64, seal: Option<&Seal>, path: &Path) -> Result<(), StoreError> {
    let sealed = claimed(connection, found).map_err(|error| explain(path, &error))?;
    match sealed {
        Some(sealed) if seal.map(Seal::fingerprint).as_ref() != Some(&sealed) => Err(StoreError::Key {
            path: path.to_owned(),
            sealed,
        }),
        _ => Ok(()),
    }
}

/// From the first time on, it is this key or none.
pub fn claim(connection: &Connection, seal: Option<&Seal>) -> rusqlite::Result<()> {
    let Some(seal) = seal else { return Ok(()) };
    if claimed(connection, SINCE)?.is_some() {
        return Ok(());
    }
    let sql = "INSERT INTO seal (only, key) VALUES (1, ?1) ON CONFLICT (only) DO NOTHING";
    connection.execute(sql, [seal.fingerprint()]).map(drop)
}

fn claimed(connection: &Connection, found: i64) -> rusqlite::Result<Option<String>> {
    if found < SINCE {
        return Ok(None);
    }
    connection
        .query_row("SELECT key FROM seal", [], |row| row.get(0))
        .optional()
}

/// An event's body as the columns `body` and `sealed` take it.
pub fn columns<'b>(seal: Option<&Seal>, run: i64, seq: i64, body: &'b str) -> (&'b str, Option<Vec<u8>>) {
    match seal {
        Some(seal) => ("", Some(seal.seal(&place(run, seq), body.as_bytes()))),
        None => (body, None),
    }
}

/// Reads `seq, at, body, sealed` of a run.
pub fn event(row: &Row<'_>, run: i64, seal: Option<&Seal>) -> rusqlite::Result<Event> {
    let body: Body = match row.get_ref(3)? {
        ValueRef::Null => rows::json(row, 2)?,
        sealed => opened(Vec::column_result(sealed)?, run, row.get(0)?, seal)?,
    };
    Ok(Event {
        seq: rows::number(row, 0)?,
        at: rows::time(row, 1)?,
        body,
    })
}

/// A change record's body as its columns take it.
pub fn record<'b>(seal: Option<&Seal>, seq: i64, body: &'b str) -> (&'b str, Option<Vec<u8>>) {
    match seal {
        Some(seal) => ("", Some(seal.seal(&record_place(seq), body.as_bytes()))),
        None => (body, None),
    }
}

pub fn open_record(seal: Option<&Seal>, seq: i64, body: &str, sealed: Option<&[u8]>) -> Result<Change, String> {
    let read = |text: &[u8]| serde_json::from_slice(text).map_err(|error| error.to_string());
    match (sealed, seal) {
        (None, _) => read(body.as_bytes()),
        (Some(_), None) => Err("it is sealed".into()),
        (Some(sealed), Some(seal)) => {
            let text = seal.open(&record_place(seq), sealed);
            read(&text.map_err(|error| error.to_string())?)
        }
    }
}

fn record_place(seq: i64) -> String {
    format!("change {seq}")
}

fn opened(sealed: Vec<u8>, run: i64, seq: i64, seal: Option<&Seal>) -> rusqlite::Result<Body> {
    let unread = |why: String| {
        let why = format!("event {seq} of run {run} can't be read: {why}");
        rusqlite::Error::FromSqlConversionFailure(3, Type::Blob, why.into())
    };
    let seal = seal.ok_or_else(|| unread("it is sealed".into()))?;
    let text = seal
        .open(&place(run, seq), &sealed)
        .map_err(|error| unread(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unread(error.to_string()))
}

/// An event is where it was put, or it is no event.
fn place(run: i64, seq: i64) -> String {
    format!("event {run} {seq}")
}
