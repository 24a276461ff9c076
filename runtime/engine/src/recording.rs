//! What a replay of an invocation needs, out of the events of its run and nothing else; and what
//! can come of a replay. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::{Key, Outcome, Phase};
use evenkeel_model::name::{RunId, RunbookName};
use evenkeel_model::plugin::Pinned;
use evenkeel_model::run::{Body, Event, Mode};
use evenkeel_model::tape::{Given, Tape};
use serde::Serialize;
use serde_json::Value;

use crate::port::Work;
use crate::run::{Attempt, Run};

/// One invocation as it was recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    pub run: RunId,
    pub runbook: RunbookName,
    pub mode: Mode,
    pub key: Key,
    pub plugin: Pinned,
    pub work: Work,
    /// Effects that earlier attempts at the same action were about to make.
    pub spent: Vec<Call>,
    pub params: Value,
    pub given: Given,
    pub tape: Tape,
    /// In order, denied ones included.
    pub calls: Vec<Made>,
    /// Lines of its log.
    pub logged: u64,
    /// For how long it was under way until the last that is recorded, without the time when nobody
    /// was there to go on with it.
    pub elapsed: Duration,
    /// None: it was interrupted by a crash, or is under way.
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub call: Call,
    /// None: an effect that was about to be made; what came of it is not known.
    pub answer: Option<Answer>,
    /// An effect whose intent was recorded.
    pub intended: bool,
    /// So much of the tape, in bytes, came before it.
    pub sensed: usize,
}

/// Why an invocation can't be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecorded {
    #[error("it was recorded by a version of evenkeel that could not replay")]
    Older,
    #[error("the record does not say what it was called with")]
    Work,
    #[error("call {0} is missing in the record")]
    Gap(u32),
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All calls and the result are what was recorded.
    Same,
    /// It stopped at the first difference.
    Differs(Box<Difference>),
    /// All is what was recorded, and the record has no end: what comes next is call `n`, if that
    /// is what the plugin did. A resume goes on live here.
    Open { n: u32, call: Option<Call> },
    /// All is what was recorded until call `n`, whose answer was a secret's value, sealed with the
    /// key of another home.
    Withheld { n: u32, call: Call },
}

/// Between calls `n - 1` and `n`, or at call `n`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub n: u32,
    pub recorded: Side,
    pub replayed: Side,
}

/// What happened on one side of a difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Called(Call),
    /// A clock, a poll, a question about its run; in words.
    Sensed(String),
    Ended(Outcome),
    /// What was recorded can't be read; why.
    Unreadable(String),
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// Calls that were made again and were the same.
    pub calls: u32,
    pub ending: Ending,
}

/// Every invocation of a run, in order. `events` are all of the run's.
pub fn recordings(run: RunId, events: &[Event]) -> Vec<(Key, Result<Recording, Unrecorded>)> {
    let mut fold = Run::default();
    let mut found: Vec<Found> = Vec::new();
    for event in events {
        match &event.body {
            Body::Invoked {
                key,
                plugin,
                params,
                given,
                ..
            } => found.push(Found {
                key: key.clone(),
                recording: begin(run, &fold, key, plugin, params, given.as_deref()),
                seen: event.at,
            }),
            body => {
                let of_it = |key: &Key| found.iter().rposition(|found| found.key == *key);
                if let Some(at) = body.key().and_then(of_it) {
                    found[at].take_in(event);
                }
            }
        }
        fold.apply(event);
    }
    found.into_iter().map(|found| (found.key, found.recording)).collect()
}

struct Found {
    key: Key,
    recording: Result<Recording, Unrecorded>,
    /// When something was recorded of it last.
    seen: DateTime<Utc>,
}

/// Whether a plugin made the call that was recorded. What only the host knew (whether it was an
/// effect, which file it was) is not compared.
pub fn same_call(recorded: &Call, replayed: &Call) -> bool {
    let same_request = match (&recorded.request, &replayed.request) {
        (Value::Object(recorded), Value::Object(replayed)) => {
            replayed.iter().all(|(name, value)| recorded.get(name) == Some(value))
        }
        (recorded, replayed) => recorded == replayed,
    };
    recorded.capability == replayed.capability
        && recorded.operation == replayed.operation
        && recorded.subject == replayed.subject
        && recorded.content == replayed.content
        && same_request
}

fn begin(
    run: RunId,
    fold: &Run,
    key: &Key,
    plugin: &Pinned,
    params: &Value,
    given: Option<&Given>,
) -> Result<Recording, Unrecorded> {
    let request = fold.request.as_ref().ok_or(Unrecorded::Work)?;
    Ok(Recording {
        run,
        runbook: request.runbook.clone(),
        mode: request.mode,
        key: key.clone(),
        plugin: plugin.clone(),
        work: work(fold, key).ok_or(Unrecorded::Work)?,
        spent: fold
            .attempt(&key.step, key.phase, key.action.as_deref())
            .map(Attempt::spent)
            .unwrap_or_default(),
        params: params.clone(),
        given: given.ok_or(Unrecorded::Older)?.clone(),
        tape: Tape::default(),
        calls: Vec::new(),
        logged: 0,
        elapsed: Duration::ZERO,
        outcome: None,
    })
}

/// An action is the one that was planned last, as `decide` takes it.
fn work(fold: &Run, key: &Key) -> Option<Work> {
    let own = |id: &str| match (fold.items(&key.step), id.split_once('/')) {
        (Some(_), Some((_, own))) => own.to_owned(),
        _ => id.to_owned(),
    };
    let action = || {
        let id = key.action.as_deref()?;
        let mut actions = fold.plan(&key.step)?.actions.iter();
        actions.find(|action| action.id == id).cloned()
    };
    let work = match key.phase {
        Phase::Check => Some(Work::Check),
        Phase::Plan => Some(Work::Plan),
        Phase::Collect => Some(Work::Collect),
        Phase::Apply => action().map(Work::Apply),
        Phase::Rollback => action().map(|action| {
            let applied = fold.applied(&key.step, &action.id).filter(|applied| applied.changed);
            let applied = applied.cloned();
            Work::Rollback(action, applied)
        }),
        // Nothing sends yet, and no event says what.
        Phase::Send => None,
    };
    work.map(|work| work.named(own))
}

impl Found {
    fn take_in(&mut self, event: &Event) {
        let Ok(found) = &mut self.recording else { return };
        if !matches!(event.body, Body::Resumed { .. } | Body::Resolved { .. }) {
            let passed = (event.at - self.seen).to_std().unwrap_or_default();
            found.elapsed = found.elapsed.saturating_add(passed);
        }
        self.seen = event.at;
        if let Err(gap) = found.take_in(&event.body) {
            self.recording = Err(gap);
        }
    }
}

impl Recording {
    fn take_in(&mut self, body: &Body) -> Result<(), Unrecorded> {
        match body {
            Body::Sensed { tape, .. } => self.tape.0.extend_from_slice(&tape.0),
            Body::Intended { n, call, .. } => self.add(*n, call, None)?,
            Body::Called {
                n,
                call: Some(call),
                answer,
                ..
            } => self.add(*n, call, Some(answer))?,
            Body::Called { n, answer, .. } => self.answer(*n, answer)?,
            Body::Logged { .. } => self.logged += 1,
            // It was not made: it is what comes next.
            Body::Resolved { n, done: false, .. } if self.is_pending(*n) => drop(self.calls.pop()),
            Body::Ended { outcome, .. } => self.outcome = Some(outcome.clone()),
            _ => {}
        }
        Ok(())
    }

    /// The last call, an effect without an answer.
    fn is_pending(&self, n: u32) -> bool {
        let last = self.calls.last().is_some_and(|made| made.answer.is_none());
        last && self.calls.len() == n as usize + 1
    }

    fn add(&mut self, n: u32, call: &Call, answer: Option<&Answer>) -> Result<(), Unrecorded> {
        if n as usize != self.calls.len() {
            return Err(Unrecorded::Gap(u32::try_from(self.calls.len()).unwrap_or(u32::MAX)));
        }
        self.calls.push(Made {
            call: call.clone(),
            answer: answer.cloned(),
            intended: answer.is_none(),
            sensed: self.tape.0.len(),
        });
        Ok(())
    }

    fn answer(&mut self, n: u32, answer: &Answer) -> Result<(), Unrecorded> {
        let made = self.calls.get_mut(n as usize).ok_or(Unrecorded::Gap(n))?;
        made.answer = Some(answer.clone());
        Ok(())
    }
}
