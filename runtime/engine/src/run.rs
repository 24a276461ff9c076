//! A run as the fold of its events: all that deciding needs, and nothing that an event didn't say.
//!
//! *Invariant:* folding the events of a run in their order gives the same state in the process
//! that wrote them and in the one that finds them after a crash. So `decide` has no other memory.

mod attempt;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Applied, PlanHash, Risk};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::{Key, Outcome, Output, Phase};
use evenkeel_model::name::StepId;
use evenkeel_model::run::{Body, Event, Mode, Request, StepResult, StepStatus, Verdict};
use serde_json::Value;

pub use self::attempt::{Attempt, Ended, Intent, Looks, Place, Reply};

#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Number of the last event; 0: none yet.
    pub seq: u64,
    pub request: Option<Request>,
    pub requested_at: Option<DateTime<Utc>>,
    pub gate: GateState,
    pub started_at: Option<DateTime<Utc>>,
    pub steps: BTreeMap<StepId, Step>,
    /// The latest attempt at each export of each step, but for the looks of `[healed]`.
    pub attempts: BTreeMap<Place, Attempt>,
    /// What `[healed]` asked.
    pub looks: Looks,
    pub verified: Option<Verified>,
    pub escalated: Option<String>,
    /// Why somebody wants it to stop.
    pub cancel: Option<String>,
    /// A cancel kept a step from running.
    pub cut_short: bool,
    pub finished: Option<Finished>,
}

/// What the gates said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum GateState {
    #[default]
    NotAsked,
    Waiting {
        gate: String,
        why: String,
        until: Option<DateTime<Utc>>,
    },
    Refused {
        gate: String,
        why: String,
    },
}

/// What has come of a step so far.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub plan: Option<Plan>,
    pub result: Option<StepResult>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub hash: PlanHash,
    /// Of the riskiest action, the operator's risk taken into account.
    pub risk: Risk,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub healed: bool,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub at: DateTime<Utc>,
    pub verdict: Verdict,
    pub why: String,
    pub changed: bool,
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

    /// Takes the next event in. Whatever comes is folded: an event that makes no sense where it
    /// stands changes nothing but the number.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.body {
            Body::Requested(request) => {
                self.request = Some((**request).clone());
                self.requested_at = Some(event.at);
            }
            Body::Waiting { gate, why, until } => {
                self.gate = GateState::Waiting {
                    gate: gate.clone(),
                    why: why.clone(),
                    until: *until,
                }
            }
            Body::Refused { gate, why } => {
                self.gate = GateState::Refused {
                    gate: gate.clone(),
                    why: why.clone(),
                }
            }
            Body::Started => self.started_at = Some(event.at),
            Body::Invoked { key, params, .. } => self.begin(key, params, event.at),
            Body::Intended { key, n, call } => self.intend(key, *n, call),
            Body::Called { key, n, answer, .. } => self.answer(key, *n, answer),
            Body::Ended { key, outcome } => self.end(key, outcome, event.at),
            Body::Verified { healed, why } => {
                self.verified = Some(Verified {
                    healed: *healed,
                    why: why.clone(),
                })
            }
            Body::Escalated { why } => self.escalated = Some(why.clone()),
            Body::CancelRequested { why } => {
                self.cancel.get_or_insert_with(|| why.clone());
            }
            Body::Finished { verdict, why, changed } => {
                self.finished = Some(Finished {
                    at: event.at,
                    verdict: *verdict,
                    why: why.clone(),
                    changed: *changed,
                })
            }
            Body::Skipped { .. } | Body::Planned { .. } | Body::StepFinished { .. } => self.apply_to_step(event),
            Body::Sensed { .. }
            | Body::Logged { .. }
            | Body::LogsDropped { .. }
            | Body::Progressed { .. }
            | Body::Asked { .. } => {}
        }
    }

    fn apply_to_step(&mut self, event: &Event) {
        match &event.body {
            Body::Skipped { step, why } => {
                self.cut_short |= self.cancel.is_some();
                let state = self.steps.entry(step.clone()).or_default();
                state.result = Some(skipped(why));
                state.finished_at = Some(event.at);
            }
            Body::Planned {
                step,
                hash,
                risk,
                actions,
            } => {
                self.steps.entry(step.clone()).or_default().plan = Some(Plan {
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
            }
            _ => {}
        }
    }

    fn begin(&mut self, key: &Key, params: &Value, at: DateTime<Utc>) {
        let attempt = Attempt {
            key: key.clone(),
            params: params.clone(),
            begun_at: at,
            ended: None,
            intents: BTreeMap::new(),
            earlier: self
                .attempts
                .get(&Place::of(key))
                .map(Attempt::spent)
                .unwrap_or_default(),
        };
        // A step that has its result is called again by `[healed]` alone.
        if key.phase == Phase::Check && self.result(&key.step).is_some() {
            self.looks.begin(attempt);
        } else {
            self.attempts.insert(Place::of(key), attempt);
        }
    }

    fn intend(&mut self, key: &Key, n: u32, call: &Call) {
        if let Some(attempt) = self.under_way(key) {
            attempt.intents.insert(
                n,
                Intent {
                    call: call.clone(),
                    reply: Reply::Missing,
                },
            );
        }
    }

    fn answer(&mut self, key: &Key, n: u32, answer: &Answer) {
        if let Some(intent) = self.under_way(key).and_then(|attempt| attempt.intents.get_mut(&n)) {
            intent.reply = Reply::of(&intent.call, answer);
        }
    }

    fn end(&mut self, key: &Key, outcome: &Outcome, at: DateTime<Utc>) {
        if let Some(attempt) = self.under_way(key) {
            attempt.ended = Some(Ended {
                at,
                outcome: outcome.clone(),
            });
        }
    }

    fn under_way(&mut self, key: &Key) -> Option<&mut Attempt> {
        let look = self.looks.last.as_mut().filter(|attempt| attempt.key == *key);
        match look {
            Some(attempt) => Some(attempt),
            None => self
                .attempts
                .get_mut(&Place::of(key))
                .filter(|attempt| attempt.key == *key),
        }
    }

    // ---- what is asked of it -------------------------------------------------------------

    pub fn result(&self, step: &StepId) -> Option<&StepResult> {
        self.steps.get(step)?.result.as_ref()
    }

    pub fn plan(&self, step: &StepId) -> Option<&Plan> {
        self.steps.get(step)?.plan.as_ref()
    }

    pub fn attempt(&self, step: &StepId, phase: Phase, action: Option<&str>) -> Option<&Attempt> {
        self.attempts.get(&Place::new(step, phase, action))
    }

    /// What `apply` answered for an action.
    pub fn applied(&self, step: &StepId, action: &str) -> Option<&Applied> {
        match self.attempt(step, Phase::Apply, Some(action))?.output()? {
            Output::Applied(applied) => Some(applied),
            _ => None,
        }
    }

    pub fn dry(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| request.mode == Mode::DryRun)
    }

    /// Something was changed, or may have been: an action said so, or it had begun an effect and
    /// did not come to its end. Such a run counts for the cool-down.
    pub fn changed(&self) -> bool {
        self.effecting().any(Attempt::changed)
    }

    /// It has begun an action, whatever came of it.
    pub fn may_have_changed(&self) -> bool {
        self.effecting().next().is_some()
    }

    /// The same as [`Run::changed`], of one step.
    pub fn changed_by(&self, step: &StepId) -> bool {
        self.effecting()
            .filter(|attempt| attempt.key.step == *step)
            .any(Attempt::changed)
    }

    /// A step that ended well without all of its actions having been applied.
    fn left_out_actions(&self, step: &StepId, result: &StepResult) -> bool {
        result.status == StepStatus::Ok
            && self.plan(step).is_some_and(|plan| {
                let mut actions = plan.actions.iter();
                actions.any(|action| self.applied(step, &action.id).is_none())
            })
    }

    /// The effect that may or may not have happened, and can't safely be made again: its answer
    /// is not there or leaves it open, or the rest of its action is not there. Interrupted actions
    /// that had made effects are in doubt as a whole, for they can't be entered in the middle.
    /// What came to its end well is not: its plugin saw the answers, and says what was done.
    pub fn doubt(&self) -> Option<(&Attempt, &Intent)> {
        self.effecting().find_map(|attempt| {
            let mut open = attempt.intents.values().filter(|intent| intent.reply != Reply::Clear);
            let doubtful = match attempt.ended.as_ref().map(|ended| &ended.outcome) {
                None => open.next_back().or_else(|| attempt.intents.values().last()),
                Some(Outcome::Stopped { .. } | Outcome::Failed(_)) => open.rfind(|intent| !intent.call.repeatable),
                Some(Outcome::Done(_)) => None,
            };
            doubtful.map(|intent| (attempt, intent))
        })
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
