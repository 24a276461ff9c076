//! Runbooks that have been checked.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::action::Risk;
use crate::alert::Labels;
use crate::grant::Grant;
use crate::name::{RunbookName, StepId};
use crate::plugin::{Kind, Pinned};
use crate::run::{Occurrence, Over};

#[derive(Clone, Debug)]
pub struct Runbook {
    pub name: RunbookName,
    /// Relative to the home.
    pub file: String,
    /// The file as it was read; a run keeps the text that it started with.
    pub text: String,
    /// SHA-256 of `text`, lower-case hex.
    pub hash: String,
    pub summary: String,
    pub owner: Option<String>,
    pub on: Vec<On>,
    pub targets: Targets,
    pub limits: Limits,
    pub inputs: Vec<Input>,
    pub steps: Vec<Step>,
    pub healed: Option<Healed>,
    /// `[[after]]`: steps on `local` over the runs of a round, once they have ended.
    pub after: Vec<(Over, Step)>,
}

#[derive(Clone, Debug)]
pub enum On {
    Alert {
        name: String,
        matching: Selector,
        /// Go on with a run although its alert resolved before anything was applied.
        on_resolve_continue: bool,
    },
    Cron {
        schedule: crate::cron::Schedule,
        missed: Missed,
        /// Rounds are opened up to so much later than their ticks.
        jitter: Duration,
    },
}

/// What happens to ticks of the time when no daemon ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    None,
    #[default]
    Last,
    All,
}

impl Missed {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// Label matchers, all of which must hold; a missing label is an empty one.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    pub text: String,
    pub matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
pub struct Matcher {
    pub label: String,
    pub op: MatchOp,
}

#[derive(Clone, Debug)]
pub enum MatchOp {
    Equal(String),
    NotEqual(String),
    /// Anchored at both ends, as in PromQL.
    Regex(regex::Regex),
    NotRegex(regex::Regex),
}

/// The text says all.
impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Selector {
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = |label: &String| labels.get(label).map_or("", String::as_str);
        self.matchers
            .iter()
            .all(|matcher| matcher.matches(value(&matcher.label)))
    }
}

impl Matcher {
    /// Whether the label may have this value; empty: it is missing.
    pub fn matches(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal(wanted) => value == wanted,
            MatchOp::NotEqual(unwanted) => value != unwanted,
            MatchOp::Regex(regex) => regex.is_match(value),
            MatchOp::NotRegex(regex) => !regex.is_match(value),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Targets {
    /// None: the asset `local`.
    pub select: Option<Selector>,
    pub batch: Batch,
    /// At most so many of one customer's targets at once.
    pub per_customer: Option<NonZeroU32>,
    /// Failures after which no further batch starts.
    pub stop_after: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    All,
    Count(NonZeroU32),
    /// 1 to 100, of the round's targets, rounded up.
    Percent(u8),
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Per runbook and target, since the end of a run that changed something. Zero: none.
    pub cooldown: Duration,
    /// Of the runs that changed something, per runbook and target. None: no bound.
    pub max_runs: Option<MaxRuns>,
    /// Runs in a row that failed or did not repair a target, after which it is left to people.
    pub strikes: NonZeroU32,
    pub overlap: Overlap,
    /// Targets of the runbook that are worked on at once, over all of its rounds: a share is
    /// rounded down, and is at least one.
    pub fleet: Batch,
    /// Of a run, from its start; waiting for people and for its turn doesn't count. None: no end.
    pub deadline: Option<Duration>,
    /// Invocations of one run at once, where its steps let them.
    pub parallel: NonZeroU32,
}

/// `5 in 1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxRuns {
    pub count: NonZeroU32,
    pub within: Duration,
}

/// What becomes of a run if its runbook has another one on the same target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The later one is refused.
    #[default]
    Skip,
    /// It waits until the other has ended.
    Queue,
    /// The earlier one is cancelled, unless it has begun a change; then it is waited for.
    Replace,
}

impl Runbook {
    /// Whether a run of it could change something by itself: a check alone never does, and what its steps
    /// run has gates of its own.
    pub fn may_change(&self) -> bool {
        self.steps.iter().any(|step| step.kind() == Some(Kind::Remedy))
    }

    /// The steps that have their results before `step` begins, and that it sees, in their order.
    pub fn before<'a>(&'a self, step: &Step) -> Vec<&'a Step> {
        let mut needed: BTreeSet<StepId> = step.needs.iter().cloned().collect();
        let earlier = self.steps.iter().take_while(|earlier| earlier.id != step.id);
        let mut before = Vec::new();
        for earlier in earlier.collect::<Vec<_>>().into_iter().rev() {
            if needed.remove(&earlier.id) {
                needed.extend(earlier.needs.iter().cloned());
                before.push(earlier);
            }
        }
        before.reverse();
        before
    }

    /// Those of `[[after]]` too.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(self.after.iter().map(|(_, step)| step))
    }

    /// What a run of this occurrence does: the runbook itself, or its `[[after]]`.
    pub fn part(self: &Arc<Self>, occurrence: &Occurrence) -> Arc<Self> {
        match occurrence {
            Occurrence::After { over, .. } => Arc::new(self.after(*over)),
            _ => Arc::clone(self),
        }
    }

    /// `[[after]]` as a runbook of its own. It comes once a round: what bounds how often the targets
    /// are changed says nothing about it.
    fn after(&self, wanted: Over) -> Self {
        let steps = self.after.iter().filter(|(over, _)| *over == wanted);
        Self {
            on: Vec::new(),
            targets: Targets {
                select: None,
                batch: Batch::All,
                per_customer: None,
                stop_after: NonZeroU32::MAX,
            },
            limits: Limits {
                cooldown: Duration::ZERO,
                max_runs: None,
                strikes: NonZeroU32::MAX,
                overlap: Overlap::Queue,
                fleet: Batch::All,
                ..self.limits.clone()
            },
            steps: steps.map(|(_, step)| step.clone()).collect(),
            healed: None,
            after: Vec::new(),
            ..self.clone()
        }
    }
}

/// What `run --set NAME=VALUE` takes.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub summary: Option<String>,
    pub kind: InputKind,
    pub default: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    String,
    Integer,
    Number,
    Boolean,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub id: StepId,
    pub does: Does,
    /// Steps above it that have their results before it begins.
    pub needs: Vec<StepId>,
    /// A minijinja expression; the step is skipped when it is false.
    pub when: Option<String>,
    /// It is done for each item of a list.
    pub each: Option<Each>,
    /// Parameters of the plugin or inputs of the runbook, with templates in strings.
    pub with: Value,
    pub grant: Vec<Grant>,
    /// A person decides from this risk up; none: nobody is ever asked.
    pub ask_from: Option<Risk>,
    /// Who, by a name among the home's approvers; none: whoever may talk to the daemon.
    pub ask: Option<String>,
    /// Nobody decided for so long: it is rejected.
    pub expires: Duration,
    /// Of each invocation.
    pub timeout: Duration,
    pub retry: Retry,
    pub on_failure: OnFailure,
}

/// What a step is there for.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    Plugin(Pinned),
    /// A run of another runbook, with its own gates, approvals, `[healed]` and verdict.
    Runbook(RunbookName),
}

/// Runs that may be below one another: a runbook that runs itself, through others or not, comes to an
/// end.
pub const DEEPEST: usize = 8;
/// Runs that may be below one that something else than a step asked for.
pub const MOST_BELOW: usize = 1_000;

impl Step {
    pub fn plugin(&self) -> Option<&Pinned> {
        match &self.does {
            Does::Plugin(plugin) => Some(plugin),
            Does::Runbook(_) => None,
        }
    }

    pub fn kind(&self) -> Option<Kind> {
        self.plugin().map(|plugin| plugin.kind)
    }
}

/// What a step is done for, one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    pub list: List,
    /// Items at once.
    pub concurrency: NonZeroU32,
    pub tolerate: Tolerate,
}

#[derive(Clone, Debug, PartialEq)]
pub enum List {
    /// A minijinja expression that comes to an array.
    Expression(String),
    /// With templates in strings.
    Items(Vec<Value>),
}

/// How many items may fail before the step has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerate {
    Count(u32),
    /// Of all items, rounded down; 0 to 100.
    Percent(u8),
}

impl Each {
    /// Items of one step.
    pub const MOST: usize = 256;
}

impl Tolerate {
    pub fn of(self, items: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => items * usize::from(percent) / 100,
        }
    }
}

/// After failures that the plugin calls transient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often an invocation is begun at most, the first time included.
    pub times: NonZeroU32,
    /// Before the second time; it doubles with each.
    pub wait: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            times: NonZeroU32::MIN.saturating_add(2),
            wait: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

/// What becomes of the run when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// No further step runs; `[healed]` says whether it is undone.
    #[default]
    Stop,
    /// The steps after it run, and the run has failed in the end, unless `[healed]` holds.
    Continue,
    /// What was applied is rolled back, the last first.
    Undo,
}

#[derive(Clone, Debug)]
pub struct Healed {
    pub proof: Proof,
    /// How long to keep looking before it is not healed.
    pub within: Duration,
    pub otherwise: Otherwise,
}

/// What says that it is healed.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A check step of this runbook; every finding must be below `warning`.
    Rerun(StepId),
    /// PromQL, with templates in its strings (see [`crate::query`]). With the source, as `query NAME`
    /// of `metrics`.
    Query { expr: String, source: Grant },
}

impl Healed {
    /// The step that is run again.
    pub fn rerun(&self) -> Option<&StepId> {
        match &self.proof {
            Proof::Rerun(step) => Some(step),
            Proof::Query { .. } => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Otherwise {
    #[default]
    Escalate,
    /// Roll back, and escalate.
    Undo,
    Ignore,
}
