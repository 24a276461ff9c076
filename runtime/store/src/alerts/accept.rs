//! Merges what came in into what is known. The rules are `alerting`'s; here is where it is kept.

use chrono::{DateTime, Utc};
use evenkeel_alerting::lifecycle::{Known, Manner, Span, merge};
use evenkeel_model::alert::{Alert, Change, Edge};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::row::{self, grade, push_edge};
use crate::rows::{micros, trunc};

/// An alert with what doesn't need the writer's thread done.
pub struct Incoming {
    alert: Alert,
    labels: String,
    annotations: String,
}

impl Incoming {
    pub fn new(mut alert: Alert) -> Result<Self, String> {
        // Two messages are compared by what would be read again.
        alert.starts_at = trunc(alert.starts_at);
        alert.ends_at = trunc(alert.ends_at);
        let text = |labels| serde_json::to_string(labels).map_err(|error| error.to_string());
        Ok(Self {
            labels: text(&alert.labels)?,
            annotations: text(&alert.annotations)?,
            alert,
        })
    }
}

/// What is kept, and whether the text that came is the text that is kept.
struct Kept {
    id: i64,
    known: Known,
    same_text: bool,
}

pub fn accept(
    connection: &Connection,
    incoming: &[Incoming],
    manner: Manner,
    now: DateTime<Utc>,
) -> rusqlite::Result<Vec<Edge>> {
    let mut edges = Vec::new();
    for incoming in incoming {
        take(connection, incoming, manner, now, &mut edges)?;
    }
    Ok(edges)
}

fn take(
    connection: &Connection,
    incoming: &Incoming,
    manner: Manner,
    now: DateTime<Utc>,
    edges: &mut Vec<Edge>,
) -> rusqlite::Result<()> {
    let kept = find(connection, incoming)?;
    let known = kept.as_ref().map(|kept| &kept.known);
    let merged = merge(known, Span::of(&incoming.alert), manner, now);
    match &kept {
        Some(_) if merged.stale => return Ok(()),
        Some(kept) if kept.same_text => update_times(connection, kept.id, &merged.known, now)?,
        Some(kept) => update(connection, kept.id, &merged.known, incoming, now)?,
        None => insert(connection, &merged.known, incoming, now)?,
    }
    if let Some(lost) = &merged.lost {
        edges.push(push_edge(connection, Change::Expired, &incoming.alert, lost)?);
    }
    if let Some(change) = merged.change {
        edges.push(push_edge(connection, change, &incoming.alert, &merged.known)?);
    }
    Ok(())
}

fn find(connection: &Connection, incoming: &Incoming) -> rusqlite::Result<Option<Kept>> {
    let identity = &incoming.alert.identity;
    let sql = "SELECT id, starts_at, ends_at, resolved, told, since, heard_at, grade, source, generator_url, \
               annotations, latest_start FROM alerts WHERE customer = ?1 AND fingerprint = ?2";
    let read = |found: &Row<'_>| {
        let same = |column, text: &str| Ok::<_, rusqlite::Error>(found.get_ref(column)?.as_str()? == text);
        Ok(Kept {
            id: found.get(0)?,
            known: row::known(found, 11)?,
            same_text: same(7, grade(incoming.alert.grade))?
                && same(8, &incoming.alert.source)?
                && same(9, &incoming.alert.generator_url)?
                && same(10, &incoming.annotations)?,
        })
    };
    connection
        .prepare_cached(sql)?
        .query_row([identity.customer.as_str(), &identity.fingerprint], read)
        .optional()
}

/// The usual case: it is sent again because it still fires.
fn update_times(connection: &Connection, id: i64, known: &Known, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let sql = "UPDATE alerts SET starts_at = ?2, ends_at = ?3, resolved = ?4, told = ?5, since = ?6, heard_at = ?7, \
               latest_start = ?8 WHERE id = ?1";
    let arguments = params![
        id,
        micros(known.span.starts_at),
        micros(known.span.ends_at),
        known.span.resolved,
        known.told.as_str(),
        micros(known.since),
        micros(now),
        micros(known.latest_start),
    ];
    connection.prepare_cached(sql)?.execute(arguments).map(drop)
}

fn update(
    connection: &Connection,
    id: i64,
    known: &Known,
    incoming: &Incoming,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    update_times(connection, id, known, now)?;
    let sql = "UPDATE alerts SET grade = ?2, source = ?3, generator_url = ?4, annotations = ?5 WHERE id = ?1";
    let alert = &incoming.alert;
    let arguments = params![
        id,
        grade(alert.grade),
        alert.source,
        alert.generator_url,
        incoming.annotations
    ];
    connection.prepare_cached(sql)?.execute(arguments).map(drop)
}

fn insert(connection: &Connection, known: &Known, incoming: &Incoming, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO alerts (customer, fingerprint, starts_at, ends_at, resolved, told, since, heard_at, \
               grade, source, generator_url, annotations, labels, latest_start) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let alert = &incoming.alert;
    let arguments = params![
        alert.identity.customer.as_str(),
        alert.identity.fingerprint,
        micros(known.span.starts_at),
        micros(known.span.ends_at),
        known.span.resolved,
        known.told.as_str(),
        micros(known.since),
        micros(now),
        grade(alert.grade),
        alert.source,
        alert.generator_url,
        incoming.annotations,
        incoming.labels,
        micros(known.latest_start),
    ];
    connection.prepare_cached(sql)?.execute(arguments).map(drop)
}
