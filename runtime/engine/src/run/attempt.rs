//! Invocations of a run, as far as they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::action::Applied;
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::{Class, Finding, Key, Outcome, Output, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::plugin::Pinned;
use serde_json::Value;

/// One export of one step; of one action, in `apply` and `rollback`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub step: StepId,
    phase: u8,
    pub action: Option<String>,
}

impl Place {
    pub fn new(step: &StepId, phase: Phase, action: Option<&str>) -> Self {
        Self {
            step: step.clone(),
            phase: order(phase),
            action: action.map(str::to_owned),
        }
    }
    pub(super) fn of(key: &Key) -> Self {
        Self::new(&key.step, key.phase, key.action.as_deref())
    }
}

/// Phases in the order in which a step goes through them.
fn order(phase: Phase) -> u8 {
    match phase {
        Phase::Check => 0,
        Phase::Plan => 1,
        Phase::Apply => 2,
        Phase::Rollback => 3,
        Phase::Collect => 4,
        Phase::Send => 5,
    }
}

/// An invocation, as far as it came.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub key: Key,
    pub plugin: Pinned,
    pub params: Value,
    pub begun_at: DateTime<Utc>,
    /// None: it is under way, or was interrupted.
    pub ended: Option<Ended>,
    /// The effects that it was about to make, by the number of the call.
    pub intents: BTreeMap<u32, Intent>,
    /// Effects that the attempts before it were about to make.
    pub earlier: Vec<Call>,
    /// How often it was gone on with since it came any further.
    pub resumed: u32,
    /// A plan that is not to be applied any more: it is made anew.
    pub void: bool,
    /// It was interrupted at an effect that was then made again: what came of that says nothing of the first time.
    pub repeats: bool,
    /// Of a plan: what checks had found when it was called.
    pub(crate) basis: Option<Arc<Found>>,
}

/// By the place of the check.
pub(crate) type Found = BTreeMap<Place, Vec<Finding>>;

/// An invocation that was interrupted is gone on with so often without coming any further, so that
/// a plugin that brings the daemon down doesn't do so for ever.
pub const RESUMED_AT_MOST: u32 = 2;

#[derive(Clone, Debug)]
pub struct Ended {
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub struct Intent {
    /// Of its call within the invocation.
    pub n: u32,
    pub call: Call,
    pub reply: Reply,
}

impl Ended {
    /// It failed, or was stopped.
    pub fn is_failure(&self) -> bool {
        !matches!(self.outcome, Outcome::Done(_))
    }

    /// The plugin did not come to its end, and could not be gone on with.
    pub fn is_interruption(&self) -> bool {
        self.outcome.is_interruption()
    }
}

/// What is known of an effect that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: there is no answer to it.
    Missing,
    /// An answer that leaves open whether it was made, in its words.
    Open(String),
    Clear,
}

impl Reply {
    pub(super) fn of(call: &Call, answer: &Answer) -> Self {
        match answer {
            Answer::Err { message, .. } if call.is_left_open_by(answer) => Self::Open(message.clone()),
            _ => Self::Clear,
        }
    }
}

/// The looks of `[healed]`. There may be many: only the last is kept.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    pub count: u32,
    /// Of those before the last.
    interrupted: u32,
    pub last: Option<Attempt>,
}

impl Looks {
    pub(super) fn begin(&mut self, attempt: Attempt) {
        self.interrupted = self.interrupted();
        self.count = self.count.saturating_add(1);
        self.last = Some(attempt);
    }

    /// Those that did not come to their end.
    pub fn interrupted(&self) -> u32 {
        let last = self.last.as_ref().is_some_and(|attempt| attempt.ended.is_none());
        self.interrupted.saturating_add(u32::from(last))
    }
}

/// What `[healed]` heard of a source. There may be many answers: only the last is kept.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    pub count: u32,
    pub last: Option<Heard>,
}

#[derive(Clone, Debug)]
pub struct Heard {
    pub at: DateTime<Utc>,
    pub healed: bool,
    pub told: String,
}

impl Queries {
    pub(super) fn take(&mut self, healed: bool, told: &str, at: DateTime<Utc>) {
        self.count = self.count.saturating_add(1);
        let told = told.to_owned();
        self.last = Some(Heard { at, healed, told });
    }
}

impl Attempt {
    pub(super) fn begin(key: &Key, plugin: &Pinned, params: &Value, at: DateTime<Utc>) -> Self {
        Self {
            key: key.clone(),
            plugin: plugin.clone(),
            params: params.clone(),
            begun_at: at,
            ended: None,
            intents: BTreeMap::new(),
            earlier: Vec::new(),
            resumed: 0,
            void: false,
            repeats: false,
            basis: None,
        }
    }

    /// Effects that it and those before it were about to make, whatever came of them.
    pub fn spent(&self) -> Vec<Call> {
        let own = self.intents.values().map(|intent| &intent.call);
        self.earlier.iter().chain(own).cloned().collect()
    }

    /// It was interrupted, and can be gone on with at the call that it had come to: no effect was
    /// about to be made that may not be made twice.
    pub fn goes_on(&self) -> bool {
        let pending = |intent: &Intent| intent.reply == Reply::Missing && !intent.call.repeatable;
        self.ended.is_none() && self.resumed < RESUMED_AT_MOST && !self.intents.values().any(pending)
    }

    /// All that it did may be done again without harm.
    pub fn may_be_repeated(&self) -> bool {
        self.intents.values().all(|intent| intent.call.repeatable)
    }

    /// Of which of its effects nobody knows whether it was made, or what had followed.
    pub(super) fn doubtful(&self) -> Option<&Intent> {
        let mut open = self.intents.values().filter(|intent| intent.reply != Reply::Clear);
        match self.ended.as_ref() {
            None => open.next_back().or_else(|| self.intents.values().last()),
            Some(ended) if ended.is_interruption() => open.next_back().or_else(|| self.intents.values().last()),
            Some(Ended {
                outcome: Outcome::Done(_),
                ..
            }) => None,
            Some(_) => open.rfind(|intent| !intent.call.repeatable),
        }
    }

    /// It came to no end that would be the same the next time.
    pub(crate) fn may_be_tried_again(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| match &ended.outcome {
            Outcome::Failed(failure) => failure.class == Class::Transient,
            outcome => outcome.is_interruption(),
        })
    }

    /// What it comes to if a person says that it is done.
    pub(super) fn as_done(&self, who: &str) -> Output {
        match self.key.phase {
            Phase::Rollback => Output::RolledBack,
            _ => Output::Applied(Applied {
                changed: true,
                summary: format!("{who} says that it is done"),
                output: None,
                undo: None,
            }),
        }
    }

    pub(crate) fn changed(&self) -> bool {
        match self.output() {
            Some(Output::Applied(applied)) => applied.changed || self.had_begun(),
            _ => self.has_touched(),
        }
    }

    /// What it found may be what it had done itself, before it was interrupted or tried again.
    pub(crate) fn had_begun(&self) -> bool {
        self.repeats || !self.earlier.is_empty()
    }

    /// What an action answered.
    pub(crate) fn applied(&self) -> Option<&Applied> {
        match self.output()? {
            Output::Applied(applied) => Some(applied),
            _ => None,
        }
    }

    /// Of a check that came to its end.
    pub(crate) fn findings(&self) -> Option<&Vec<Finding>> {
        match self.output()? {
            Output::Findings(findings) => Some(findings),
            _ => None,
        }
    }

    /// It, or one before it, had begun to change something.
    pub fn has_touched(&self) -> bool {
        !self.intents.is_empty() || !self.earlier.is_empty()
    }

    pub fn output(&self) -> Option<&Output> {
        match &self.ended.as_ref()?.outcome {
            Outcome::Done(output) => Some(output),
            _ => None,
        }
    }
}
