//! What was done to the world, and at whose word: one record for each applied action and each rollback.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::call::{Answer, Call};
use crate::invocation::{Key, Outcome, Output, Phase};
use crate::name::{AssetId, CustomerId, RunId, RunbookName, StepId};
use crate::plugin::Pinned;
use crate::run::{Body, Event, Occurrence, Request};

/// Kinds of effects that one record names; the others are counted.
const EFFECTS: usize = 100;
/// Characters of a summary, and of an effect's subject.
const TEXT: usize = 500;

/// A record is never edited: what undoes a change has a record of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub run: RunId,
    pub runbook: RunbookName,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    pub step: StepId,
    pub action: String,
    /// 1, and one more with each retry.
    pub attempt: u32,
    /// It undoes the action, or tried to.
    pub undo: bool,
    pub summary: String,
    pub plugin: Option<Pinned>,
    /// The plan's hash.
    pub plan: Option<String>,
    /// The person, schedule or alert that started the round.
    pub cause: Occurrence,
    pub approved_by: Vec<String>,
    pub outcome: ChangeOutcome,
    pub effects: Vec<Made>,
    /// Kinds of effects that are not named.
    pub more_effects: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeOutcome {
    Changed,
    /// Effects were made, and the plugin says that they changed nothing.
    Unchanged,
    /// It failed, or was stopped, once an effect had begun.
    Failed,
    /// It broke off, and nobody knows what was done.
    Unknown,
    Undone,
}

impl ChangeOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
        }
    }
}

/// Effects of one kind; never what they carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    pub capability: String,
    pub operation: String,
    pub subject: String,
    pub times: u32,
}

/// A record in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub seq: u64,
    pub hash: String,
    /// A later record says that it was undone.
    pub undone: bool,
    #[serde(flatten)]
    pub change: Change,
}

/// Which records; the newest first.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    pub runbook: Option<RunbookName>,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    /// 0: as many as one answer holds.
    pub limit: usize,
}

/// Whether events like this can bring a record.
pub fn may_change(body: &Body) -> bool {
    use crate::run::Verdict::{Cancelled, Failed, NotRepaired, Unknown};
    match body {
        Body::Ended { key, .. } => is_change(key),
        Body::Finished { verdict, .. } => matches!(verdict, Cancelled | Failed | NotRepaired | Unknown),
        _ => false,
    }
}

fn is_change(key: &Key) -> bool {
    matches!(key.phase, Phase::Apply | Phase::Rollback)
}

/// The records that the last of a run's events brings.
pub fn of(run: RunId, events: &[Event]) -> Vec<Change> {
    let Some((last, before)) = events.split_last() else {
        return Vec::new();
    };
    let told = |key: &Key, outcome| told(run, last.at, before, key, outcome);
    match &last.body {
        Body::Ended { key, outcome } if is_change(key) => told(key, Some(outcome)).into_iter().collect(),
        body @ Body::Finished { .. } if may_change(body) => {
            let broken = broken_off(before);
            broken.iter().filter_map(|key| told(key, None)).collect()
        }
        _ => Vec::new(),
    }
}

/// Invocations that began an effect since the run last ended, and have no end.
fn broken_off(before: &[Event]) -> Vec<Key> {
    let mut open: Vec<Key> = Vec::new();
    for event in before {
        match &event.body {
            Body::Intended { key, .. } if is_change(key) && !open.contains(key) => open.push(key.clone()),
            Body::Ended { key, .. } => open.retain(|other| other != key),
            Body::Finished { .. } => open.clear(),
            _ => {}
        }
    }
    open
}

fn told(run: RunId, at: DateTime<Utc>, before: &[Event], key: &Key, outcome: Option<&Outcome>) -> Option<Change> {
    let request = requested(before)?;
    let all = made(before, key);
    let outcome = match outcome {
        None => ChangeOutcome::Unknown,
        Some(Outcome::Done(Output::RolledBack)) => ChangeOutcome::Undone,
        Some(Outcome::Done(Output::Applied(applied))) if applied.changed || had_begun(before, key) => {
            ChangeOutcome::Changed
        }
        // What a plugin says of itself is not the record of what it did.
        Some(Outcome::Done(_)) if !all.is_empty() => ChangeOutcome::Unchanged,
        Some(outcome) if is_in_doubt(before, key, outcome) => ChangeOutcome::Unknown,
        Some(Outcome::Failed(_) | Outcome::Stopped { .. }) if !all.is_empty() || key.phase == Phase::Rollback => {
            ChangeOutcome::Failed
        }
        Some(_) => return None,
    };
    let id = key.action.clone().unwrap_or_default();
    let (plan, action) = planned(before, key).unzip();
    let undo = key.phase == Phase::Rollback;
    let summary = action.flatten().map_or("", |action| match &action.undo {
        Some(words) if undo => words,
        _ => &action.summary,
    });
    Some(Change {
        at,
        run,
        runbook: request.runbook.clone(),
        target: request.target.clone(),
        customer: request.customer.clone(),
        step: key.step.clone(),
        action: id,
        attempt: key.attempt,
        undo,
        summary: short(summary),
        plugin: called(before, key),
        plan,
        cause: cause(before, request),
        approved_by: approvers(before, key),
        outcome,
        more_effects: all.len().saturating_sub(EFFECTS),
        effects: all.into_iter().take(EFFECTS).collect(),
    })
}

/// Who wanted it undone after the run's end, or what started the round.
fn cause(events: &[Event], request: &Request) -> Occurrence {
    let asked = events.iter().rev().find_map(|event| match &event.body {
        Body::UndoRequested { who, .. } => Some(who.clone()),
        _ => None,
    });
    match asked {
        Some(who) => Occurrence::Person {
            runbook: request.runbook.clone(),
            request: "undo".to_owned(),
            who,
        },
        None => request.occurrence.clone(),
    }
}

fn requested(events: &[Event]) -> Option<&Request> {
    events.iter().find_map(|event| match &event.body {
        Body::Requested(request) => Some(&**request),
        _ => None,
    })
}

fn called(events: &[Event], wanted: &Key) -> Option<Pinned> {
    events.iter().rev().find_map(|event| match &event.body {
        Body::Invoked { key, plugin, .. } if key == wanted => Some(plugin.clone()),
        _ => None,
    })
}

fn planned<'e>(events: &'e [Event], key: &Key) -> Option<(String, Option<&'e Action>)> {
    events.iter().rev().find_map(|event| match &event.body {
        Body::Planned {
            step, hash, actions, ..
        } if *step == key.step => {
            let action = actions.iter().find(|action| Some(&action.id) == key.action.as_ref());
            Some((hash.as_str().to_owned(), action))
        }
        _ => None,
    })
}

/// Those who said yes to the plan that is applied.
fn approvers(events: &[Event], wanted: &Key) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for event in events {
        match &event.body {
            Body::ApprovalAsked { step, .. } | Body::PlanVoid { step, .. } if *step == wanted.step => names.clear(),
            Body::Approved { step, who, .. } if *step == wanted.step => names.push(who.clone()),
            _ => {}
        }
    }
    names
}

/// Nobody knows what it did, by the rules by which the verdict of its run is `unknown`: it was interrupted after it had begun
/// an effect, or it failed after one that may have been made and can't safely be made again.
fn is_in_doubt(events: &[Event], wanted: &Key, outcome: &Outcome) -> bool {
    let mut open: BTreeMap<u32, (&Call, bool)> = BTreeMap::new();
    for event in events {
        match &event.body {
            Body::Intended { key, n, call } if key == wanted => drop(open.insert(*n, (call, true))),
            Body::Called { key, n, answer, .. } if key == wanted => {
                if let Some((call, is_open)) = open.get_mut(n) {
                    *is_open = call.is_left_open_by(answer);
                }
            }
            _ => {}
        }
    }
    match outcome {
        Outcome::Done(_) => false,
        outcome if outcome.is_interruption() => !open.is_empty(),
        _ => open.values().any(|(call, is_open)| *is_open && !call.repeatable),
    }
}

/// It was interrupted at an effect that was then made again, or an earlier try had begun one: what it found may be what it
/// had done itself.
pub fn had_begun(events: &[Event], wanted: &Key) -> bool {
    let is_earlier = |key: &Key| wanted.is_later_try_of(key);
    let is_here = |key: &Key| key == wanted || is_earlier(key);
    // By attempt and number of the call: without an answer, and without one that says what was done.
    let (mut missing, mut open, mut earlier) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    let mut ended = BTreeSet::new();
    for event in events {
        match &event.body {
            Body::Intended { key, n, call } if is_here(key) => {
                missing.insert((key.attempt, *n));
                open.insert((key.attempt, *n), call);
                earlier.extend(is_earlier(key).then_some((key.attempt, *n)));
            }
            Body::Called { key, n, answer, .. } if is_here(key) => {
                missing.remove(&(key.attempt, *n));
                open.retain(|begun, call| *begun != (key.attempt, *n) || call.is_left_open_by(answer));
            }
            Body::Ended { key, outcome } if is_earlier(key) && !outcome.is_interruption() => {
                ended.insert(key.attempt);
            }
            // A person says that what was interrupted was not made; what was answered was.
            Body::Resolved {
                key, n, done: false, ..
            } if is_here(key) && !ended.contains(&key.attempt) => {
                let call = (key.attempt, *n);
                earlier.retain(|begun| *begun != call || !open.contains_key(&call));
                open.remove(&call);
                missing.remove(&call);
            }
            Body::Resumed { key } if key == wanted && missing.iter().any(|(attempt, _)| *attempt == key.attempt) => {
                return true;
            }
            _ => {}
        }
    }
    !earlier.is_empty()
}

fn made(events: &[Event], wanted: &Key) -> Vec<Made> {
    let mut calls: BTreeMap<u32, &Call> = BTreeMap::new();
    for event in events {
        match &event.body {
            Body::Intended { key, n, call } if key == wanted => drop(calls.insert(*n, call)),
            Body::Called {
                key,
                n,
                answer: Answer::Denied(_),
                ..
            } if key == wanted => drop(calls.remove(n)),
            _ => {}
        }
    }
    let mut kinds: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    for call in calls.values() {
        for subject in call.subjects() {
            let kind = (call.capability.to_string(), call.operation.clone(), short(&subject));
            *kinds.entry(kind).or_default() += 1;
        }
    }
    let made = |((capability, operation, subject), times)| Made {
        capability,
        operation,
        subject,
        times,
    };
    kinds.into_iter().map(made).collect()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
