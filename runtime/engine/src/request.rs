//! What a person asks for, and why it can't be had.

use evenkeel_model::alert::Alert;
use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use evenkeel_model::run::Mode;
use serde_json::{Map, Value};

use crate::port::JournalError;

#[derive(Clone, Debug)]
pub struct PersonRequest {
    pub runbook: RunbookName,
    /// None: the asset that `alert` names, or what `[targets]` selects.
    pub target: Option<AssetId>,
    /// With neither `target` nor `alert`: all that `[targets]` selects, however many they are.
    pub all: bool,
    pub mode: Mode,
    /// What the runbook sees as `alert`. It is not expected to fire: a person said so.
    pub alert: Option<Alert>,
    /// By the names of `[[input]]`. Text is taken for a number or a boolean where one is wanted,
    /// for a command line has nothing else.
    pub input: Map<String, Value>,
    /// Why it is to change something although that is frozen.
    pub override_freeze: Option<String>,
    /// The user, as the caller knows them.
    pub who: String,
    /// Unique; asking again with the same is answered with the same round.
    pub request: String,
}

/// The round that was opened for a request, and its runs in the order of their batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub round: RoundId,
    pub runs: Vec<RunId>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    #[error("there is no runbook `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownRunbook {
        name: RunbookName,
        suggestion: Option<String>,
    },
    #[error("there is no asset `{asset}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownTarget { asset: AssetId, suggestion: Option<String> },
    /// `[targets]` bounds every trigger, a person too.
    #[error("`{runbook}` does not take `{asset}`: {why}")]
    NotSelected {
        runbook: RunbookName,
        asset: AssetId,
        why: String,
    },
    #[error("`{runbook}` finds no target: {why}")]
    NoTarget { runbook: RunbookName, why: String },
    /// Nobody changes a whole fleet by leaving a word out.
    #[error("`{runbook}` selects {count} targets: {listed}; name one with --target, or say --all-targets")]
    SeveralTargets {
        runbook: RunbookName,
        count: usize,
        /// The first ten of them.
        listed: String,
    },
    #[error("input `{name}`: {why}")]
    Input { name: String, why: String },
    #[error("the daemon is stopping; ask again when it is back")]
    Draining,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum WaitError {
    #[error("there is no run {0}")]
    Unknown(RunId),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum CancelError {
    #[error("there is no run {0}")]
    Unknown(RunId),
    #[error("run {0} has finished")]
    Finished(RunId),
    /// It was left, and nobody drives it until it is taken up again.
    #[error("run {0} waits to be resumed; ask again in a minute")]
    NotUnderWay(RunId),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}
