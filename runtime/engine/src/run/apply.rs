//! What each event adds.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::{Key, Outcome, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::run::{Body, Event};

use super::{Attempt, Ended, Finished, GateState, Intent, Place, Plan, Reply, Run, Verified, skipped};

impl Run {
    /// Takes the next event in. Whatever comes is folded: an event that makes no sense where it
    /// stands changes nothing but the number.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        if !event.body.is_inside() {
            self.mark = event.seq;
        }
        self.waited.take(event);
        match &event.body {
            Body::Requested(request) => {
                self.request = Some((**request).clone());
                self.requested_at = Some(event.at);
            }
            Body::Waiting { .. } | Body::Refused { .. } => self.gate = GateState::of(&event.body),
            Body::Started => self.started_at = Some(event.at),
            Body::Turn => self.turn_at = Some(event.at),
            Body::Invoked { .. }
            | Body::Resumed { .. }
            | Body::Resolved { .. }
            | Body::Intended { .. }
            | Body::Called { .. }
            | Body::Ended { .. } => self.apply_to_invocation(event),
            Body::Queried { healed, told, .. } => self.queries.take(*healed, told, event.at),
            Body::Verified { healed, why } => {
                self.verified = Some(Verified {
                    healed: *healed,
                    why: why.clone(),
                })
            }
            Body::Escalated { why } => self.escalated = Some(why.clone()),
            Body::Halted { .. } | Body::CancelRequested { .. } | Body::Killed { .. } | Body::Overdue { .. } => {
                self.stop(&event.body, event.at)
            }
            Body::Restored { taken_at } => self.restored = Some(*taken_at),
            Body::UndoRequested { .. } => self.take_back(&event.body, event.at),
            Body::RunIntended { .. } => {
                self.reopened = false;
                self.apply_to_child(event)
            }
            Body::RunOpened { .. }
            | Body::RunRefused { .. }
            | Body::RunEnded { .. }
            | Body::RunKnown { .. }
            | Body::RunUndoIntended { .. }
            | Body::RunUndone { .. } => self.apply_to_child(event),
            Body::Finished { verdict, why, changed } => {
                self.finished = Some(Finished::new(event.at, *verdict, why, *changed));
            }
            Body::Listed { .. } | Body::Skipped { .. } | Body::Planned { .. } | Body::StepFinished { .. } => {
                self.apply_to_step(event)
            }
            Body::ApprovalAsked { .. } | Body::Approved { .. } | Body::Declined { .. } | Body::PlanVoid { .. } => {
                self.apply_to_approval(event)
            }
            Body::Sensed { .. }
            | Body::Logged { .. }
            | Body::LogsDropped { .. }
            | Body::Progressed { .. }
            | Body::Asked { .. } => {}
        }
    }

    fn apply_to_invocation(&mut self, event: &Event) {
        match &event.body {
            Body::Invoked {
                key,
                plugin,
                params,
                before,
                ..
            } => self.begin(Attempt::begin(key, plugin, params, event.at), before.as_ref()),
            Body::Resumed { key } => {
                self.reopened = false;
                if let Some(attempt) = self.under_way(key) {
                    attempt.resumed = attempt.resumed.saturating_add(1);
                    attempt.repeats |= attempt.intents.values().any(|intent| intent.reply == Reply::Missing);
                }
            }
            Body::Resolved { key, n, done, who, .. } => self.resolve(key, *n, *done, who, event.at),
            Body::Intended { key, n, call } => self.intend(key, *n, call),
            Body::Called { key, n, answer, .. } => self.answer(key, *n, answer),
            Body::Ended { key, outcome } => self.end(key, outcome, event.at),
            _ => {}
        }
    }

    /// The first reason stands.
    fn stop(&mut self, body: &Body, at: DateTime<Utc>) {
        match body {
            Body::Halted { step, why } => {
                self.halted_at.get_or_insert(at);
                self.halt.get_or_insert_with(|| (step.clone(), why.clone()));
            }
            Body::CancelRequested { why } => {
                self.cancel.get_or_insert_with(|| why.clone());
            }
            Body::Killed { who, why } => {
                self.killed.get_or_insert_with(|| (who.clone(), why.clone()));
                self.cancel.get_or_insert_with(|| format!("killed by {who}"));
            }
            Body::Overdue { why } => {
                self.overdue = true;
                self.cancel.get_or_insert_with(|| why.clone());
            }
            _ => {}
        }
    }

    fn apply_to_step(&mut self, event: &Event) {
        match &event.body {
            Body::Listed { step, items } => {
                self.steps.entry(step.clone()).or_default().items = Some(items.clone());
            }
            Body::Skipped { step, why } => {
                self.cut_short |= self.cancel.is_some();
                let state = self.steps.entry(step.clone()).or_default();
                state.result = Some(skipped(why));
                state.finished_at = Some(event.at);
                state.late = self.overdue;
            }
            Body::Planned {
                step,
                hash,
                risk,
                actions,
            } => {
                self.steps.entry(step.clone()).or_default().plan = Some(Plan {
                    at: event.at,
                    hash: hash.clone(),
                    risk: *risk,
                    actions: actions.clone(),
                })
            }
            Body::StepFinished { step, result } => {
                self.cut_short |= self.cancel.is_some() && self.left_out_actions(step, result);
                let state = self.steps.entry(step.clone()).or_default();
                state.result = Some(result.clone());
                state.finished_at = Some(event.at);
                state.late = self.overdue;
            }
            _ => {}
        }
    }

    /// One that has its result is called again before an approved plan is applied, and by `[healed]`.
    fn begin(&mut self, mut attempt: Attempt, before: Option<&StepId>) {
        self.reopened = false;
        let (step, place) = (attempt.key.step.clone(), Place::of(&attempt.key));
        if attempt.key.phase == Phase::Check {
            let highest = self.checks.entry(place.clone()).or_default();
            *highest = attempt.key.attempt.max(*highest);
            if self.result(&step).is_some() || self.found.contains_key(&place) {
                match self.rechecking(before) {
                    Some(planned) => drop(planned.rechecks.insert(place, attempt)),
                    None => self.looks.begin(attempt),
                }
                return;
            }
        }
        attempt.basis = (attempt.key.phase == Phase::Plan).then(|| Arc::clone(&self.found));
        attempt.earlier = self.attempts.get(&place).map(Attempt::spent).unwrap_or_default();
        self.attempts.insert(place, attempt);
    }

    fn intend(&mut self, key: &Key, n: u32, call: &Call) {
        if let Some(attempt) = self.under_way(key) {
            attempt.resumed = 0;
            attempt.intents.insert(
                n,
                Intent {
                    n,
                    call: call.clone(),
                    reply: Reply::Missing,
                },
            );
        }
    }

    fn answer(&mut self, key: &Key, n: u32, answer: &Answer) {
        let Some(attempt) = self.under_way(key) else { return };
        attempt.resumed = 0;
        if let Some(intent) = attempt.intents.get_mut(&n) {
            intent.reply = Reply::of(&intent.call, answer);
        }
    }

    fn end(&mut self, key: &Key, outcome: &Outcome, at: DateTime<Utc>) {
        self.at_work.retain(|at_work| at_work != key);
        if let Some(attempt) = self.under_way(key) {
            attempt.ended = Some(Ended {
                at,
                outcome: outcome.clone(),
            });
        }
        if key.phase == Phase::Check {
            self.take_as_known(&Place::of(key));
        }
    }

    /// What the latest look of a check found.
    pub(super) fn take_as_known(&mut self, place: &Place) {
        let findings = self.attempts.get(place).and_then(Attempt::findings);
        if let Some(findings) = findings.filter(|findings| self.found.get(place) != Some(*findings)) {
            Arc::make_mut(&mut self.found).insert(place.clone(), findings.clone());
        }
    }

    pub(super) fn under_way(&mut self, key: &Key) -> Option<&mut Attempt> {
        let looks = self.looks.last.iter_mut();
        let steps = self.steps.values_mut();
        let rechecks = steps.filter_map(|step| step.rechecks.get_mut(&Place::of(key)));
        let attempt = self.attempts.get_mut(&Place::of(key)).into_iter();
        looks.chain(rechecks).chain(attempt).find(|attempt| attempt.key == *key)
    }
}
