//! What was asked of people about a step's plan, and what they said.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::invocation::{Finding, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::run::{Body, Event};

use super::{Attempt, Child, Found, Place, Plan, Run, Step};

/// A plan that waited no longer than that for its turn is applied as it is.
const FRESH: TimeDelta = TimeDelta::minutes(1);

/// The last that was asked.
#[derive(Clone, Debug)]
pub struct Approval {
    /// What it is about: see [`Body::ApprovalAsked`](evenkeel_model::run::Body::ApprovalAsked).
    pub binding: String,
    pub ask: Option<String>,
    pub need: u32,
    pub asked_at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub approved: Vec<Said>,
    pub declined: Option<Said>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub who: String,
    pub at: DateTime<Utc>,
    pub why: String,
}

impl Approval {
    pub fn is_given(&self) -> bool {
        self.approved.len() >= self.need as usize
    }

    /// Somebody may still decide.
    pub fn is_open(&self) -> bool {
        self.declined.is_none() && !self.is_given()
    }

    /// Each person counts once, and only for what was asked.
    pub(super) fn approve(&mut self, binding: &str, said: Said) {
        let again = self.approved.iter().any(|before| before.who == said.who);
        if self.binding == binding && self.is_open() && !again {
            self.approved.push(said);
        }
    }

    pub(super) fn decline(&mut self, said: Said) {
        if self.is_open() {
            self.declined = Some(said);
        }
    }
}

impl Step {
    fn has_aged(&self, turn_at: Option<DateTime<Utc>>) -> bool {
        let waited = |plan: &Plan| turn_at.is_some_and(|turn_at| turn_at - plan.at > FRESH);
        self.plan.as_ref().is_some_and(waited) || self.approval.as_ref().is_some_and(Approval::is_given)
    }
}

impl Run {
    pub(super) fn apply_to_approval(&mut self, event: &Event) {
        let said = |who: &String, why: &String| Said {
            who: who.clone(),
            at: event.at,
            why: why.clone(),
        };
        match &event.body {
            Body::ApprovalAsked {
                step,
                binding,
                ask,
                need,
                until,
                ..
            } => {
                let approval = Approval {
                    binding: binding.clone(),
                    ask: ask.clone(),
                    need: *need,
                    asked_at: event.at,
                    until: *until,
                    approved: Vec::new(),
                    declined: None,
                };
                self.steps.entry(step.clone()).or_default().approval = Some(approval);
            }
            Body::Approved {
                step,
                binding,
                who,
                why,
                ..
            } => {
                if let Some(approval) = self.asked(step) {
                    approval.approve(binding, said(who, why));
                }
            }
            Body::Declined { step, who, why } => {
                if let Some(approval) = self.asked(step) {
                    approval.decline(said(who, why));
                }
            }
            Body::PlanVoid { step, .. } => {
                let state = self.steps.entry(step.clone()).or_default();
                state.plan = None;
                let rechecks = std::mem::take(&mut state.rechecks);
                if let Some(approval) = state.approval.take().filter(Approval::is_given) {
                    state.approved = Some(approval.binding);
                }
                let plans = self.attempts.values_mut();
                plans
                    .filter(|attempt| attempt.key.step == *step && attempt.key.phase == Phase::Plan)
                    .for_each(|planned| planned.void = true);
                self.take_as_found(rechecks);
            }
            _ => {}
        }
    }

    /// From here on the checks before the step have found what they found when they were made again.
    fn take_as_found(&mut self, rechecks: BTreeMap<Place, Attempt>) {
        for (place, again) in rechecks.into_iter().filter(|(_, again)| again.findings().is_some()) {
            // Another step may have had it made again since.
            if !self.is_latest(&place, &again) {
                continue;
            }
            let check = self.steps.entry(place.step.clone()).or_default();
            (check.result, check.finished_at) = (None, None);
            self.attempts.insert(place.clone(), again);
            self.take_as_known(&place);
        }
    }

    fn is_latest(&self, place: &Place, again: &Attempt) -> bool {
        let known = self.attempts.get(place);
        known.is_none_or(|known| known.key.attempt <= again.key.attempt)
    }

    /// What a check had found when the step's plans were called.
    pub(crate) fn bases(&self, step: &StepId, check: &StepId, item: Option<&str>) -> Vec<&Vec<Finding>> {
        let place = Place::new(check, Phase::Check, item);
        self.all_bases(step).filter_map(|basis| basis.get(&place)).collect()
    }

    /// Nothing was found since; false: it may have been.
    pub(crate) fn is_planned_by_the_latest(&self, step: &StepId) -> bool {
        self.all_bases(step).all(|basis| Arc::ptr_eq(basis, &self.found))
    }

    fn all_bases(&self, step: &StepId) -> impl Iterator<Item = &Arc<Found>> {
        let plans = self.attempts.values().filter(|attempt| !attempt.void);
        plans
            .filter(move |planned| planned.key.step == *step)
            .filter_map(|planned| planned.basis.as_ref())
    }

    fn asked(&mut self, step: &StepId) -> Option<&mut Approval> {
        self.steps.get_mut(step)?.approval.as_mut()
    }

    /// The step whose plan is looked at again before it is applied; versions that did one step after
    /// the other did not say which.
    pub(super) fn rechecking(&mut self, before: Option<&StepId>) -> Option<&mut Step> {
        if let Some(step) = before {
            return self.steps.get_mut(step);
        }
        let turn_at = self.turn_at;
        let mut steps = self.steps.values_mut();
        steps.find(|step| step.result.is_none() && step.has_aged(turn_at))
    }

    /// A step's plan waited before it is applied, for a person or for its turn.
    pub(crate) fn plan_has_aged(&self, step: &StepId) -> bool {
        self.steps.get(step).is_some_and(|step| step.has_aged(self.turn_at))
    }

    /// What was asked of people about a step's plan.
    pub fn approval(&self, step: &StepId) -> Option<&Approval> {
        self.steps.get(step)?.approval.as_ref()
    }

    /// A check that was made again before a step's plan is applied.
    pub(crate) fn recheck(&self, step: &StepId, check: &StepId, item: Option<&str>) -> Option<&Attempt> {
        let place = Place::new(check, Phase::Check, item);
        let again = self.steps.get(step)?.rechecks.get(&place)?;
        // Another step may have had it made again since, and found something else.
        self.is_latest(&place, again).then_some(again)
    }

    /// A check is being made again before its plan is applied.
    pub(crate) fn is_rechecking(&self, step: &StepId) -> bool {
        let rechecks = self.steps.get(step).into_iter().flat_map(|step| step.rechecks.values());
        rechecks.into_iter().any(|attempt| self.is_at_work(attempt))
    }

    /// The steps that wait for people.
    pub fn waiting_for_approval(&self) -> impl Iterator<Item = (&StepId, &Approval)> {
        let steps = self.steps.iter().filter(|(_, step)| step.result.is_none());
        steps.filter_map(|(id, step)| Some((id, step.approval.as_ref().filter(|approval| approval.is_open())?)))
    }

    pub fn waits_for_approval(&self) -> bool {
        self.waiting_for_approval().next().is_some()
    }

    /// It waits for people or for other runs, and does nothing else meanwhile.
    pub fn only_waits(&self) -> bool {
        let waits = |id: &StepId| self.waiting_for_approval().any(|(waiting, _)| waiting == id);
        let mut begun = self.attempts.keys().map(|place| &place.step);
        if self.children.values().any(Child::is_open) {
            // One that is open may have the target, unless this run is in the middle of something.
            let applies = |attempt: &&Attempt| matches!(attempt.key.phase, Phase::Apply | Phase::Rollback);
            let mut applying = self.attempts.values().filter(applies);
            return self.attempts.values().all(|attempt| attempt.ended.is_some())
                && applying.all(|attempt| self.result(&attempt.key.step).is_some());
        }
        self.waits_for_approval() && begun.all(|step| self.result(step).is_some() || waits(step))
    }

    /// What was approved of a step before it was planned anew.
    pub(crate) fn approved_binding(&self, step: &StepId) -> Option<&str> {
        self.steps.get(step)?.approved.as_deref()
    }
}
