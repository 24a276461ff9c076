//! What comes next, and what became of what was due: for people.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use evenkeel_model::home::Home;
use evenkeel_model::name::{RoundId, RunbookName};
use evenkeel_model::quantity;
use evenkeel_model::run::{State, Summary, Verdict};
use serde::{Deserialize, Serialize};

use super::{Entry, EntryKey, Passed, entries};
use crate::port::{Journal, JournalError, RunFilter, Scheduled};
use crate::words;

/// Schedules in one answer, at most.
const MOST: usize = 1_000;
/// Coming ticks of each, at most.
const TICKS: usize = 1_000;

/// Which of them, and how much of each.
#[derive(Clone, Debug)]
pub struct Filter {
    pub runbook: Option<RunbookName>,
    /// Coming ticks of each.
    pub ticks: usize,
    pub limit: usize,
}

/// Schedules, in the order of what comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub schedules: Vec<Listed>,
    /// So many are left out.
    pub more: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub runbook: RunbookName,
    pub cron: String,
    pub zone: String,
    pub missed: String,
    /// As it would be written; `0s`: none.
    pub jitter: String,
    pub next: Vec<Next>,
    /// Up to when a daemon has kept it; none: never yet.
    pub seen: Option<DateTime<Utc>>,
    /// The last tick that had a round.
    pub last: Option<LastTick>,
    /// The last ticks that had none.
    pub passed: Option<Passed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    pub tick: DateTime<Utc>,
    /// The same in the schedule's zone (RFC 3339).
    pub local: String,
    /// When its round is opened: the tick, and the delay of `jitter`.
    pub opens_at: DateTime<Utc>,
}

/// A tick, its round, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTick {
    pub tick: DateTime<Utc>,
    pub round: RoundId,
    /// None: the journal has its runs no more.
    pub opened_at: Option<DateTime<Utc>>,
    /// How many of its runs came to which verdict, or are `requested`, `waiting` or `running`.
    pub runs: BTreeMap<String, usize>,
    /// What the first of them says that did not do what it was to do.
    pub why: String,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ListError {
    #[error("there is no runbook `{name}`{}", .suggestion.as_ref().map_or(String::new(), |near| format!("; did you mean `{near}`?")))]
    Unknown {
        name: RunbookName,
        suggestion: Option<String>,
    },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The schedules of a home as they stand at `now`.
///
/// # Errors
/// The runbook is none of the home's, or the journal can't be read.
pub async fn list(
    journal: &dyn Journal,
    home: &Home,
    filter: &Filter,
    now: DateTime<Utc>,
) -> Result<Listing, ListError> {
    if let Some(name) = filter.runbook.as_ref().filter(|name| !home.runbooks.contains_key(name)) {
        let known = home.runbooks.keys().map(RunbookName::as_str);
        return Err(ListError::Unknown {
            name: name.clone(),
            suggestion: words::closest(name.as_str(), known),
        });
    }
    let word = journal.word_of_home();
    let wanted = |entry: &Entry| filter.runbook.as_ref().is_none_or(|name| entry.runbook.name == *name);
    let mut all: Vec<_> = entries(home, now)
        .filter(wanted)
        .map(|entry| {
            let opens_at = coming(&entry, &word, now).next().map(|next| next.opens_at);
            (opens_at, entry)
        })
        .collect();
    // What never comes is last.
    all.sort_by_key(|(opens_at, _)| (opens_at.is_none(), *opens_at));
    let more = all.len().saturating_sub(filter.limit.min(MOST));
    all.truncate(filter.limit.min(MOST));

    let mut record: BTreeMap<EntryKey, Scheduled> = BTreeMap::new();
    for known in journal.schedules().await? {
        record.insert((known.runbook.clone(), known.schedule.clone()), known);
    }
    let mut schedules = Vec::with_capacity(all.len());
    for (_, entry) in all {
        let known = record.remove(&(entry.runbook.name.clone(), entry.name.clone()));
        let last = match known.as_ref().and_then(|known| known.last) {
            Some((tick, round)) => Some(became(journal, tick, round).await?),
            None => None,
        };
        schedules.push(Listed {
            next: coming(&entry, &word, now).take(filter.ticks.min(TICKS)).collect(),
            runbook: entry.runbook.name.clone(),
            cron: entry.schedule.expression.clone(),
            zone: entry.schedule.zone.to_string(),
            missed: entry.missed.as_str().to_owned(),
            jitter: quantity::written(entry.jitter),
            seen: known.as_ref().map(|known| known.seen),
            passed: known.and_then(|known| known.passed),
            last,
        });
    }
    Ok(Listing { schedules, more })
}

/// Ticks whose rounds are still to be opened; the first may be over, and its delay not.
fn coming<'a>(entry: &'a Entry, word: &'a str, now: DateTime<Utc>) -> impl Iterator<Item = Next> + 'a {
    let jitter = TimeDelta::from_std(entry.jitter).unwrap_or_default();
    let next = |tick: DateTime<Utc>| Next {
        tick,
        local: tick
            .with_timezone(&entry.schedule.zone)
            .to_rfc3339_opts(SecondsFormat::Secs, true),
        opens_at: entry.opens_at(word, tick),
    };
    let ticks = entry.schedule.ticks(now - jitter);
    ticks.map(next).filter(move |next| next.opens_at > now)
}

async fn became(journal: &dyn Journal, tick: DateTime<Utc>, round: RoundId) -> Result<LastTick, JournalError> {
    let filter = RunFilter {
        round: Some(round),
        ..RunFilter::default()
    };
    let mut runs = journal.runs(filter).await?;
    runs.sort_by_key(|run| run.run);
    let mut counts = BTreeMap::new();
    for run in &runs {
        *counts.entry(state(run).to_owned()).or_default() += 1;
    }
    let told = runs.iter().find(|run| !went_well(run) && !run.why.is_empty());
    Ok(LastTick {
        tick,
        round,
        opened_at: runs.first().map(|run| run.requested_at),
        runs: counts,
        why: told.map_or(String::new(), |run| run.why.clone()),
    })
}

fn state(run: &Summary) -> &'static str {
    match (run.verdict, run.state) {
        (Some(verdict), _) => verdict.as_str(),
        (None, State::Waiting) => "waiting",
        (None, State::Running) => "running",
        (None, State::Requested | State::Finished) => "requested",
    }
}

fn went_well(run: &Summary) -> bool {
    matches!(
        run.verdict,
        Some(Verdict::Healthy | Verdict::Changed | Verdict::Repaired | Verdict::Planned)
    )
}
