//! One occurrence, one round.

use chrono::{DateTime, Utc};
use evenkeel_engine::port::{After, NewRound, NewRun, Opened};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Occurrence, Over};
use evenkeel_model::seal::Seal;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::rows::{self, micros};
use crate::sealed;

/// A round, with what doesn't need the writer's thread done.
pub struct Prepared {
    round: NewRound,
    occurrence: String,
    at: i64,
    seal: Option<Seal>,
}

impl Prepared {
    pub fn new(round: NewRound, now: DateTime<Utc>, seal: Option<Seal>) -> Self {
        Self {
            occurrence: round.occurrence.key(),
            round,
            at: micros(now),
            seal,
        }
    }

    pub fn write(&self, connection: &Connection) -> rusqlite::Result<Opened> {
        let Some(round) = self.insert_round(connection)? else {
            let sql = "SELECT id FROM rounds WHERE occurrence = ?1";
            let known = connection
                .prepare_cached(sql)?
                .query_row([&self.occurrence], |row| rows::number(row, 0))?;
            self.note_tick(connection, RoundId(known))?;
            return Ok(Opened::Known(RoundId(known)));
        };
        self.note_tick(connection, round)?;
        connection
            .prepare_cached("INSERT INTO texts (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING")?
            .execute([&self.round.text_hash, &self.round.text])?;
        let runs = self.round.targets.iter();
        let runs: rusqlite::Result<Vec<RunId>> = runs.map(|run| self.insert_run(connection, round, run)).collect();
        Ok(Opened::New(round, runs?))
    }

    /// None: the occurrence has had its round.
    fn insert_round(&self, connection: &Connection) -> rusqlite::Result<Option<RoundId>> {
        let sql = "INSERT INTO rounds (occurrence, runbook, opened_at, to_conclude) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (occurrence) DO NOTHING RETURNING id";
        let arguments = params![
            self.occurrence,
            self.round.runbook.as_str(),
            self.at,
            self.round.has_after
        ];
        let id = connection
            .prepare_cached(sql)?
            .query_row(arguments, |row| rows::number(row, 0))
            .optional()?;
        Ok(id.map(RoundId))
    }

    fn insert_run(&self, connection: &Connection, round: RoundId, new: &NewRun) -> rusqlite::Result<RunId> {
        let sql = "INSERT INTO runs (round, runbook, target, customer, mode, state, changed, why, requested_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, 'requested', 0, '', ?6)";
        connection.prepare_cached(sql)?.execute(params![
            rows::id(round.0),
            self.round.runbook.as_str(),
            new.target.as_ref().map(|target| target.as_str()),
            new.customer.as_ref().map(|customer| customer.as_str()),
            rows::mode(self.round.mode),
            self.at,
        ])?;
        let run = connection.last_insert_rowid();
        let requested = self.requested(round, new)?;
        let (body, sealed) = sealed::columns(self.seal.as_ref(), run, 1, &requested);
        connection
            .prepare_cached("INSERT INTO events (run, seq, at, body, sealed) VALUES (?1, 1, ?2, ?3, ?4)")?
            .execute(params![run, self.at, body, sealed])?;
        Ok(RunId(run.unsigned_abs()))
    }

    fn requested(&self, round: RoundId, new: &NewRun) -> rusqlite::Result<String> {
        serde_json::to_string(&Body::Requested(Box::new(self.round.request(round, new))))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }

    /// A tick that has its round is not made up for after a restart.
    fn note_tick(&self, connection: &Connection, round: RoundId) -> rusqlite::Result<()> {
        let Occurrence::Tick { runbook, schedule, at } = &self.round.occurrence else {
            return Ok(());
        };
        let sql = "INSERT INTO ticks (runbook, schedule, at, tick, round) VALUES (?1, ?2, ?3, ?3, ?4) \
                   ON CONFLICT (runbook, schedule) DO UPDATE SET at = max(at, excluded.at), \
                   tick = excluded.tick, round = excluded.round";
        connection
            .prepare_cached(sql)?
            .execute(params![runbook.as_str(), schedule, micros(*at), rows::id(round.0)])
            .map(drop)
    }
}

/// Rounds that `[[after]]` is to look at, and all of whose runs have ended.
pub fn to_conclude(connection: &Connection) -> rusqlite::Result<Vec<RoundId>> {
    let sql = "SELECT id FROM rounds WHERE to_conclude = 1 AND NOT EXISTS \
               (SELECT 1 FROM runs WHERE runs.round = rounds.id AND runs.state <> 'finished') ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rounds = statement.query_map([], |row| Ok(RoundId(rows::number(row, 0)?)))?;
    rounds.collect()
}

pub fn concluded(connection: &Connection, round: RoundId) -> rusqlite::Result<()> {
    let sql = "UPDATE rounds SET to_conclude = 0 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([rows::id(round.0)]).map(drop)
}

/// What looks, or looked, at the runs of a round; none: there is no such round.
pub fn after(connection: &Connection, round: RoundId) -> rusqlite::Result<Option<After>> {
    let sql = "SELECT occurrence, to_conclude, (SELECT min(id) FROM runs WHERE round = ?1) FROM rounds WHERE id = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([rows::id(round.0)], |row| {
            Ok((rows::json::<Occurrence>(row, 0)?, row.get(1)?, rows::number(row, 2)?))
        })
        .optional()?;
    let Some((of, pending, first)) = found else {
        return Ok(None);
    };
    let mut above = of.above().to_vec();
    if !above.is_empty() {
        above.push(RunId(first));
    }
    let mut runs = Vec::new();
    for over in [Over::Round, Over::Customer] {
        let occurrence = Occurrence::After {
            runbook: of.runbook().clone(),
            round,
            over,
            above: above.clone(),
        };
        let sql =
            "SELECT runs.id FROM runs JOIN rounds ON rounds.id = runs.round WHERE rounds.occurrence = ?1 ORDER BY 1";
        let mut statement = connection.prepare_cached(sql)?;
        let ids = statement.query_map([occurrence.key()], |row| Ok(RunId(rows::number(row, 0)?)))?;
        runs.extend(ids.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(Some(After { pending, runs }))
}

/// Rounds of steps below a run.
pub fn below(connection: &Connection, root: RunId) -> rusqlite::Result<usize> {
    let sql = "SELECT count(*) FROM rounds WHERE json_extract(occurrence, '$.step.above[0]') = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let count: i64 = statement.query_row([rows::id(root.0)], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The round of an occurrence.
pub fn of(connection: &Connection, occurrence: &str) -> rusqlite::Result<Option<RoundId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM rounds WHERE occurrence = ?1")?;
    let found = statement
        .query_row([occurrence], |row| rows::number(row, 0))
        .optional()?;
    Ok(found.map(RoundId))
}
