//! What the gates want to know of the past, and what people hold back.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Hold, Wish};
use evenkeel_model::name::{AssetId, RunId, RunbookName};
use evenkeel_model::run::{Summary, Verdict};
use serde::{Deserialize, Serialize};

use super::JournalError;

/// Verdicts that say whether a runbook does its work on a target; the others say nothing of it.
pub const OUTCOMES: [Verdict; 5] = [
    Verdict::Failed,
    Verdict::NotRepaired,
    Verdict::Changed,
    Verdict::Repaired,
    Verdict::Healthy,
];

/// How a runbook fared on a target lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Live runs with one of [`OUTCOMES`] that ended since its strikes were cleared, newest first.
    pub outcomes: Vec<Summary>,
    /// When it was last said that it is given up.
    pub told_at: Option<DateTime<Utc>>,
}

impl Record {
    /// Whether it was said since the last outcome that the runbook is given up.
    pub fn is_told(&self) -> bool {
        let last = self.outcomes.first().and_then(|run| run.finished_at);
        self.told_at.zip(last).is_some_and(|(told, last)| told >= last)
    }
}

/// Something that happened and started nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unstarted {
    pub at: DateTime<Utc>,
    pub what: Happening,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// An alert began to fire.
    Alert(Box<Alert>),
    /// Ticks of a schedule, from the first to the last of them.
    Ticks {
        runbook: RunbookName,
        schedule: String,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
    },
    /// A run failed, or did not repair, and is not tried again.
    Attempt {
        run: RunId,
        runbook: RunbookName,
        target: Option<AssetId>,
    },
}

impl Unstarted {
    /// When it began; `at` is when it was over.
    pub fn since(&self) -> DateTime<Utc> {
        match &self.what {
            Happening::Ticks { first, .. } => *first,
            Happening::Alert(_) | Happening::Attempt { .. } => self.at,
        }
    }
}

/// Which of what started nothing is asked for.
pub type Wanted = Box<dyn Fn(&Unstarted) -> bool + Send>;

/// Beside the journal. Implemented by `store`.
#[async_trait]
pub trait Ledger: Send + Sync {
    // ---- pauses and silences -------------------------------------------------------------

    /// Durable when it returns.
    async fn hold(&self, wish: Wish, now: DateTime<Utc>) -> Result<Hold, JournalError>;
    /// Ends those of them that are in force; answers them.
    async fn release(&self, holds: Vec<u64>, who: String, now: DateTime<Utc>) -> Result<Vec<Hold>, JournalError>;
    /// Those that were not over before `since`, oldest first.
    async fn holds(&self, since: DateTime<Utc>) -> Result<Vec<Hold>, JournalError>;

    // ---- strikes -------------------------------------------------------------------------

    /// At most `most` outcomes.
    async fn record(&self, runbook: &RunbookName, target: &AssetId, most: usize) -> Result<Record, JournalError>;
    /// What came before doesn't count any more.
    async fn clear_strikes(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        who: &str,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError>;
    /// It was said that the runbook is given up on the target.
    async fn told(&self, runbook: &RunbookName, target: &AssetId, now: DateTime<Utc>) -> Result<(), JournalError>;

    // ---- attempts ------------------------------------------------------------------------

    /// Runs that failed or did not repair, and for which [`Ledger::followed`] was not said, oldest first.
    async fn to_follow(&self, limit: usize) -> Result<Vec<RunId>, JournalError>;
    async fn followed(&self, run: RunId) -> Result<(), JournalError>;

    // ---- alerts --------------------------------------------------------------------------

    /// Alerts that are remembered, whether they fire or not, of whatever customer.
    async fn remembered(&self, fingerprint: &str) -> Result<Vec<Alert>, JournalError>;

    // ---- what started nothing ------------------------------------------------------------

    async fn note(&self, unstarted: Unstarted) -> Result<(), JournalError>;
    /// What was not over before `from` and had begun by `to`, newest first, each once `wanted` took it;
    /// at most `limit`. Ticks that were passed over are there through [`Journal::open_ticks`](super::Journal::open_ticks).
    async fn unstarted(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Unstarted>, JournalError>;
}
