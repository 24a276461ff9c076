//! Rounds, runs and events: [`Journal`] over SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::outbox::NewNotice;
use evenkeel_engine::port::{After, Durability, Journal, JournalError, NewRound, Noted, Opened, RunFilter, Scheduled};
use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use evenkeel_model::run::{Body, Event, Occurrence, Summary};
use evenkeel_model::seal::Seal;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::alerts;
use crate::open::Store;
use crate::rows::{self, micros};
use crate::sealed;
use crate::writer::{Counts, lock};

mod append;
mod rounds;
mod schedules;

use append::Batch;

/// Runs in one answer.
const MOST: usize = 1_000;

fn unwritten(cause: String) -> JournalError {
    JournalError {
        action: "written",
        cause,
    }
}

fn unread(cause: String) -> JournalError {
    JournalError { action: "read", cause }
}

impl Store {
    /// Reads what was appended before this was called, and perhaps more.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, String>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.caught_up().await?;
        self.readers.read(query).await
    }

    /// Opens rounds, and does something else in the same durable transaction.
    async fn open_with(
        &self,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
        mut also: impl FnMut(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<Vec<Opened>, JournalError> {
        let rounds = rounds.into_iter();
        let rounds: Vec<_> = rounds
            .map(|round| rounds::Prepared::new(round, now, self.seal.clone()))
            .collect();
        let write = move |connection: &Connection| {
            let opened = rounds.iter().map(|round| round.write(connection));
            let opened = opened.collect::<rusqlite::Result<Vec<_>>>()?;
            also(connection)?;
            Ok(opened)
        };
        let opened = self.writer.write(Durability::Disk, write).await.map_err(unwritten)?;
        count_rounds(&mut lock(&self.writer.shared.counts), &opened);
        Ok(opened)
    }

    async fn summaries(&self, rest: &str, arguments: Vec<Sql>) -> Result<Vec<Summary>, JournalError> {
        let sql = format!(
            "SELECT {} FROM runs JOIN rounds ON rounds.id = runs.round {rest}",
            rows::SUMMARY
        );
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map(rusqlite::params_from_iter(arguments), rows::summary)?;
            found.collect()
        };
        self.read(query).await.map_err(unread)
    }
}

#[async_trait]
impl Journal for Store {
    async fn open(&self, round: NewRound, now: DateTime<Utc>) -> Result<Opened, JournalError> {
        let prepared = rounds::Prepared::new(round, now, self.seal.clone());
        let opened = self
            .writer
            .write(Durability::Disk, move |connection| prepared.write(connection))
            .await
            .map_err(unwritten)?;
        count_rounds(&mut lock(&self.writer.shared.counts), std::slice::from_ref(&opened));
        Ok(opened)
    }

    async fn append_all(
        &self,
        run: RunId,
        bodies: Vec<(DateTime<Utc>, Body)>,
        notices: Vec<NewNotice>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let batch = Batch::new(run, &bodies, &notices).map_err(unwritten)?;
        self.append_batch(batch, durability).await.map_err(unwritten)
    }

    async fn events(&self, run: RunId) -> Result<Option<Vec<Event>>, JournalError> {
        let events = self.events_after(run, 0, usize::MAX).await?;
        Ok((!events.is_empty()).then_some(events))
    }

    async fn take_on(&self, run: RunId) -> Result<Option<Vec<Event>>, JournalError> {
        // What was handed over before is settled when this has been read.
        let events = self.events(run).await?;
        lock(&self.writer.shared.lost).remove(&run);
        Ok(events)
    }

    async fn events_after(&self, run: RunId, seq: u64, limit: usize) -> Result<Vec<Event>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let seal = self.seal.clone();
        let query = move |connection: &Connection| {
            let sql = "SELECT seq, at, body, sealed FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let events = statement.query_map(params![rows::id(run.0), rows::id(seq), limit], |row| {
                sealed::event(row, rows::id(run.0), seal.as_ref())
            })?;
            events.collect()
        };
        self.read(query).await.map_err(unread)
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Summary>, JournalError> {
        let (rest, arguments) = select(filter);
        self.summaries(&rest, arguments).await
    }

    async fn run(&self, run: RunId) -> Result<Option<Summary>, JournalError> {
        let found = self
            .summaries("WHERE runs.id = ?", vec![Sql::Integer(rows::id(run.0))])
            .await?;
        Ok(found.into_iter().next())
    }

    async fn unfinished(&self) -> Result<Vec<Summary>, JournalError> {
        self.summaries("WHERE runs.state <> 'finished' ORDER BY runs.id", Vec::new())
            .await
    }

    async fn history(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Summary>, JournalError> {
        let rest = "WHERE runs.runbook = ? AND runs.target = ? AND runs.finished_at >= ? AND runs.changed = 1 \
                    AND runs.mode = 'live' AND NOT_AFTER ORDER BY runs.finished_at DESC, runs.id DESC LIMIT 1000";
        let arguments = vec![
            Sql::Text(runbook.to_string()),
            Sql::Text(target.to_string()),
            Sql::Integer(micros(since)),
        ];
        self.summaries(&rest.replace("NOT_AFTER", rows::NOT_AFTER), arguments)
            .await
    }

    async fn text(&self, hash: &str) -> Result<Option<String>, JournalError> {
        let hash = hash.to_owned();
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT text FROM texts WHERE hash = ?")?;
            statement.query_row([hash], |row| row.get(0)).optional()
        };
        self.read(query).await.map_err(unread)
    }

    async fn open_ticks(
        &self,
        rounds: Vec<NewRound>,
        notes: Vec<Noted>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.open_with(rounds, now, move |connection| schedules::note(connection, &notes))
            .await
    }

    async fn open_for_edge(
        &self,
        edge: u64,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.open_with(rounds, now, move |connection| alerts::done(connection, edge))
            .await
    }

    async fn to_conclude(&self) -> Result<Vec<RoundId>, JournalError> {
        self.read(rounds::to_conclude).await.map_err(unread)
    }

    async fn conclude(
        &self,
        round: RoundId,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.open_with(rounds, now, move |connection| rounds::concluded(connection, round))
            .await
    }

    async fn after(&self, round: RoundId) -> Result<Option<After>, JournalError> {
        let query = move |connection: &Connection| rounds::after(connection, round);
        self.read(query).await.map_err(unread)
    }

    async fn below(&self, root: RunId) -> Result<usize, JournalError> {
        let query = move |connection: &Connection| rounds::below(connection, root);
        self.read(query).await.map_err(unread)
    }

    async fn round_of(&self, occurrence: &Occurrence) -> Result<Option<RoundId>, JournalError> {
        let occurrence = occurrence.key();
        let query = move |connection: &Connection| rounds::of(connection, &occurrence);
        self.read(query).await.map_err(unread)
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>, JournalError> {
        self.read(schedules::all).await.map_err(unread)
    }

    fn word_of_home(&self) -> String {
        let word = |seal: &Seal| seal.token("schedules", &[]);
        self.seal.as_ref().map_or(String::new(), word)
    }
}

fn count_rounds(counts: &mut Counts, opened: &[Opened]) {
    for opened in opened {
        if let Opened::New(_, runs) = opened {
            let runs = runs.len() as u64;
            counts.rounds += 1;
            counts.runs += runs;
            counts.events += runs;
        }
    }
}

fn select(filter: RunFilter) -> (String, Vec<Sql>) {
    let conditions = [
        (
            "runs.runbook = ?",
            filter.runbook.map(|name| Sql::Text(name.to_string())),
        ),
        ("runs.target = ?", filter.target.map(|id| Sql::Text(id.to_string()))),
        ("runs.customer = ?", filter.customer.map(|id| Sql::Text(id.to_string()))),
        (
            "runs.verdict = ?",
            filter.verdict.map(|verdict| Sql::Text(verdict.to_string())),
        ),
        (
            "runs.round = ?",
            filter.round.map(|round| Sql::Integer(rows::id(round.0))),
        ),
        ("runs.id < ?", filter.before.map(|run| Sql::Integer(rows::id(run.0)))),
        (
            "coalesce(runs.finished_at >= ?, 1)",
            filter.from.map(|at| Sql::Integer(micros(at))),
        ),
        ("runs.requested_at <= ?", filter.to.map(|at| Sql::Integer(micros(at)))),
    ];
    let (mut texts, mut arguments) = (Vec::new(), Vec::new());
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
    let whereas = if texts.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", texts.join(" AND "))
    };
    (format!("{whereas} ORDER BY runs.id DESC LIMIT {limit}"), arguments)
}
