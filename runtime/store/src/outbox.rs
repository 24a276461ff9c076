//! Notices and the tries to deliver them: [`Outbox`] over SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::outbox::{
    Alike, NewNotice, Next, NoticeState, Outbox, OutboxFilter, Posted, Tried, Try, TryOutcome,
};
use evenkeel_engine::port::{Durability, JournalError};
use evenkeel_model::invocation::Notice;
use evenkeel_model::name::RunId;
use evenkeel_model::seal::Seal;
use rusqlite::types::{Type, Value as Sql};
use rusqlite::{Connection, Row, params};

use crate::open::Store;
use crate::rows::{self, micros};
use crate::writer::{Counts, lock};

/// Notices in one answer.
const MOST: usize = 1_000;

const COLUMNS: &str =
    "number, id, run, notifier, topic, queued_at, notice, sealed, state, next_at, why, settled_at, told_to";

/// What waits behind notice `?1` and tells the same of other runs.
const ALIKE: &str = "state = 'waiting' AND number > ?1 \
     AND notifier = (SELECT notifier FROM notices WHERE number = ?1) \
     AND topic = (SELECT topic FROM notices WHERE number = ?1) \
     AND (SELECT runbook FROM runs WHERE runs.id = notices.run) = \
         (SELECT runbook FROM runs WHERE runs.id = (SELECT run FROM notices WHERE number = ?1)) \
     AND (SELECT customer FROM runs WHERE runs.id = notices.run) IS \
         (SELECT customer FROM runs WHERE runs.id = (SELECT run FROM notices WHERE number = ?1))";

/// A notice as it is inserted, beside the event that causes it.
pub struct Insertion {
    id: String,
    notifier: String,
    topic: &'static str,
    notice: String,
}

impl Insertion {
    pub fn new(new: &NewNotice) -> Result<Self, String> {
        let notice = serde_json::to_string(&new.notice).map_err(|error| format!("a notice is no JSON: {error}"))?;
        Ok(Self {
            id: new.notice.id.clone(),
            notifier: new.notifier.clone(),
            topic: new.topic.as_str(),
            notice,
        })
    }

    /// One that is there already stays as it is.
    pub fn write(&self, connection: &Connection, run: i64, at: i64, seal: Option<&Seal>) -> rusqlite::Result<()> {
        let sql = "INSERT INTO notices (id, run, notifier, topic, queued_at, notice, sealed, state, next_at, why) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', ?5, '') ON CONFLICT (id) DO NOTHING";
        let (text, sealed) = match seal {
            Some(seal) => ("", Some(seal.seal(&place(&self.id), self.notice.as_bytes()))),
            None => (self.notice.as_str(), None),
        };
        let arguments = params![self.id, run, self.notifier, self.topic, at, text, sealed];
        connection.prepare_cached(sql)?.execute(arguments).map(drop)
    }
}

/// A notice is where it was put, or it is no notice.
fn place(id: &str) -> String {
    format!("notice {id}")
}

fn unwritten(cause: String) -> JournalError {
    JournalError {
        action: "written",
        cause,
    }
}

fn unread(cause: String) -> JournalError {
    JournalError { action: "read", cause }
}

#[async_trait]
impl Outbox for Store {
    async fn heads(&self) -> Result<Vec<Posted>, JournalError> {
        let rest = "WHERE number IN (SELECT min(number) FROM notices WHERE state = 'waiting' GROUP BY notifier) \
                    ORDER BY number";
        self.posted(rest.to_owned(), Vec::new()).await
    }

    async fn tries_since(&self, notifier: &str, since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, JournalError> {
        let notifier = notifier.to_owned();
        let query = move |connection: &Connection| {
            let sql = "SELECT at FROM tries WHERE notifier = ?1 AND at >= ?2 ORDER BY at";
            let mut statement = connection.prepare_cached(sql)?;
            let times = statement.query_map(params![notifier, micros(since)], |row| rows::time(row, 0))?;
            times.collect()
        };
        self.read(query).await.map_err(unread)
    }

    async fn begin(
        &self,
        number: u64,
        told_to: u64,
        at: DateTime<Utc>,
        then: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        let write = move |connection: &Connection| {
            let number = rows::id(number);
            connection
                .prepare_cached("UPDATE tries SET outcome = 'interrupted' WHERE notice = ?1 AND outcome IS NULL")?
                .execute([number])?;
            let sql = "INSERT INTO tries (notice, n, notifier, at, outcome, message, took_ms, calls) \
                       SELECT number, 1 + (SELECT count(*) FROM tries WHERE notice = number), notifier, ?2, NULL, '', 0, '[]' \
                       FROM notices WHERE number = ?1";
            connection.prepare_cached(sql)?.execute(params![number, micros(at)])?;
            connection
                .prepare_cached("UPDATE notices SET next_at = ?2, told_to = coalesce(told_to, ?3) WHERE number = ?1")?
                .execute(params![number, micros(then), rows::id(told_to)])
                .map(drop)
        };
        self.writer.write(Durability::Disk, write).await.map_err(unwritten)?;
        lock(&self.writer.shared.counts).tries += 1;
        Ok(())
    }

    async fn alike(&self, number: u64, to: u64, most: usize) -> Result<Alike, JournalError> {
        let query = move |connection: &Connection| {
            let sql = format!("SELECT count(*), coalesce(max(number), 0) FROM notices WHERE {ALIKE} AND number <= ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let arguments = params![rows::id(number), rows::id(to)];
            statement.query_row(arguments, |row| Ok((rows::number(row, 0)?, rows::number(row, 1)?)))
        };
        let (count, last) = self.read(query).await.map_err(unread)?;
        let first = format!("WHERE {ALIKE} AND number <= ?2 ORDER BY number LIMIT {most}");
        let arguments = vec![Sql::Integer(rows::id(number)), Sql::Integer(rows::id(last))];
        let first = self.posted(first, arguments).await?;
        Ok(Alike { count, last, first })
    }

    async fn end(&self, number: u64, tried: Tried, next: Next, now: DateTime<Utc>) -> Result<(), JournalError> {
        let calls = serde_json::to_string(&tried.calls).map_err(|error| unwritten(error.to_string()))?;
        let write = move |connection: &Connection| {
            let sql = "UPDATE tries SET outcome = ?2, message = ?3, took_ms = ?4, calls = ?5 \
                       WHERE notice = ?1 AND n = (SELECT max(n) FROM tries WHERE notice = ?1)";
            let arguments = params![
                rows::id(number),
                tried.outcome.as_str(),
                tried.message,
                rows::id(tried.took_ms),
                calls,
            ];
            connection.prepare_cached(sql)?.execute(arguments)?;
            let together = match next {
                Next::Delivered => settle_alike(connection, number, now)?,
                Next::Again(_) | Next::GivenUp => 0,
            };
            settle(connection, number, next, &tried.message, now)?;
            Ok(together)
        };
        let together = self.writer.write(Durability::Disk, write).await.map_err(unwritten)?;
        let mut counts = lock(&self.writer.shared.counts);
        count(&mut counts, next);
        counts.delivered += together as u64;
        Ok(())
    }

    async fn give_up(&self, number: u64, why: &str, now: DateTime<Utc>) -> Result<(), JournalError> {
        let why = why.to_owned();
        let write = move |connection: &Connection| settle(connection, number, Next::GivenUp, &why, now);
        self.writer.write(Durability::Disk, write).await.map_err(unwritten)?;
        count(&mut lock(&self.writer.shared.counts), Next::GivenUp);
        Ok(())
    }

    async fn notices(&self, filter: OutboxFilter) -> Result<Vec<Posted>, JournalError> {
        let conditions = [
            (
                "state = ?",
                filter.state.map(|state| Sql::Text(state.as_str().to_owned())),
            ),
            ("notifier = ?", filter.notifier.map(Sql::Text)),
            ("number < ?", filter.before.map(|number| Sql::Integer(rows::id(number)))),
        ];
        let (mut texts, mut arguments) = (vec!["1"], Vec::new());
        for (text, argument) in conditions {
            if let Some(argument) = argument {
                texts.push(text);
                arguments.push(argument);
            }
        }
        let limit = if filter.limit == 0 {
            MOST
        } else {
            filter.limit.min(MOST)
        };
        let rest = format!("WHERE {} ORDER BY number DESC LIMIT {limit}", texts.join(" AND "));
        self.posted(rest, arguments).await
    }
}

impl Store {
    async fn posted(&self, rest: String, arguments: Vec<Sql>) -> Result<Vec<Posted>, JournalError> {
        let seal = self.seal.clone();
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM notices {rest}"))?;
            let found = statement.query_map(rusqlite::params_from_iter(arguments), |row| posted(row, seal.as_ref()))?;
            let mut found: Vec<Posted> = found.collect::<rusqlite::Result<_>>()?;
            for posted in &mut found {
                posted.tries = tries(connection, posted.number)?;
            }
            Ok(found)
        };
        self.read(query).await.map_err(unread)
    }
}

fn settle(connection: &Connection, number: u64, next: Next, why: &str, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let (state, at) = match next {
        Next::Delivered => (NoticeState::Delivered, now),
        Next::GivenUp => (NoticeState::GivenUp, now),
        Next::Again(at) => (NoticeState::Waiting, at),
    };
    let settled = (state != NoticeState::Waiting).then(|| micros(now));
    let sql = "UPDATE notices SET state = ?2, next_at = ?3, why = ?4, settled_at = ?5 WHERE number = ?1";
    let arguments = params![rows::id(number), state.as_str(), micros(at), why, settled];
    connection.prepare_cached(sql)?.execute(arguments).map(drop)
}

/// What is told with that one is out; answers how many that are.
fn settle_alike(connection: &Connection, number: u64, now: DateTime<Utc>) -> rusqlite::Result<usize> {
    let sql = format!(
        "UPDATE notices SET state = 'delivered', next_at = ?2, why = ?3, settled_at = ?2 \
         WHERE {ALIKE} AND number <= (SELECT told_to FROM notices WHERE number = ?1)"
    );
    let why = format!("told with notice {number}");
    connection
        .prepare_cached(&sql)?
        .execute(params![rows::id(number), micros(now), why])
}

fn count(counts: &mut Counts, next: Next) {
    match next {
        Next::Delivered => counts.delivered += 1,
        Next::GivenUp => counts.given_up += 1,
        Next::Again(_) => {}
    }
}

fn posted(row: &Row<'_>, seal: Option<&Seal>) -> rusqlite::Result<Posted> {
    let id: String = row.get(1)?;
    let sealed: Option<Vec<u8>> = row.get(7)?;
    Ok(Posted {
        number: rows::number(row, 0)?,
        run: RunId(rows::number(row, 2)?),
        notifier: row.get(3)?,
        topic: rows::word(row, 4)?,
        queued_at: rows::time(row, 5)?,
        notice: match sealed {
            Some(sealed) => opened(&sealed, &id, seal)?,
            None => rows::json(row, 6)?,
        },
        state: rows::word(row, 8)?,
        next_at: rows::time(row, 9)?,
        why: row.get(10)?,
        settled_at: rows::time_if_any(row, 11)?,
        told_to: row.get::<_, Option<i64>>(12)?.map(i64::unsigned_abs),
        tries: Vec::new(),
    })
}

fn opened(sealed: &[u8], id: &str, seal: Option<&Seal>) -> rusqlite::Result<Notice> {
    let unread = |why: String| {
        let why = format!("notice `{id}` can't be read: {why}");
        rusqlite::Error::FromSqlConversionFailure(7, Type::Blob, why.into())
    };
    let seal = seal.ok_or_else(|| unread("it is sealed".into()))?;
    let text = seal
        .open(&place(id), sealed)
        .map_err(|error| unread(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unread(error.to_string()))
}

fn tries(connection: &Connection, number: u64) -> rusqlite::Result<Vec<Try>> {
    let sql = "SELECT n, at, outcome, message, took_ms, calls FROM tries WHERE notice = ?1 ORDER BY n";
    let mut statement = connection.prepare_cached(sql)?;
    let tries = statement.query_map([rows::id(number)], |row| {
        let outcome: Option<String> = row.get(2)?;
        Ok(Try {
            n: row.get(0)?,
            at: rows::time(row, 1)?,
            outcome: outcome.map(|_| rows::word::<TryOutcome>(row, 2)).transpose()?,
            message: row.get(3)?,
            took_ms: rows::number(row, 4)?,
            calls: rows::json(row, 5)?,
        })
    })?;
    tries.collect()
}
