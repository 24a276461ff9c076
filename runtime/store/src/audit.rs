//! Whether the change records are what was written: the chain of their hashes, walked.

use std::path::Path;
use std::time::Duration;

use evenkeel_model::seal::Seal;
use rusqlite::Connection;
use serde::Serialize;

use crate::changes::{COLUMNS, Line, mac};
use crate::open::{StoreError, connect, explain};

/// The schema from which on there are change records.
const SINCE: i64 = 6;
/// Breaks that are named; what follows the first ones tells nothing new.
const MOST: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub records: u64,
    /// The last record's hash; none: there are no records.
    pub head: Option<String>,
    pub breaks: Vec<Break>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The record at which it shows.
    pub seq: u64,
    pub why: String,
}

/// Walks the chain of the journal at `path`, which may be in use. `head` is one that was kept
/// elsewhere: it has to be there still.
///
/// # Errors
/// If the file is not there, or can't be read.
pub fn verify(path: &Path, seal: Option<&Seal>, head: Option<&str>) -> Result<Audit, StoreError> {
    if !path.exists() {
        return Err(StoreError::Open {
            path: path.to_owned(),
            cause: "there is no such file".to_owned(),
        });
    }
    let look = || {
        let connection = connect(path, Duration::from_secs(5))?;
        connection.pragma_update(None, "query_only", true)?;
        walk(&connection, seal, head)
    };
    look().map_err(|error| explain(path, &error))
}

fn walk(connection: &Connection, seal: Option<&Seal>, head: Option<&str>) -> rusqlite::Result<Audit> {
    let mut audit = Audit {
        records: 0,
        head: None,
        breaks: Vec::new(),
    };
    let mut met = head.is_none();
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found >= SINCE {
        let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM changes ORDER BY seq"))?;
        let mut last = (0, String::new());
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line = Line::read(row)?;
            audit.look(&line, &last, seal);
            met |= head == Some(line.hash.as_str());
            last = (line.seq, line.hash);
            audit.records += 1;
        }
        audit.head = (audit.records > 0).then_some(last.1);
    }
    if !met {
        let why = "the head that was kept is not there: the records up to it were cut off or replaced";
        audit.broken(i64::try_from(audit.records).unwrap_or(i64::MAX), why);
    }
    Ok(audit)
}

impl Audit {
    fn look(&mut self, line: &Line, (last, hash): &(i64, String), seal: Option<&Seal>) {
        if line.seq != last + 1 {
            self.broken(line.seq, &format!("records after {last} are missing"));
        } else if line.prev != *hash {
            self.broken(line.seq, "it does not follow the record before it");
        }
        if line.digest() != line.hash {
            self.broken(line.seq, "it was changed");
        } else if let Some(seal) = seal {
            match &line.mac {
                Some(code) if *code == mac(seal, &line.hash) => {}
                _ => self.broken(line.seq, "it was not written with this home's key"),
            }
        }
    }

    fn broken(&mut self, seq: i64, why: &str) {
        if self.breaks.len() < MOST {
            self.breaks.push(Break {
                seq: seq.unsigned_abs(),
                why: why.to_owned(),
            });
        }
    }
}
