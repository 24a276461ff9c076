//! What is not kept for ever, removed a little at a time.
//!
//! *Invariant:* no run that has not finished, or whose end is unknown, loses an event; no change record
//! is removed, nor the line of a run that has one; no attempt at a change that did not end well loses
//! what it had begun, for its undoing goes by that; an alert or a tick of the time that is kept starts
//! no second round.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::Durability;
use evenkeel_model::change;
use evenkeel_model::home::Keep;
use evenkeel_model::invocation::{Key, Outcome, Output, Phase};
use evenkeel_model::run::{Body, Event};
use evenkeel_model::seal::Seal;
use rusqlite::{Connection, params};

use crate::open::Store;
use crate::rows::micros;
use crate::sealed;

/// Runs, or other rows, of one transaction: so few that who writes meanwhile hardly waits.
const BATCH: i64 = 50;

/// How far one round of removing has come. A new one begins at the oldest run.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Runs up to here have lost their calls, or keep them.
    calls: i64,
    /// Runs up to here are removed, or stay.
    runs: i64,
    /// Runs that lost their calls, and that were removed.
    pub compacted: u64,
    pub removed: u64,
}

impl Store {
    /// Removes the next few of what is older than `keep` says; false: there is nothing more to remove.
    ///
    /// # Errors
    /// If it can't be read or written, in words.
    pub async fn compact(&self, keep: Keep, progress: &mut Progress, now: DateTime<Utc>) -> Result<bool, String> {
        let before = |kept: Option<std::time::Duration>| {
            let kept = TimeDelta::from_std(kept?).ok()?;
            now.checked_sub_signed(kept).map(micros)
        };
        let mut more = false;
        if let Some(before) = before(keep.calls) {
            more |= self.drop_calls(before, progress).await?;
        }
        if let Some(before) = before(keep.runs) {
            more |= self.drop_settled(before).await?;
            more |= self.drop_runs(before, progress).await?;
        }
        Ok(more)
    }

    async fn drop_calls(&self, before: i64, progress: &mut Progress) -> Result<bool, String> {
        let (after, seal) = (progress.calls, self.seal.clone());
        let (last, found) = self
            .read(move |connection| compactable(connection, after, before, seal.as_ref()))
            .await?;
        let Some(last) = last else { return Ok(false) };
        progress.compacted += found.len() as u64;
        let drop = move |connection: &Connection| {
            let mut delete = connection.prepare_cached("DELETE FROM events WHERE run = ?1 AND seq = ?2")?;
            let mut mark = connection.prepare_cached("UPDATE runs SET compacted = 1 WHERE id = ?1")?;
            for (run, details) in &found {
                for seq in details {
                    delete.execute([run, seq])?;
                }
                mark.execute([run])?;
            }
            Ok(())
        };
        self.writer.write(Durability::Group, drop).await?;
        progress.calls = last;
        Ok(true)
    }

    /// Notices that were settled, and what started nothing: why it did not run is asked for as long as what ran.
    async fn drop_settled(&self, before: i64) -> Result<bool, String> {
        let drop = move |connection: &Connection| {
            let old = "SELECT number FROM notices WHERE settled_at < ?1 ORDER BY settled_at LIMIT ?2";
            let tries = format!("DELETE FROM tries WHERE notice IN ({old})");
            connection.prepare_cached(&tries)?.execute(params![before, BATCH])?;
            let notices = format!("DELETE FROM notices WHERE number IN ({old})");
            let notices = connection.prepare_cached(&notices)?.execute(params![before, BATCH])?;
            let unstarted = "DELETE FROM unstarted WHERE id IN \
                             (SELECT id FROM unstarted WHERE at < ?1 ORDER BY at LIMIT ?2)";
            let unstarted = connection.prepare_cached(unstarted)?.execute(params![before, BATCH])?;
            Ok(notices + unstarted > 0)
        };
        self.writer.write(Durability::Group, drop).await
    }

    async fn drop_runs(&self, before: i64, progress: &mut Progress) -> Result<bool, String> {
        let after = progress.runs;
        let (last, found) = self
            .read(move |connection| removable(connection, after, before))
            .await?;
        let Some(last) = last else {
            return self.drop_marks(before).await.map(|()| false);
        };
        progress.removed += found.len() as u64;
        let drop = move |connection: &Connection| found.iter().try_for_each(|run| remove(connection, *run));
        self.writer.write(Durability::Group, drop).await?;
        progress.runs = last;
        Ok(true)
    }

    /// Pauses and silences that are over, and alerts that ended.
    async fn drop_marks(&self, before: i64) -> Result<(), String> {
        let remove = move |connection: &Connection| {
            let ended = "DELETE FROM holds WHERE ended_at < ?1 OR until < ?1";
            connection.prepare_cached(ended)?.execute([before])?;
            let resolved = "DELETE FROM alerts WHERE resolved = 1 AND told <> 'fired' AND heard_at < ?1";
            connection.prepare_cached(resolved)?.execute([before]).map(drop)
        };
        self.writer.write(Durability::Group, remove).await
    }
}

/// The last of the next runs that may be old enough, and those of them that lose their calls, with the
/// numbers of those events.
type Details = (Option<i64>, Vec<(i64, Vec<i64>)>);

fn compactable(connection: &Connection, after: i64, before: i64, seal: Option<&Seal>) -> rusqlite::Result<Details> {
    let sql = "SELECT runs.id, runs.compacted = 0 AND runs.state = 'finished' AND runs.finished_at < ?2 \
                      AND runs.verdict <> 'unknown' AND rounds.to_conclude = 0 \
               FROM runs JOIN rounds ON rounds.id = runs.round \
               WHERE runs.id > ?1 AND runs.requested_at < ?2 ORDER BY runs.id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![after, before, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let looked_at: Vec<(i64, bool)> = rows.collect::<rusqlite::Result<_>>()?;
    let last = looked_at.last().map(|(run, _)| *run);
    let old = looked_at.into_iter().filter(|(_, old)| *old);
    let found = old.map(|(run, _)| Ok((run, details(connection, run, seal)?)));
    Ok((last, found.collect::<rusqlite::Result<_>>()?))
}

/// Events that say how something was done, and not what.
fn details(connection: &Connection, run: i64, seal: Option<&Seal>) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT seq, at, body, sealed FROM events WHERE run = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let events = statement.query_map([run], |row| sealed::event(row, run, seal))?;
    let events = events.collect::<rusqlite::Result<Vec<Event>>>()?;
    let (mut ends, mut details) = (HashMap::new(), Vec::new());
    for event in &events {
        take_in(&mut ends, &events, &event.body);
        if let Some(lost) = lost_after(&event.body) {
            details.push((crate::rows::id(event.seq), event.body.key().cloned(), lost));
        }
    }
    let is_lost = |key: Option<&Key>, lost: End| key.and_then(|key| ends.get(key)).is_none_or(|end| *end <= lost);
    let lost = details
        .into_iter()
        .filter(|(_, key, lost)| is_lost(key.as_ref(), *lost));
    Ok(lost.map(|(seq, ..)| seq).collect())
}

/// How an invocation that may change the world came out: the less well, the more of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Done,
    /// What it had begun may stand half made; or it changed nothing any more, because it had begun before.
    Failed,
    /// It was interrupted: it is gone on with, if at all, by what it got so far.
    Open,
}

fn take_in(ends: &mut HashMap<Key, End>, events: &[Event], body: &Body) {
    let (key, end) = match body {
        Body::Invoked { key, .. } => (key, End::Open),
        Body::Ended {
            key,
            outcome: Outcome::Done(Output::Applied(applied)),
        } if !applied.changed && change::had_begun(events, key) => (key, End::Failed),
        Body::Ended {
            key,
            outcome: Outcome::Done(_),
        }
        | Body::Resolved { key, done: true, .. } => (key, End::Done),
        Body::Ended { key, .. } => (key, End::Failed),
        Body::Resolved { key, done: false, .. } => (key, End::Open),
        _ => return,
    };
    if matches!(key.phase, Phase::Apply | Phase::Rollback | Phase::Send) {
        ends.insert(key.clone(), end);
    }
}

/// The worst end of an invocation after which the event is a mere detail; none: it never is.
fn lost_after(body: &Body) -> Option<End> {
    match body {
        // An effect, its answer, for an intent alone would be a doubt, and that it was made again.
        Body::Intended { .. } | Body::Called { call: None, .. } | Body::Resumed { .. } => Some(End::Done),
        Body::Called { .. } | Body::Sensed { .. } => Some(End::Failed),
        Body::Logged { .. } | Body::LogsDropped { .. } | Body::Progressed { .. } => Some(End::Open),
        _ => None,
    }
}

fn removable(connection: &Connection, after: i64, before: i64) -> rusqlite::Result<(Option<i64>, Vec<i64>)> {
    let sql = "SELECT runs.id, runs.state = 'finished' AND runs.finished_at < ?2 \
                      AND runs.verdict <> 'unknown' AND rounds.to_conclude = 0 \
                      AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.run = runs.id) \
                      AND NOT EXISTS (SELECT 1 FROM notices WHERE notices.run = runs.id AND notices.state = 'waiting') \
               FROM runs JOIN rounds ON rounds.id = runs.round \
               WHERE runs.id > ?1 AND runs.requested_at < ?2 ORDER BY runs.id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![after, before, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let looked_at: Vec<(i64, bool)> = rows.collect::<rusqlite::Result<_>>()?;
    let last = looked_at.last().map(|(run, _)| *run);
    let old = looked_at.into_iter().filter(|(_, old)| *old);
    Ok((last, old.map(|(run, _)| run).collect()))
}

fn remove(connection: &Connection, run: i64) -> rusqlite::Result<()> {
    let round: i64 = connection
        .prepare_cached("SELECT round FROM runs WHERE id = ?1")?
        .query_row([run], |row| row.get(0))?;
    for sql in [
        "DELETE FROM tries WHERE notice IN (SELECT number FROM notices WHERE run = ?1)",
        "DELETE FROM notices WHERE run = ?1",
        "DELETE FROM events WHERE run = ?1",
        "DELETE FROM runs WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([run])?;
    }
    let empty = "DELETE FROM rounds WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE round = ?1)";
    connection.prepare_cached(empty)?.execute([round]).map(drop)
}
