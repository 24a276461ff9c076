//! Ends what fell silent, and forgets what ended long ago.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_alerting::lifecycle::{self, Known};
use evenkeel_model::alert::{Alert, Change, Edge};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::row::{self, push_edge};
use crate::rows::{self, micros};

/// How long an alert that ended is remembered: as long as an Alertmanager keeps what it has
/// notified, so that nothing that it may repeat is taken for new.
const REMEMBERED: TimeDelta = TimeDelta::hours(120);
/// How often it is written down that somebody looked. Less than [`lifecycle::ATTENTION`].
const NOTED_EVERY: TimeDelta = TimeDelta::seconds(30);

/// Whether there is anything to write; that is looked up without keeping the writer busy.
pub fn is_due(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<bool> {
    let Some(last) = attention(connection)? else {
        return Ok(true);
    };
    if last > now || now - last >= NOTED_EVERY {
        return Ok(true);
    }
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM alerts WHERE told = 'fired' AND ends_at <= ?1)")?
        .query_row([micros(now)], |row| row.get(0))
}

pub fn expire(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<Vec<Edge>> {
    if let Some(last) = attention(connection)? {
        forgive(connection, last, now)?;
    }
    note(connection, now)?;
    let mut edges = Vec::new();
    for (id, known, alert) in silent(connection, now)? {
        let Some(ended) = lifecycle::expire(&known, now) else {
            continue;
        };
        connection
            .prepare_cached("UPDATE alerts SET told = ?2 WHERE id = ?1")?
            .execute(params![id, ended.told.as_str()])?;
        edges.push(push_edge(connection, Change::Expired, &alert, &ended)?);
    }
    forget(connection, now)?;
    Ok(edges)
}

fn attention(connection: &Connection) -> rusqlite::Result<Option<DateTime<Utc>>> {
    connection
        .prepare_cached("SELECT at FROM attention")?
        .query_row([], |row| rows::time(row, 0))
        .optional()
}

fn note(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO attention (only, at) VALUES (1, ?1) ON CONFLICT (only) DO UPDATE SET at = excluded.at",
        )?
        .execute([micros(now)])
        .map(drop)
}

/// While nobody listened nothing could be heard: what fired then has that time in addition.
fn forgive(connection: &Connection, last: DateTime<Utc>, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let deaf = lifecycle::deaf(last, now).num_microseconds().unwrap_or(0);
    if deaf == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE alerts SET ends_at = ends_at + ?1 WHERE told = 'fired' AND ends_at > ?2 AND heard_at <= ?2",
        )?
        .execute(params![deaf, micros(last)])
        .map(drop)
}

fn silent(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<Vec<(i64, Known, Alert)>> {
    let sql = format!(
        "SELECT {} FROM alerts WHERE told = 'fired' AND ends_at <= ?1 ORDER BY ends_at, id",
        row::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([micros(now)], |found| {
        Ok((found.get(0)?, row::known(found, 14)?, row::alert(found)?))
    })?;
    found.collect()
}

fn forget(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM alerts WHERE told IN ('nothing', 'expired', 'resolved') AND ends_at < ?1")?
        .execute([micros(now - REMEMBERED)])
        .map(drop)
}
