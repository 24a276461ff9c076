//! Change records: written with the event that brings them, each chained to the one before.

use evenkeel_model::action::sha256;
use evenkeel_model::change::{self, Change, ChangeFilter, ChangeOutcome, Recorded};
use evenkeel_model::name::RunId;
use evenkeel_model::run::Event;
use evenkeel_model::seal::Seal;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::open::Store;
use crate::{rows, sealed};

/// Records in one answer.
const MOST: usize = 1_000;
pub const COLUMNS: &str = "seq, run, runbook, target, customer, body, sealed, prev, hash, mac";

/// A line of the table, as it stands there.
pub struct Line {
    pub seq: i64,
    pub run: i64,
    runbook: String,
    target: Option<String>,
    customer: Option<String>,
    body: String,
    sealed: Option<Vec<u8>>,
    pub prev: String,
    pub hash: String,
    pub mac: Option<String>,
}

impl Line {
    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            run: row.get(1)?,
            runbook: row.get(2)?,
            target: row.get(3)?,
            customer: row.get(4)?,
            body: row.get(5)?,
            sealed: row.get(6)?,
            prev: row.get(7)?,
            hash: row.get(8)?,
            mac: row.get(9)?,
        })
    }

    /// SHA-256 over all that the line says and the hash of the one before. Each part is preceded
    /// by whether it is there and its length, so that none can run into the next.
    pub fn digest(&self) -> String {
        let (seq, run) = (self.seq.to_be_bytes(), self.run.to_be_bytes());
        let parts: [Option<&[u8]>; 8] = [
            Some(&seq),
            Some(&run),
            Some(self.runbook.as_bytes()),
            self.target.as_deref().map(str::as_bytes),
            self.customer.as_deref().map(str::as_bytes),
            Some(self.body.as_bytes()),
            self.sealed.as_deref(),
            Some(self.prev.as_bytes()),
        ];
        let mut text = b"evenkeel change 1".to_vec();
        for part in parts {
            text.push(u8::from(part.is_some()));
            let part = part.unwrap_or_default();
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        sha256(&text)
    }

    pub fn change(&self, seal: Option<&Seal>) -> Result<Change, String> {
        sealed::open_record(seal, self.seq, &self.body, self.sealed.as_deref())
    }
}

/// What only who has the home's key can say of a record.
pub fn mac(seal: &Seal, hash: &str) -> String {
    seal.token("change record", &[hash])
}

/// Writes what event `seq` of a run changed, in the transaction of the event.
pub fn record(connection: &Connection, run: RunId, seq: i64, seal: Option<&Seal>) -> rusqlite::Result<()> {
    let sql = "SELECT seq, at, body, sealed FROM events WHERE run = ?1 AND seq <= ?2 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let id = rows::id(run.0);
    let events: rusqlite::Result<Vec<Event>> = statement
        .query_map([id, seq], |row| sealed::event(row, id, seal))?
        .collect();
    for change in change::of(run, &events?) {
        insert(connection, &change, seal)?;
    }
    Ok(())
}

fn insert(connection: &Connection, change: &Change, seal: Option<&Seal>) -> rusqlite::Result<()> {
    let last: Option<(i64, String)> = connection
        .prepare_cached("SELECT seq, hash FROM changes ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last, prev) = last.unwrap_or_default();
    let seq = last + 1;
    let text = serde_json::to_string(change).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let (body, sealed) = sealed::record(seal, seq, &text);
    let mut line = Line {
        seq,
        run: rows::id(change.run.0),
        runbook: change.runbook.to_string(),
        target: change.target.as_ref().map(ToString::to_string),
        customer: change.customer.as_ref().map(ToString::to_string),
        body: body.to_owned(),
        sealed,
        prev,
        hash: String::new(),
        mac: None,
    };
    line.hash = line.digest();
    line.mac = seal.map(|seal| mac(seal, &line.hash));
    let sql = format!("INSERT INTO changes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    connection.prepare_cached(&sql)?.execute(params![
        line.seq,
        line.run,
        line.runbook,
        line.target,
        line.customer,
        line.body,
        line.sealed,
        line.prev,
        line.hash,
        line.mac
    ])?;
    Ok(())
}

impl Store {
    /// What was done, the newest first.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn changes(&self, filter: ChangeFilter) -> Result<Vec<Recorded>, String> {
        let seal = self.seal.clone();
        self.read(move |connection| listed(connection, &filter, seal.as_ref()))
            .await
    }
}

fn listed(connection: &Connection, filter: &ChangeFilter, seal: Option<&Seal>) -> rusqlite::Result<Vec<Recorded>> {
    let limit = if filter.limit == 0 {
        MOST
    } else {
        filter.limit.min(MOST)
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM changes WHERE (?1 IS NULL OR runbook = ?1) AND (?2 IS NULL OR target = ?2) \
         AND (?3 IS NULL OR customer = ?3) ORDER BY seq DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let arguments = params![
        filter.runbook.as_ref().map(ToString::to_string),
        filter.target.as_ref().map(ToString::to_string),
        filter.customer.as_ref().map(ToString::to_string),
        rows::id(limit as u64),
    ];
    let lines: rusqlite::Result<Vec<Line>> = statement.query_map(arguments, Line::read)?.collect();
    lines?
        .into_iter()
        .map(|line| {
            let change = open(&line, seal)?;
            Ok(Recorded {
                seq: line.seq.unsigned_abs(),
                undone: !change.undo && is_undone(connection, &line, &change, seal)?,
                hash: line.hash,
                change,
            })
        })
        .collect()
}

fn is_undone(connection: &Connection, line: &Line, of: &Change, seal: Option<&Seal>) -> rusqlite::Result<bool> {
    let sql = format!("SELECT {COLUMNS} FROM changes WHERE run = ?1 AND seq > ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let later: rusqlite::Result<Vec<Line>> = statement.query_map([line.run, line.seq], Line::read)?.collect();
    for line in later? {
        let later = open(&line, seal)?;
        if later.outcome == ChangeOutcome::Undone && later.step == of.step && later.action == of.action {
            return Ok(true);
        }
    }
    Ok(false)
}

fn open(line: &Line, seal: Option<&Seal>) -> rusqlite::Result<Change> {
    line.change(seal).map_err(|why| {
        let why = format!("change {} can't be read: {why}", line.seq);
        rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, why.into())
    })
}
