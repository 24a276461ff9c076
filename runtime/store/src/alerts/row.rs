//! An alert as a row.

use chrono::{DateTime, Utc};
use evenkeel_alerting::lifecycle::{Known, Span, Told};
use evenkeel_model::alert::{Alert, Change, Edge, Grade, Identity};
use evenkeel_model::name::CustomerId;
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use crate::rows;

/// In the order that [`alert`] and [`known`] read.
pub const COLUMNS: &str = "id, starts_at, ends_at, resolved, told, since, heard_at, grade, source, generator_url, \
     annotations, labels, customer, fingerprint, latest_start";

/// `latest_start` is the column that holds that; the others are in the order of [`COLUMNS`].
pub fn known(row: &Row<'_>, latest_start: usize) -> rusqlite::Result<Known> {
    let told = row.get_ref(4)?.as_str()?;
    let told = Told::parse(told)
        .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(4, Type::Text, format!("`{told}`?").into()))?;
    Ok(Known {
        span: Span {
            starts_at: rows::time(row, 1)?,
            ends_at: rows::time(row, 2)?,
            resolved: row.get(3)?,
        },
        told,
        latest_start: rows::time(row, latest_start)?,
        since: rows::time(row, 5)?,
    })
}

pub fn heard_at(row: &Row<'_>) -> rusqlite::Result<DateTime<Utc>> {
    rows::time(row, 6)
}

pub fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        identity: Identity {
            customer: CustomerId::new(row.get::<_, String>(12)?),
            fingerprint: row.get(13)?,
        },
        labels: rows::json(row, 11)?,
        annotations: rows::json(row, 10)?,
        grade: rows::word(row, 7)?,
        starts_at: rows::time(row, 1)?,
        ends_at: rows::time(row, 2)?,
        resolved: row.get(3)?,
        generator_url: row.get(9)?,
        source: row.get(8)?,
    })
}

pub fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Low => "low",
        Grade::Medium => "medium",
        Grade::High => "high",
    }
}

/// The edge waits until the engine is done with it.
pub fn push_edge(connection: &Connection, change: Change, alert: &Alert, known: &Known) -> rusqlite::Result<Edge> {
    let edge = Edge {
        change,
        alert: Alert {
            starts_at: known.since,
            ends_at: known.span.ends_at,
            resolved: known.span.resolved,
            ..alert.clone()
        },
    };
    let body = serde_json::to_string(&edge).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT INTO edges (body) VALUES (?1)")?
        .execute([body])?;
    Ok(edge)
}
