//! Notices that people are to get: written with the events that cause them, and tried until they are out.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::invocation::Notice;
use evenkeel_model::name::RunId;
use evenkeel_model::notify::Topic;
use serde::{Deserialize, Serialize};

use super::JournalError;

/// One notice for one notifier. Its id is unique: the same one is kept once.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotice {
    pub notifier: String,
    pub topic: Topic,
    pub notice: Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    Waiting,
    Delivered,
    GivenUp,
}

impl NoticeState {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::GivenUp];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given-up",
        }
    }
}

/// A notice in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// In the order in which they came in.
    pub number: u64,
    pub run: RunId,
    pub notifier: String,
    pub topic: Topic,
    pub notice: Notice,
    pub queued_at: DateTime<Utc>,
    pub state: NoticeState,
    /// When it is tried next, while it waits.
    pub next_at: DateTime<Utc>,
    /// What the last try came to, or why it was given up.
    pub why: String,
    pub settled_at: Option<DateTime<Utc>>,
    /// The number up to which what is [`Alike`] is told with it; 0: it is told alone; None: it was never tried.
    #[serde(skip)]
    pub told_to: Option<u64>,
    pub tries: Vec<Try>,
}

/// One call of a notifier for one notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// From 1.
    pub n: u32,
    pub at: DateTime<Utc>,
    /// None: it is under way.
    pub outcome: Option<TryOutcome>,
    /// The receipt, or what went wrong.
    pub message: String,
    pub took_ms: u64,
    /// Its calls, a line each.
    pub calls: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TryOutcome {
    Delivered,
    /// It may well work later.
    Transient,
    /// It would not work later either.
    Permanent,
    /// The process ended meanwhile: nobody knows whether it came out.
    Interrupted,
}

impl TryOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    pub outcome: TryOutcome,
    pub message: String,
    pub took_ms: u64,
    pub calls: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Delivered,
    GivenUp,
    Again(DateTime<Utc>),
}

/// Notices that wait behind one, and tell the same of other runs: of the same notifier, topic, runbook and customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alike {
    pub count: u64,
    /// The number of the last of them.
    pub last: u64,
    /// The oldest of them.
    pub first: Vec<Posted>,
}

#[derive(Clone, Debug, Default)]
pub struct OutboxFilter {
    pub state: Option<NoticeState>,
    pub notifier: Option<String>,
    /// Only notices with a smaller number.
    pub before: Option<u64>,
    /// 0: as many as the store gives at once (1,000).
    pub limit: usize,
}

/// Implemented by `store`. What comes in is written by [`super::Journal::append_all`].
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The oldest notice of each notifier that waits.
    async fn heads(&self) -> Result<Vec<Posted>, JournalError>;
    /// When tries of a notifier began, since then and oldest first.
    async fn tries_since(&self, notifier: &str, since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, JournalError>;
    /// A try begins. On disk when this returns; if nothing more is heard of it, it is due again at `then`. The first try
    /// fixes what is told with it ([`Posted::told_to`]), so that each tells the same.
    async fn begin(
        &self,
        number: u64,
        told_to: u64,
        at: DateTime<Utc>,
        then: DateTime<Utc>,
    ) -> Result<(), JournalError>;
    /// What waits behind a notice, up to that number, and tells the same; with at most `most` of it.
    async fn alike(&self, number: u64, to: u64, most: usize) -> Result<Alike, JournalError>;
    /// The try that was begun last has ended. If it delivered, what is told with it is out as well.
    async fn end(&self, number: u64, tried: Tried, next: Next, now: DateTime<Utc>) -> Result<(), JournalError>;
    /// It is not tried any more, although no try said so.
    async fn give_up(&self, number: u64, why: &str, now: DateTime<Utc>) -> Result<(), JournalError>;
    /// Newest first.
    async fn notices(&self, filter: OutboxFilter) -> Result<Vec<Posted>, JournalError>;
}
