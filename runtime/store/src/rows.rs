//! Between rows and the model's types.

use chrono::{DateTime, Utc};
use evenkeel_model::name::{AssetId, CustomerId, RoundId, RunId, RunbookName};
use evenkeel_model::run::{Mode, State, Summary, Verdict};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

pub fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// To the microsecond, as it will be read again.
pub fn trunc(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros(at)).unwrap_or(at)
}

pub fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let micros: i64 = row.get(column)?;
    DateTime::from_timestamp_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

pub fn time_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let none = row.get_ref(column)? == rusqlite::types::ValueRef::Null;
    if none { Ok(None) } else { time(row, column).map(Some) }
}

pub fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// A kebab-case word of the model, read as the model reads it.
pub fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

pub fn id(number: u64) -> i64 {
    // SQLite's integers end there; nobody counts so far.
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::DryRun => "dry-run",
    }
}

pub fn state(state: State) -> &'static str {
    match state {
        State::Requested => "requested",
        State::Waiting => "waiting",
        State::Running => "running",
        State::Finished => "finished",
    }
}

/// Of runs joined to their rounds: those that act on targets, not those that look at them afterwards.
pub const NOT_AFTER: &str = "rounds.occurrence NOT LIKE '{\"after\":%'";

/// In the order that [`summary`] reads.
pub const SUMMARY: &str = "runs.id, runs.round, runs.runbook, runs.target, runs.customer, runs.mode, rounds.occurrence, \
     runs.state, runs.verdict, runs.changed, runs.why, runs.requested_at, runs.started_at, runs.finished_at, \
     runs.compacted";

pub fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let verdict: Option<String> = row.get(8)?;
    Ok(Summary {
        run: RunId(number(row, 0)?),
        round: RoundId(number(row, 1)?),
        runbook: RunbookName::new(row.get::<_, String>(2)?),
        target: row.get::<_, Option<String>>(3)?.map(AssetId::new),
        customer: row.get::<_, Option<String>>(4)?.map(CustomerId::new),
        mode: word(row, 5)?,
        occurrence: json(row, 6)?,
        state: word(row, 7)?,
        verdict: verdict.as_deref().and_then(parse_verdict),
        changed: row.get(9)?,
        why: row.get(10)?,
        requested_at: time(row, 11)?,
        started_at: time_if_any(row, 12)?,
        finished_at: time_if_any(row, 13)?,
        compacted: row.get(14)?,
    })
}

fn parse_verdict(word: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
}
