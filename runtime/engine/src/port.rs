//! What the engine needs of the world; adapters implement it.

pub mod gates;
pub mod memory;
pub mod metrics;
pub mod outbox;
pub mod reach;
pub mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Applied};
use evenkeel_model::alert::{Alert, Edge, Identity};
use evenkeel_model::asset::Asset;
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Access;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Notice, Outcome};
use evenkeel_model::name::{AssetId, CustomerId, RoundId, RunId, RunbookName};
use evenkeel_model::plugin::Pinned;
use evenkeel_model::role::Source;
use evenkeel_model::run::{Body, Ended, Event, Mode, Occurrence, Request, Summary, Verdict};
use evenkeel_model::tape::{Seed, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use self::metrics::{MetricsError, Question, Series};
use self::outbox::NewNotice;
use crate::recording::Recording;
use crate::schedule::Passed;

/// The one place where the drivers learn what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}

// ---- the sandbox -------------------------------------------------------------------------

/// Calls plugins. Implemented by `sandbox`.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Runs one export in a fresh instance. Never fails otherwise than by its outcome.
    async fn invoke(&self, invocation: Invocation, calls: Arc<dyn Calls>) -> Outcome;

    /// Asks a source of metrics on behalf of a run, with its token and within its bounds.
    async fn ask(&self, asset: &AssetId, source: &Source, question: Question) -> Result<Vec<Series>, MetricsError>;
}

/// One call of one export.
#[derive(Clone)]
pub struct Invocation {
    pub run: RunId,
    pub runbook: RunbookName,
    /// In a dry run nothing that the plugin remembers is kept.
    pub mode: Mode,
    pub key: Key,
    pub plugin: Pinned,
    pub work: Work,
    /// Effects that earlier attempts of the same action began: what it may do at most is counted
    /// over all of them.
    pub spent: Vec<Call>,
    /// It was interrupted after this: its calls are answered from here while they are the same, and
    /// made where the record ends. `given` and `elapsed` in it are what it goes on with.
    pub resume: Option<Arc<Recording>>,
    /// Rendered and checked against the schema in the plugin's manifest.
    pub params: Value,
    /// What `run.input` answers: `alert`, `target`, `customer`, `input.NAME`, `steps.ID`.
    pub input: BTreeMap<String, Value>,
    pub target: Arc<Asset>,
    pub access: Access,
    /// Wall time, host calls included.
    pub timeout: Duration,
    pub limits: SandboxLimits,
    /// Of all its random numbers.
    pub seed: Seed,
    /// Turns true when the run is cancelled: `run.cancelled` says so, and the invocation is
    /// stopped at its next call after a grace of five seconds.
    pub cancelled: watch::Receiver<bool>,
}

/// Which export, with what besides the parameters.
#[derive(Clone, Debug)]
pub enum Work {
    Check,
    Plan,
    Apply(Action),
    Rollback(Action, Option<Applied>),
    Collect,
    Send(Notice),
}

impl Work {
    /// The same with another id of its action, if it has one.
    pub(crate) fn named(self, id: impl FnOnce(&str) -> String) -> Self {
        let named = |action: Action| Action {
            id: id(&action.id),
            ..action
        };
        match self {
            Self::Apply(action) => Self::Apply(named(action)),
            Self::Rollback(action, applied) => Self::Rollback(named(action), applied),
            other => other,
        }
    }
}

/// Where an invocation's calls are recorded. Implemented by the engine over the [`Journal`].
#[async_trait]
pub trait Calls: Send + Sync {
    /// Returns when the intent is on disk. Called before every effect that is about to be
    /// made, and never for a denied one.
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError>;
    /// Records the answer of call `n` (from 0, counted over the invocation). `call` is given
    /// unless it was intended. Need not be on disk when this returns.
    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError>;
    /// Records what the plugin sensed since the last time; written before the call or the end that
    /// is recorded next.
    fn sensed(&self, _tape: Tape) {}
    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>);
    fn logs_dropped(&self, lines: u64);
    fn progress(&self, permille: u16, note: String);
}

// ---- the store ---------------------------------------------------------------------------

#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal can't be {action}: {cause}")]
pub struct JournalError {
    /// `written` or `read`.
    pub action: &'static str,
    pub cause: String,
}

/// Rounds and runs on disk. Implemented by `store`.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The occurrence, the round and the first event (`Body::Requested`) of each of its runs
    /// in one durable transaction. An occurrence that is there already starts nothing.
    async fn open(&self, round: NewRound, now: DateTime<Utc>) -> Result<Opened, JournalError>;
    /// Appends to a run what happened then; numbers the events. With [`Durability::Disk`] it returns when
    /// they, and all before them, are on disk. What they have people told goes with them: either all of it is
    /// written, or nothing.
    async fn append_all(
        &self,
        run: RunId,
        bodies: Vec<(DateTime<Utc>, Body)>,
        notices: Vec<NewNotice>,
        durability: Durability,
    ) -> Result<(), JournalError>;
    /// The same for what happened at one time, and is told to nobody.
    async fn append(
        &self,
        run: RunId,
        at: DateTime<Utc>,
        bodies: Vec<Body>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        let bodies = bodies.into_iter().map(|body| (at, body)).collect();
        self.append_all(run, bodies, Vec::new(), durability).await
    }
    /// All events of a run, in order; none: there is no such run.
    async fn events(&self, run: RunId) -> Result<Option<Vec<Event>>, JournalError>;
    /// The same of a run that nobody appends to now, for who goes on with it. If events of it that
    /// were to be written with a group were lost, nothing could be appended any more; who has
    /// read what is there may append to that.
    async fn take_on(&self, run: RunId) -> Result<Option<Vec<Event>>, JournalError> {
        self.events(run).await
    }
    /// At most `limit` of the events of a run that come after number `seq`, in order.
    async fn events_after(&self, run: RunId, seq: u64, limit: usize) -> Result<Vec<Event>, JournalError> {
        let all = self.events(run).await?.unwrap_or_default();
        Ok(all.into_iter().filter(|event| event.seq > seq).take(limit).collect())
    }
    /// Newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Summary>, JournalError>;
    async fn run(&self, run: RunId) -> Result<Option<Summary>, JournalError>;
    /// Runs that have not finished, oldest first.
    async fn unfinished(&self) -> Result<Vec<Summary>, JournalError>;
    /// What a runbook did to a target since then: finished live runs that changed something, newest
    /// first. The latest thousand are enough.
    async fn history(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Summary>, JournalError>;
    /// The text of a runbook that a run started with, by its hash.
    async fn text(&self, hash: &str) -> Result<Option<String>, JournalError>;
    /// Opens the rounds of ticks, as [`Journal::open`] does, and notes up to where their schedules
    /// have been seen to, all in one durable transaction. What was passed over is from then on among what
    /// started nothing ([`gates::Ledger::unstarted`]).
    async fn open_ticks(
        &self,
        rounds: Vec<NewRound>,
        notes: Vec<Noted>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError>;
    /// Opens the rounds that an edge of an alert starts, as [`Journal::open`] does, and is done with the edge
    /// ([`Alerts::pending`]), all in one durable transaction.
    async fn open_for_edge(
        &self,
        edge: u64,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError>;
    /// Rounds that `[[after]]` is to look at, and all of whose runs have ended.
    async fn to_conclude(&self) -> Result<Vec<RoundId>, JournalError>;
    /// Opens what looks at the runs of a round, and notes that this is done, in one durable
    /// transaction.
    async fn conclude(
        &self,
        round: RoundId,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError>;
    /// What looks, or looked, at the runs of a round; none: there is no such round.
    async fn after(&self, round: RoundId) -> Result<Option<After>, JournalError>;
    /// Rounds of steps below a run: those whose occurrences have it first in `above`.
    async fn below(&self, root: RunId) -> Result<usize, JournalError>;
    /// The round of an occurrence; none: it has had none.
    async fn round_of(&self, occurrence: &Occurrence) -> Result<Option<RoundId>, JournalError>;
    /// All that is noted of schedules, in one read.
    async fn schedules(&self) -> Result<Vec<Scheduled>, JournalError>;
    /// A word that no other home has, and that stays the same.
    fn word_of_home(&self) -> String {
        String::new()
    }
}

/// Up to where a schedule has been seen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub runbook: RunbookName,
    pub schedule: String,
    /// Ticks up to here are not made up for. It may be earlier than what was noted before: a clock
    /// may have been set back.
    pub seen: DateTime<Utc>,
    /// Ticks that got no round; none: what was noted before stays the last.
    pub passed: Option<Passed>,
}

/// What is noted of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    pub runbook: RunbookName,
    pub schedule: String,
    pub seen: DateTime<Utc>,
    /// The last tick that a round was opened for, and that round.
    pub last: Option<(DateTime<Utc>, RoundId)>,
    /// The last that were.
    pub passed: Option<Passed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Written with the next group.
    Group,
    Disk,
}

#[derive(Clone, Debug)]
pub struct NewRound {
    pub occurrence: Occurrence,
    pub runbook: RunbookName,
    pub text_hash: String,
    pub text: String,
    pub mode: Mode,
    pub alert: Option<Alert>,
    pub input: Value,
    pub targets: Vec<NewRun>,
    /// Why a person wants it in spite of a change freeze.
    pub override_freeze: Option<String>,
    /// Who asked for what asked for it.
    pub asked_by: Option<String>,
    /// `[[after]]` is to look at its runs when all of them have ended.
    pub has_after: bool,
}

impl NewRound {
    /// The first event of the run on `target`, as the store keeps it and the engine folds it.
    pub fn request(&self, round: RoundId, target: &NewRun) -> Request {
        Request {
            round,
            occurrence: self.occurrence.clone(),
            mode: self.mode,
            runbook: self.runbook.clone(),
            text: self.text_hash.clone(),
            target: target.target.clone(),
            customer: target.customer.clone(),
            alert: self.alert.clone(),
            input: self.input.clone(),
            batch: target.batch,
            override_freeze: self.override_freeze.clone(),
            asked_by: self.asked_by.clone(),
            runs: target.runs.clone(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct NewRun {
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub batch: u32,
    /// What it looks at, if it is of `[[after]]`.
    pub runs: Vec<Ended>,
}

/// What `[[after]]` of a round came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// It is still to come.
    pub pending: bool,
    pub runs: Vec<RunId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    New(RoundId, Vec<RunId>),
    /// The occurrence has had its round.
    Known(RoundId),
}

#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub runbook: Option<RunbookName>,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub verdict: Option<Verdict>,
    pub round: Option<RoundId>,
    /// Only runs with a smaller number.
    pub before: Option<RunId>,
    /// Only runs that were not over before.
    pub from: Option<DateTime<Utc>>,
    /// Only runs that were asked for by then.
    pub to: Option<DateTime<Utc>>,
    /// 0: as many as the store allows at once (1,000).
    pub limit: usize,
}

/// The memory of alerts. Implemented by `store`.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Since when it fires, as its edges said it; none: it doesn't.
    async fn firing_since(
        &self,
        identity: &Identity,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, JournalError>;
    async fn firing(&self, identity: &Identity, now: DateTime<Utc>) -> Result<bool, JournalError> {
        Ok(self.firing_since(identity, now).await?.is_some())
    }
    /// Those of them that fire; one look for many that are waited for.
    async fn firing_among(&self, identities: Vec<Identity>, now: DateTime<Utc>) -> Result<Vec<Identity>, JournalError>;
    /// Told whenever there is something new among the [`Alerts::pending`].
    fn news(&self) -> Arc<Notify>;
    /// Edges that no [`Alerts::done`] was said for, oldest first, each with its number.
    async fn pending(&self, limit: usize) -> Result<Vec<(u64, Edge)>, JournalError>;
    /// The edge starts nothing more; it need not come again. One that has rounds is done with as they are opened
    /// ([`Journal::open_for_edge`]).
    async fn done(&self, edge: u64) -> Result<(), JournalError>;
}
