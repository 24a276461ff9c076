//! A run as the fold of its events: all that deciding needs, and nothing that an event didn't say.
//!
//! *Invariant:* folding the events of a run in their order gives the same state in the process
//! that wrote them and in the one that finds them after a crash. So `decide` has no other memory.

mod apply;
mod approval;
mod attempt;
mod child;
mod reopened;
mod state;
mod waited;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::action::{Action, Applied};
use evenkeel_model::invocation::{Key, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::plugin::Pinned;
use evenkeel_model::run::{Event, Mode, Request, StepResult, StepStatus};
use serde_json::Value;

use self::waited::Waited;

pub use self::approval::{Approval, Said};
pub(crate) use self::attempt::Found;
pub use self::attempt::{Attempt, Ended, Intent, Looks, Place, Queries, Reply};
pub use self::child::Child;
pub use self::reopened::TakenBack;
pub use self::state::{Finished, GateState, Plan, Step, Verified};

#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Number of the last event; 0: none yet.
    pub seq: u64,
    /// Number of the last event that may change what is next: see [`Body::is_inside`].
    pub mark: u64,
    /// Invocations that this process is in the middle of. No event says that; so after a crash
    /// there are none, and what has begun and not ended was interrupted.
    pub at_work: Vec<Key>,
    pub request: Option<Request>,
    pub requested_at: Option<DateTime<Utc>>,
    pub gate: GateState,
    pub started_at: Option<DateTime<Utc>>,
    /// When it was its turn in its round, if it planned ahead of that.
    pub turn_at: Option<DateTime<Utc>>,
    pub steps: BTreeMap<StepId, Step>,
    /// Runs that steps have asked for, by the index of the item.
    pub children: BTreeMap<(StepId, Option<u32>), Child>,
    /// The latest attempt at each export of each step, but for the looks of `[healed]`.
    pub attempts: BTreeMap<Place, Attempt>,
    /// What checks have found.
    pub(crate) found: Arc<Found>,
    /// What `[healed]` asked.
    pub looks: Looks,
    /// What a source answered when `[healed]` asked it.
    pub queries: Queries,
    /// The highest number of an invocation of each check, and of each of its items.
    checks: BTreeMap<Place, u32>,
    pub verified: Option<Verified>,
    pub escalated: Option<String>,
    /// Why somebody wants it to stop.
    pub cancel: Option<String>,
    /// The step whose result stops the others, and why.
    pub halt: Option<(StepId, String)>,
    halted_at: Option<DateTime<Utc>>,
    /// A person has said what became of something that was in doubt, and nothing has come after that.
    pub reopened: bool,
    /// Who ended it at once, and why.
    pub killed: Option<(String, String)>,
    /// A cancel kept a step from running.
    pub cut_short: bool,
    /// Its deadline is over.
    pub overdue: bool,
    /// What its deadline doesn't count.
    waited: Waited,
    /// Nobody knows what it did since then.
    pub restored: Option<DateTime<Utc>>,
    /// Somebody wants what it changed rolled back.
    pub undo: Option<TakenBack>,
    undo_at: Option<DateTime<Utc>>,
    pub finished: Option<Finished>,
}

impl Run {
    /// The state after `events`, which are all of a run's, in order.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut run = Self::default();
        for event in events {
            run.apply(event);
        }
        run
    }

    // ---- what is asked of it -------------------------------------------------------------

    pub fn result(&self, step: &StepId) -> Option<&StepResult> {
        self.steps.get(step)?.result.as_ref()
    }

    pub fn plan(&self, step: &StepId) -> Option<&Plan> {
        self.steps.get(step)?.plan.as_ref()
    }

    /// The number of a check's last invocation.
    pub(crate) fn last_check(&self, step: &StepId, item: Option<&str>) -> u32 {
        let place = Place::new(step, Phase::Check, item);
        self.checks.get(&place).copied().unwrap_or(0)
    }

    /// What a step with `each` is done for; none: that is not fixed yet.
    pub fn items(&self, step: &StepId) -> Option<&[Value]> {
        self.steps.get(step)?.items.as_deref()
    }

    pub fn attempt(&self, step: &StepId, phase: Phase, action: Option<&str>) -> Option<&Attempt> {
        self.attempts.get(&Place::new(step, phase, action))
    }

    /// What `apply` answered for an action.
    pub fn applied(&self, step: &StepId, action: &str) -> Option<&Applied> {
        self.attempt(step, Phase::Apply, Some(action))?.applied()
    }

    /// An action came to its end and changed something, or had begun to before it was tried again.
    pub fn has_applied(&self, step: &StepId, action: &str) -> bool {
        let attempt = self.attempt(step, Phase::Apply, Some(action));
        attempt.is_some_and(|attempt| attempt.output().is_some() && attempt.changed())
    }

    pub fn dry(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| request.mode == Mode::DryRun)
    }

    /// Something was changed, or may have been: an action said so, or it had begun an effect and
    /// did not come to its end. Such a run counts for the cool-down.
    pub fn changed(&self) -> bool {
        self.effecting().any(Attempt::changed) || self.children.values().any(Child::changed)
    }

    /// This process is in the middle of it.
    pub fn is_at_work(&self, attempt: &Attempt) -> bool {
        self.at_work.contains(&attempt.key)
    }

    /// An invocation was interrupted, and is going to be gone on with.
    pub fn goes_on(&self) -> bool {
        // What a step left when it came to its result is not; it is rolled back after that.
        let is_left =
            |attempt: &&Attempt| attempt.key.phase != Phase::Rollback && self.result(&attempt.key.step).is_some();
        let own = self.attempts.values().filter(|attempt| !is_left(attempt));
        let mut attempts = self.looks.last.iter().chain(own);
        attempts.any(|attempt| attempt.goes_on() && !self.is_at_work(attempt))
    }

    /// Why nothing new begins any more: it was cancelled, or a step stops the others.
    pub fn stops(&self) -> Option<String> {
        match (&self.cancel, &self.halt) {
            (Some(why), _) => Some(format!("cancelled: {why}")),
            (None, Some((_, why))) => Some(why.clone()),
            (None, None) => None,
        }
    }

    /// Something was called for the step.
    pub fn has_begun(&self, step: &StepId) -> bool {
        let mut children = self.children.keys();
        self.attempts.keys().any(|place| place.step == *step) || children.any(|(of, _)| of == step)
    }

    /// Its plan is not to be applied any more, and is not made anew yet.
    pub fn is_to_plan_anew(&self, step: &StepId) -> bool {
        let mut plans = self
            .attempts
            .values()
            .filter(|attempt| attempt.key.step == *step && attempt.key.phase == Phase::Plan)
            .peekable();
        plans.peek().is_some() && plans.all(|planned| planned.void)
    }

    /// When its deadline is over; none: it has not started.
    pub fn due(&self, deadline: Duration) -> Option<DateTime<Utc>> {
        let deadline = TimeDelta::from_std(deadline).unwrap_or(TimeDelta::MAX / 4);
        Some(self.started_at? + deadline + self.waited.so_far())
    }

    /// The plugins that it changed something with: who rolls that back has to be the same.
    pub fn pins(&self) -> Vec<Pinned> {
        let mut pins: Vec<Pinned> = Vec::new();
        for attempt in self.effecting() {
            if !pins.contains(&attempt.plugin) {
                pins.push(attempt.plugin.clone());
            }
        }
        pins
    }

    /// An action of it was begun, or a run that it asked for.
    pub fn has_begun_to_apply(&self) -> bool {
        self.effecting().next().is_some() || !self.children.is_empty()
    }

    /// A plan is void, and the step has applied nothing yet.
    pub(crate) fn looks_anew(&self, step: &StepId) -> bool {
        let attempts = || self.attempts.values();
        let applies = |key: &Key| key.step == *step && key.phase == Phase::Apply;
        let begun = || attempts().any(|attempt| applies(&attempt.key)) || self.children_of(step).next().is_some();
        attempts().any(|attempt| attempt.void) && !begun()
    }

    /// The same of one step.
    pub fn changed_by(&self, step: &StepId) -> bool {
        self.effecting()
            .filter(|attempt| attempt.key.step == *step)
            .any(Attempt::changed)
            || self.children_of(step).any(|(_, child)| child.changed())
    }

    /// A step that ended well without all of its actions having been applied.
    fn left_out_actions(&self, step: &StepId, result: &StepResult) -> bool {
        let items = self.items(step).map_or(1, <[Value]>::len);
        let runs = self.children_of(step).count();
        if runs > 0 {
            return result.status == StepStatus::Ok && runs < items;
        }
        result.status == StepStatus::Ok
            && self.plan(step).is_some_and(|plan| {
                let attempt = |action: &Action| self.attempt(step, Phase::Apply, Some(&action.id));
                // One that failed for good was not kept from anything.
                let mut attempts = plan.actions.iter().map(attempt);
                attempts.any(|attempt| attempt.is_none_or(Attempt::may_be_tried_again))
            })
    }

    /// The deadline kept something of the step from being done.
    pub fn is_left_by_deadline(&self, id: &StepId) -> bool {
        let step = self.steps.get(id).filter(|step| step.late);
        step.and_then(|step| step.result.as_ref())
            .is_some_and(|result| match result.status {
                StepStatus::Skipped => self.stops().as_ref() == Some(&result.summary),
                _ => self.left_out_actions(id, result),
            })
    }

    /// The effect that may or may not have happened, and can't safely be made again. None while
    /// what was interrupted can be gone on with.
    ///
    /// What came to its end well is not in doubt: its plugin saw the answers, and says what was
    /// done. What was interrupted for good is, as a whole: nobody knows what had followed.
    pub fn doubt(&self) -> Option<(&Attempt, &Intent)> {
        self.doubts().next()
    }

    /// All of them: one an action.
    pub fn doubts(&self) -> impl Iterator<Item = (&Attempt, &Intent)> {
        let is_over = |attempt: &&Attempt| !attempt.goes_on() && !self.is_at_work(attempt);
        let over = self.effecting().filter(is_over);
        over.filter_map(|attempt| Some((attempt, attempt.doubtful()?)))
    }

    /// The same, when nothing is gone on with any more.
    pub fn doubt_left(&self) -> Option<(&Attempt, &Intent)> {
        self.doubts_left().next()
    }

    pub fn doubts_left(&self) -> impl Iterator<Item = (&Attempt, &Intent)> {
        self.effecting()
            .filter_map(|attempt| Some((attempt, attempt.doubtful()?)))
    }

    /// Attempts that may change the world.
    fn effecting(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .values()
            .filter(|attempt| matches!(attempt.key.phase, Phase::Apply | Phase::Rollback | Phase::Send))
    }
}

fn skipped(why: &str) -> StepResult {
    StepResult {
        status: StepStatus::Skipped,
        severity: None,
        changed: false,
        summary: why.to_owned(),
        output: Value::Null,
    }
}
