//! Pauses, silences, strikes, attempts, and what started nothing: [`Ledger`] over SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::gates::{Ledger, Record, Unstarted, Wanted};
use evenkeel_engine::port::{Durability, JournalError};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Ended, Hold, Wish};
use evenkeel_model::name::{AssetId, RunId, RunbookName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::alerts;
use crate::open::Store;
use crate::rows::{self, micros};

/// Of what started nothing, the newest so many are kept at most, however young: docs/operators.md says so.
const UNSTARTED: i64 = 100_000;

fn unwritten(cause: String) -> JournalError {
    JournalError {
        action: "written",
        cause,
    }
}

fn unread(cause: String) -> JournalError {
    JournalError { action: "read", cause }
}

fn json(value: &impl serde::Serialize) -> Result<String, JournalError> {
    serde_json::to_string(value).map_err(|error| unwritten(error.to_string()))
}

const HOLD: &str = "id, what, why, who, since, until, ended_at, ended_by";

fn hold(row: &Row<'_>) -> rusqlite::Result<Hold> {
    let ended_at = rows::time_if_any(row, 6)?;
    let by: Option<String> = row.get(7)?;
    Ok(Hold {
        id: rows::number(row, 0)?,
        what: rows::json(row, 1)?,
        why: row.get(2)?,
        who: row.get(3)?,
        since: rows::time(row, 4)?,
        until: rows::time_if_any(row, 5)?,
        ended: ended_at.map(|at| Ended {
            at,
            who: by.unwrap_or_default(),
        }),
    })
}

fn release(connection: &Connection, holds: &[u64], who: &str, now: DateTime<Utc>) -> rusqlite::Result<Vec<Hold>> {
    let sql = format!(
        "UPDATE holds SET ended_at = ?2, ended_by = ?3 \
         WHERE id = ?1 AND ended_at IS NULL AND (until IS NULL OR until > ?2) RETURNING {HOLD}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut released = Vec::new();
    for id in holds {
        let found = statement.query_row(params![rows::id(*id), micros(now), who], hold);
        released.extend(found.optional()?);
    }
    Ok(released)
}

fn record(connection: &Connection, runbook: &str, target: &str, most: i64) -> rusqlite::Result<Record> {
    let marks = connection
        .prepare_cached("SELECT cleared_at, told_at FROM strikes WHERE runbook = ?1 AND target = ?2")?
        .query_row([runbook, target], |row| {
            Ok((rows::time_if_any(row, 0)?, rows::time_if_any(row, 1)?))
        })
        .optional()?;
    let (cleared_at, told_at) = marks.unwrap_or_default();
    // As the index has it, word by word.
    let sql = format!(
        "SELECT {} FROM runs JOIN rounds ON rounds.id = runs.round \
         WHERE runs.runbook = ?1 AND runs.target = ?2 AND runs.finished_at > ?3 AND runs.mode = 'live' \
         AND runs.verdict IN ('failed', 'not-repaired', 'changed', 'repaired', 'healthy') \
         AND {} ORDER BY runs.finished_at DESC, runs.id DESC LIMIT ?4",
        rows::SUMMARY,
        rows::NOT_AFTER
    );
    let after = cleared_at.map_or(i64::MIN, micros);
    let mut statement = connection.prepare_cached(&sql)?;
    let outcomes = statement.query_map(params![runbook, target, after, most], rows::summary)?;
    Ok(Record {
        outcomes: outcomes.collect::<rusqlite::Result<_>>()?,
        told_at,
    })
}

pub fn note(connection: &Connection, at: i64, body: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO unstarted (at, body) VALUES (?1, ?2)")?
        .execute(params![at, body])?;
    let last = connection.last_insert_rowid();
    connection
        .prepare_cached("DELETE FROM unstarted WHERE id <= ?1")?
        .execute([last - UNSTARTED])
        .map(drop)
}

fn unstarted(
    connection: &Connection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: usize,
    wanted: &Wanted,
) -> rusqlite::Result<Vec<Unstarted>> {
    // Ticks stand at the last of them, and may have begun long before.
    let sql = "SELECT body FROM unstarted \
               WHERE at >= ?1 AND (at <= ?2 OR json_type(body, '$.what.ticks') IS NOT NULL) \
               ORDER BY at DESC, id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let all = statement.query_map([micros(from), micros(to)], |row| rows::json::<Unstarted>(row, 0))?;
    let mut found = Vec::new();
    for one in all {
        let one = one?;
        if micros(one.since()) <= micros(to) && wanted(&one) {
            found.push(one);
            if found.len() == limit {
                break;
            }
        }
    }
    Ok(found)
}

#[async_trait]
impl Ledger for Store {
    async fn hold(&self, wish: Wish, now: DateTime<Utc>) -> Result<Hold, JournalError> {
        let what = json(&wish.what)?;
        let write = move |connection: &Connection| {
            let sql = format!(
                "INSERT INTO holds (what, why, who, since, until) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING {HOLD}"
            );
            connection.prepare_cached(&sql)?.query_row(
                params![what, wish.why, wish.who, micros(now), wish.until.map(micros)],
                hold,
            )
        };
        self.writer.write(Durability::Disk, write).await.map_err(unwritten)
    }

    async fn release(&self, holds: Vec<u64>, who: String, now: DateTime<Utc>) -> Result<Vec<Hold>, JournalError> {
        let write = move |connection: &Connection| release(connection, &holds, &who, now);
        self.writer.write(Durability::Disk, write).await.map_err(unwritten)
    }

    async fn holds(&self, since: DateTime<Utc>) -> Result<Vec<Hold>, JournalError> {
        let query = move |connection: &Connection| {
            let sql = format!(
                "SELECT {HOLD} FROM holds WHERE (ended_at IS NULL OR ended_at > ?1) AND (until IS NULL OR until > ?1) ORDER BY id"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map([micros(since)], hold)?;
            found.collect()
        };
        self.read(query).await.map_err(unread)
    }

    async fn record(&self, runbook: &RunbookName, target: &AssetId, most: usize) -> Result<Record, JournalError> {
        let (runbook, target) = (runbook.to_string(), target.to_string());
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let query = move |connection: &Connection| record(connection, &runbook, &target, most);
        self.read(query).await.map_err(unread)
    }

    async fn clear_strikes(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        who: &str,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        let key = (runbook.to_string(), target.to_string(), who.to_owned());
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO strikes (runbook, target, cleared_at, cleared_by) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (runbook, target) DO UPDATE SET cleared_at = excluded.cleared_at, \
                       cleared_by = excluded.cleared_by, told_at = NULL";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![key.0, key.1, micros(now), key.2]).map(drop)
        };
        self.writer.write(Durability::Disk, write).await.map_err(unwritten)
    }

    async fn told(&self, runbook: &RunbookName, target: &AssetId, now: DateTime<Utc>) -> Result<(), JournalError> {
        let key = (runbook.to_string(), target.to_string());
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO strikes (runbook, target, told_at) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (runbook, target) DO UPDATE SET told_at = excluded.told_at";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![key.0, key.1, micros(now)]).map(drop)
        };
        // If that is lost in a crash it is said once more.
        self.writer.write(Durability::Group, write).await.map_err(unwritten)
    }

    async fn to_follow(&self, limit: usize) -> Result<Vec<RunId>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = move |connection: &Connection| {
            // As the index has it, word by word.
            let sql = "SELECT id FROM runs INDEXED BY runs_to_follow WHERE followed = 0 AND verdict IN ('failed', 'not-repaired') \
                       ORDER BY id LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_map([limit], |row| rows::number(row, 0).map(RunId))?;
            found.collect()
        };
        self.read(query).await.map_err(unread)
    }

    async fn followed(&self, run: RunId) -> Result<(), JournalError> {
        let write = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("UPDATE runs SET followed = 1 WHERE id = ?1")?;
            statement.execute([rows::id(run.0)]).map(drop)
        };
        // If that is lost in a crash the run comes again, and its next attempt is known then.
        self.writer.write(Durability::Group, write).await.map_err(unwritten)
    }

    async fn remembered(&self, fingerprint: &str) -> Result<Vec<Alert>, JournalError> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |connection| alerts::remembered(connection, &fingerprint))
            .await
            .map_err(unread)
    }

    async fn note(&self, unstarted: Unstarted) -> Result<(), JournalError> {
        let (at, body) = (micros(unstarted.at), json(&unstarted)?);
        let write = move |connection: &Connection| note(connection, at, &body);
        self.writer.write(Durability::Group, write).await.map_err(unwritten)
    }

    async fn unstarted(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Unstarted>, JournalError> {
        let query = move |connection: &Connection| unstarted(connection, from, to, limit, &wanted);
        self.read(query).await.map_err(unread)
    }
}
