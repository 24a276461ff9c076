//! Up to where schedules have been seen to, and what became of their last ticks.

use evenkeel_engine::port::{Noted, Scheduled};
use evenkeel_model::name::{RoundId, RunbookName};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use crate::ledger;
use crate::rows::{self, micros};

/// Each gap is also among what started nothing; here is only the last.
pub fn note(connection: &Connection, notes: &[Noted]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ticks (runbook, schedule, at, passed) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (runbook, schedule) DO UPDATE SET at = excluded.at, passed = coalesce(excluded.passed, passed)";
    let mut statement = connection.prepare_cached(sql)?;
    for note in notes {
        let passed = note.passed.as_ref().map(json).transpose()?;
        if let Some(passed) = &note.passed {
            let unstarted = passed.unstarted(&note.runbook, &note.schedule);
            ledger::note(connection, micros(unstarted.at), &json(&unstarted)?)?;
        }
        statement.execute(params![note.runbook.as_str(), note.schedule, micros(note.seen), passed])?;
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub fn all(connection: &Connection) -> rusqlite::Result<Vec<Scheduled>> {
    let mut statement = connection.prepare_cached("SELECT runbook, schedule, at, tick, round, passed FROM ticks")?;
    let found = statement.query_map([], read)?;
    found.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Scheduled> {
    let last = match rows::time_if_any(row, 3)? {
        Some(tick) => Some((tick, RoundId(rows::number(row, 4)?))),
        None => None,
    };
    let passed = match row.get_ref(5)? {
        ValueRef::Null => None,
        _ => Some(rows::json(row, 5)?),
    };
    Ok(Scheduled {
        runbook: RunbookName::new(row.get::<_, String>(0)?),
        schedule: row.get(1)?,
        seen: rows::time(row, 2)?,
        last,
        passed,
    })
}
