//! Events of a run, and what they make of its line in `runs list`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_engine::port::Durability;
use evenkeel_engine::port::outbox::NewNotice;
use evenkeel_model::change;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, State, Verdict};
use evenkeel_model::seal::Seal;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::changes;
use crate::open::Store;
use crate::outbox::Insertion;
use crate::rows::{self, micros};
use crate::sealed;
use crate::writer::{STOPPED, Shared, lock};

/// Events as text, ready to be numbered and written.
pub struct Batch {
    run: RunId,
    /// When each came to be.
    bodies: Vec<(i64, String)>,
    line: Line,
    notices: Vec<Insertion>,
    invocations: u64,
    /// Places of those that may bring a change record.
    changes: Vec<usize>,
}

/// What changes in the run's summary; None: nothing.
#[derive(Default)]
struct Line {
    state: Option<State>,
    verdict: Option<Verdict>,
    changed: Option<bool>,
    why: Option<String>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    /// It goes on after its end.
    reopened: bool,
}

impl Batch {
    pub fn new(run: RunId, bodies: &[(DateTime<Utc>, Body)], notices: &[NewNotice]) -> Result<Self, String> {
        let mut line = Line::default();
        bodies.iter().for_each(|(at, body)| line.take(body, micros(*at)));
        let invoked = |(_, body): &&(_, Body)| matches!(body, Body::Invoked { .. });
        let text = |(at, body): &(_, Body)| Ok((micros(*at), serde_json::to_string(body)?));
        let texts: Result<Vec<_>, serde_json::Error> = bodies.iter().map(text).collect();
        Ok(Self {
            run,
            bodies: texts.map_err(|error| format!("an event is no JSON: {error}"))?,
            line,
            notices: notices.iter().map(Insertion::new).collect::<Result<_, _>>()?,
            invocations: bodies.iter().filter(invoked).count() as u64,
            changes: (0..bodies.len())
                .filter(|place| change::may_change(&bodies[*place].1))
                .collect(),
        })
    }

    /// The inner error is for what no retry mends; nothing was written then.
    fn write(
        &self,
        connection: &Connection,
        shared: &Shared,
        seal: Option<&Seal>,
    ) -> rusqlite::Result<Result<(), String>> {
        if let Some(why) = lock(&shared.lost).get(&self.run) {
            return Ok(Err(format!("an earlier event of run {} was lost: {why}", self.run)));
        }
        let Some(last) = last_seq(connection, self.run)? else {
            return Ok(Err(format!("there is no run {}", self.run)));
        };
        let mut insert =
            connection.prepare_cached("INSERT INTO events (run, seq, at, body, sealed) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let run = rows::id(self.run.0);
        for (seq, (at, body)) in (last + 1..).zip(&self.bodies) {
            let (body, sealed) = sealed::columns(seal, run, seq, body);
            insert.execute(params![run, seq, at, body, sealed])?;
        }
        for place in &self.changes {
            changes::record(connection, self.run, last + 1 + rows::id(*place as u64), seal)?;
        }
        self.line.write(connection, self.run)?;
        let at = self.bodies.last().map_or(0, |(at, _)| *at);
        for notice in &self.notices {
            notice.write(connection, run, at, seal)?;
        }
        Ok(Ok(()))
    }

    fn count(&self, shared: &Shared) {
        let mut counts = lock(&shared.counts);
        counts.events += self.bodies.len() as u64;
        counts.notices += self.notices.len() as u64;
        counts.invocations += self.invocations;
        if let Some(verdict) = self.line.verdict {
            counts.finished(verdict);
        }
    }
}

/// None: there is no such run, for each has at least the event that it was requested with.
fn last_seq(connection: &Connection, run: RunId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(seq) FROM events WHERE run = ?1")?
        .query_row([rows::id(run.0)], |row| row.get(0))
}

impl Line {
    fn take(&mut self, body: &Body, at: i64) {
        match body {
            Body::Waiting { why, .. } => {
                self.state = Some(State::Waiting);
                self.why = Some(why.clone());
            }
            Body::Refused { why, .. } => self.why = Some(why.clone()),
            Body::Started => {
                self.state = Some(State::Running);
                self.why = Some(String::new());
                self.started_at = Some(at);
            }
            Body::StepFinished { result, .. } if result.changed => self.changed = Some(true),
            Body::Finished { verdict, why, changed } => {
                self.state = Some(State::Finished);
                self.verdict = Some(*verdict);
                self.changed = Some(*changed);
                self.why = Some(why.clone());
                self.finished_at = Some(at);
            }
            Body::ApprovalAsked { step, risk, ask, .. } => {
                let who = ask.as_ref().map_or(String::new(), |ask| format!(" (`{ask}`)"));
                self.state = Some(State::Waiting);
                self.why = Some(format!(
                    "a person{who} has to approve the plan of `{step}`, risk {risk}"
                ));
            }
            Body::Turn | Body::Approved { enough: true, .. } | Body::Declined { .. } => {
                self.state = Some(State::Running);
                self.why = Some(String::new());
            }
            Body::Resolved { .. } | Body::RunKnown { .. } | Body::UndoRequested { .. } => {
                *self = Self {
                    state: Some(State::Running),
                    why: Some(String::new()),
                    reopened: true,
                    ..Self::default()
                }
            }
            _ => {}
        }
    }

    fn is_still(&self) -> bool {
        self.state.is_none() && self.why.is_none() && self.changed.is_none()
    }

    fn write(&self, connection: &Connection, run: RunId) -> rusqlite::Result<()> {
        if self.is_still() {
            return Ok(());
        }
        // One that goes on touches none of the indices that those that end are found by.
        if self.verdict.is_none() && self.changed.is_none() && !self.reopened {
            let sql = "UPDATE runs SET state = coalesce(?2, state), why = coalesce(?3, why), \
                       started_at = coalesce(?4, started_at) WHERE id = ?1";
            let arguments = params![rows::id(run.0), self.state.map(rows::state), self.why, self.started_at];
            return connection.prepare_cached(sql)?.execute(arguments).map(drop);
        }
        let sql = "UPDATE runs SET state = coalesce(?2, state), \
                   verdict = coalesce(?3, CASE WHEN ?8 THEN NULL ELSE verdict END), \
                   changed = coalesce(?4, changed), why = coalesce(?5, why), \
                   started_at = coalesce(?6, started_at), \
                   finished_at = coalesce(?7, CASE WHEN ?8 THEN NULL ELSE finished_at END) WHERE id = ?1";
        let arguments = params![
            rows::id(run.0),
            self.state.map(rows::state),
            self.verdict.map(Verdict::as_str),
            self.changed,
            self.why,
            self.started_at,
            self.finished_at,
            self.reopened,
        ];
        connection.prepare_cached(sql)?.execute(arguments).map(drop)
    }
}

impl Store {
    pub(super) async fn append_batch(&self, batch: Batch, durability: Durability) -> Result<(), String> {
        let batch = Arc::new(batch);
        let shared = self.writer.shared.clone();
        let perform = {
            let (batch, shared, seal) = (batch.clone(), shared.clone(), self.seal.clone());
            move |connection: &Connection| batch.write(connection, &shared, seal.as_ref())
        };
        let appended = self.writer.appended.clone();
        let (reply, result) = oneshot::channel();
        let settle = move |result: Result<Result<(), String>, String>| {
            let result = result.and_then(|inner| inner);
            match &result {
                Ok(()) => {
                    batch.count(&shared);
                    // Nobody may be listening.
                    let _ = appended.send(batch.run);
                }
                // It was acknowledged already.
                Err(why) if durability == Durability::Group => {
                    lock(&shared.lost).entry(batch.run).or_insert_with(|| why.clone());
                }
                Err(_) => {}
            }
            // Nor waiting.
            let _ = reply.send(result);
        };
        self.writer.hand_over(durability, perform, settle).await?;
        match durability {
            Durability::Group => Ok(()),
            Durability::Disk => result.await.map_err(|_| STOPPED.to_owned())?,
        }
    }
}
