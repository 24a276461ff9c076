//! What is to be done next with a run: pure.
//!
//! [`decide`] looks at the fold of a run's events and at nothing else that this process may
//! remember. So a resume after a crash is the same call as a first start, and is tested by the
//! same tests: whatever was not journaled has not happened, and what was is never done twice.
//! Steps that don't wait for each other go on side by side, so there may be several commands at once.
//! The one thing besides the events is which invocations the process is in the middle of
//! ([`Run::at_work`]): after a crash there are none, and what has begun and not ended was
//! interrupted. It is gone on with: its plugin is called again, the record answers its calls
//! up to where it ends, and the rest is live. But for two cases:
//!
//! - an effect was about to be made that can't safely be made twice, and its answer is missing.
//!   The verdict is `unknown`, and a person looks;
//! - it does not do again what is recorded, or was interrupted over and over in the same place. A
//!   check or a plan is then begun anew, and so is an action that had begun no effect; one that
//!   had is in doubt.

mod approve;
mod conclude;
mod part;
mod prepare;
mod remedy;
mod stage;
mod step;
mod sub;
mod undo;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Grade;
use evenkeel_model::asset::{Asset, Customer};
use evenkeel_model::call::Call;
use evenkeel_model::grant::Access;
use evenkeel_model::home::{Home, SandboxLimits};
use evenkeel_model::invocation::Key;
use evenkeel_model::name::{AssetId, RunbookName, StepId};
use evenkeel_model::plugin::Pinned;
use evenkeel_model::role::Source;
use evenkeel_model::run::{Body, Mode, Request, StepStatus, Verdict};
use evenkeel_model::runbook::{OnFailure, Runbook, Step};
use serde_json::Value;

pub(crate) use self::prepare::diverged;
pub use self::stage::ATTEMPTS;
pub use self::sub::{Awaited, SubRun};
pub use self::undo::{ToUndo, left, undoes_anything};
use crate::port::Work;
use crate::port::metrics::Question;
use crate::run::{GateState, Run};
use crate::words;

/// What a run is about: the text that it started with, and the home that it acts in.
#[derive(Clone, Debug)]
pub struct Subject {
    pub home: Arc<Home>,
    pub runbook: Arc<Runbook>,
    /// None: its trigger found no target, and a gate is going to refuse it.
    pub target: Option<Arc<Asset>>,
    /// The target's; in `[[after]]` the one whose runs it looks at.
    pub customer: Option<Arc<Customer>>,
}

impl Subject {
    /// The error says why a run that was asked for can't go on in this home.
    pub fn find(run: &Run, runbook: &Arc<Runbook>, home: &Arc<Home>) -> Result<Self, String> {
        let wanted = run.request.as_ref().and_then(|request| request.target.as_ref());
        let target = match wanted {
            Some(id) => {
                let asset = home.assets.get(id).cloned();
                Some(asset.ok_or_else(|| format!("the home has no asset `{id}` any more"))?)
            }
            None => None,
        };
        let customer = match run.request.as_ref() {
            Some(request) if request.occurrence.is_after() => request.customer.as_ref(),
            _ => target.as_ref().map(|target| &target.customer),
        };
        Ok(Self {
            customer: customer.and_then(|id| home.customers.get(id).cloned()),
            home: Arc::clone(home),
            runbook: Arc::clone(runbook),
            target,
        })
    }
}

/// What the driver does. What waits waits for the first of all that is waited for.
#[derive(Clone, Debug)]
pub enum Command {
    Append(Vec<Body>),
    AskGates,
    SleepUntil(DateTime<Utc>),
    /// Whatever is waited for, it is decided anew then.
    NotAfter(DateTime<Utc>),
    /// Of people, who may say yes or no until then. Meanwhile the run holds nothing.
    AwaitDecision(DateTime<Utc>),
    /// An invocation that is under way comes to its end first.
    AwaitWork,
    OpenRun(Box<SubRun>),
    /// Meanwhile the run holds nothing.
    AwaitRun(Box<Awaited>),
    Invoke(Box<Invoke>),
    /// A source is asked whether it is healed.
    Query(Box<Query>),
}

/// One question to a source, rendered.
#[derive(Clone, Debug)]
pub struct Query {
    pub asset: AssetId,
    pub source: Source,
    pub question: Question,
}

/// One call of one export, but for what only the driver knows.
#[derive(Clone, Debug)]
pub struct Invoke {
    pub runbook: RunbookName,
    pub mode: Mode,
    pub key: Key,
    pub plugin: Pinned,
    pub work: Work,
    /// Effects that earlier attempts began.
    pub spent: Vec<Call>,
    /// It was interrupted, and is gone on with.
    pub resumes: bool,
    /// A check that is made again before the plan of this step is applied.
    pub before: Option<StepId>,
    pub params: Value,
    pub input: BTreeMap<String, Value>,
    pub target: Arc<Asset>,
    pub access: Access,
    pub timeout: Duration,
    pub limits: SandboxLimits,
    /// Made only when it is the run's turn in its round: it applies a plan, or looks again before.
    pub in_turn: bool,
    /// A cancel stops it. Never an action, which would leave it half done, nor the look at what
    /// was done.
    pub interruptible: bool,
}

/// The next commands; none: the run has finished. `subject` is an error if the run can't go on
/// in the home that there is now.
pub fn decide(run: &Run, subject: Result<&Subject, &str>, now: DateTime<Utc>) -> Vec<Command> {
    let (Some(_), None) = (&run.request, &run.finished) else {
        return Vec::new();
    };
    if let Some(taken_at) = run.restored {
        return vec![conclude::restored(run, taken_at)];
    }
    let next = match (run.started_at, subject) {
        (None, _) if run.cancel.is_some() => Command::Append(cancelled(run.cancel.clone().unwrap_or_default())),
        (None, _) if refused(run).is_some() => finish(Verdict::Rejected, refused(run).unwrap_or_default(), run),
        (_, Err(why)) => return abandon(run, why),
        (None, Ok(_)) => Command::AskGates,
        (Some(_), Ok(subject)) => return in_time(started(run, subject, now), run, subject, now),
    };
    vec![next]
}

/// Nothing is waited for beyond the deadline, but for people.
fn in_time(mut next: Vec<Command>, run: &Run, subject: &Subject, now: DateTime<Utc>) -> Vec<Command> {
    let due = subject.runbook.limits.deadline.and_then(|deadline| run.due(deadline));
    let stops = run.cancel.is_some() || run.waits_for_approval();
    if let Some(due) = due.filter(|due| *due > now && !stops) {
        next.push(Command::NotAfter(due));
    }
    next
}

fn refused(run: &Run) -> Option<String> {
    match &run.gate {
        GateState::Refused { why, .. } => Some(why.clone()),
        _ => None,
    }
}

fn started(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Vec<Command> {
    if let Some((who, why)) = &run.killed {
        let open = sub::all_open(run, None);
        return match open.is_empty() {
            true => vec![when_idle(run, || conclude::killed(run, who, why))],
            false => open,
        };
    }
    if let Some(asked) = &run.undo {
        return vec![when_idle(run, || undo::at_the_word_of(run, subject, asked, now))];
    }
    let stands = run.reopened && sub::all_open(run, None).is_empty();
    if let Some(doubt) = conclude::doubt(run).filter(|_| stands) {
        // A person has looked at one of several: the others come first.
        return vec![escalate(Verdict::Unknown, doubt, run)];
    }
    if let Some(overdue) = overdue(run, subject, now) {
        return vec![overdue];
    }
    if let Some(step) = stopped_by(run, subject) {
        return halt(run, subject, step, now);
    }
    let has_result = |id: &StepId| run.result(id).is_some();
    // What a void plan took the result of has it again before anybody goes by it.
    let all_before = |step: &Step| subject.runbook.before(step).iter().all(|step| has_result(&step.id));
    let is_told = |step: &Step| !run.looks_anew(&step.id) || all_before(step);
    let is_ready = |step: &&Step| step.needs.iter().all(has_result) && is_told(step);
    let open = subject
        .runbook
        .steps
        .iter()
        .filter(|step| run.result(&step.id).is_none());
    let next: Vec<Command> = open
        .filter(is_ready)
        .flat_map(|step| step::advance(run, subject, step, now))
        .collect();
    match next.is_empty() {
        true => vec![when_idle(run, || conclude::conclude(run, subject, now))],
        false => written_first(unless_in_doubt(run, next)),
    }
}

/// Beside something that nobody knows about nothing new begins; its step is about to say so.
fn unless_in_doubt(run: &Run, mut next: Vec<Command>) -> Vec<Command> {
    if run.is_in_doubt() {
        next.retain(|command| match command {
            Command::Invoke(invoke) => invoke.resumes,
            // One that is open already is found after that.
            Command::OpenRun(_) => false,
            _ => true,
        });
    }
    next
}

/// What one step comes to may keep the others from going on.
fn written_first(next: Vec<Command>) -> Vec<Command> {
    let is_written = |command: &Command| matches!(command, Command::Append(_));
    match next.iter().any(is_written) {
        true => next.into_iter().filter(is_written).collect(),
        false => next,
    }
}

/// A step whose result keeps others from beginning.
fn stopped_by<'a>(run: &Run, subject: &'a Subject) -> Option<&'a Step> {
    let stops = |step: &&Step| does_stop(run, step);
    let first = run.halt.as_ref().map(|(step, _)| step);
    let mut steps = subject.runbook.steps.iter();
    let halted = first.and_then(|first| subject.runbook.steps.iter().find(|step| step.id == *first));
    halted.filter(stops).or_else(|| steps.find(stops))
}

fn does_stop(run: &Run, step: &Step) -> bool {
    match run.result(&step.id).map(|result| result.status) {
        Some(StepStatus::Failed) => step.on_failure != OnFailure::Continue || run.is_in_doubt_at(&step.id),
        Some(StepStatus::Rejected) => true,
        None | Some(StepStatus::Ok | StepStatus::Skipped | StepStatus::Planned) => false,
    }
}

/// What others have begun is finished, as by a cancel; then the run ends.
fn halt(run: &Run, subject: &Subject, by: &Step, now: DateTime<Utc>) -> Vec<Command> {
    let is = |step: &Step, status| run.result(&step.id).is_some_and(|result| result.status == status);
    let rejected = is(by, StepStatus::Rejected);
    let open = subject
        .runbook
        .steps
        .iter()
        .filter(|step| run.result(&step.id).is_none());
    let begun: Vec<&Step> = open.filter(|step| run.has_begun(&step.id)).collect();
    if begun.is_empty() {
        // What another one did meanwhile counts more than that nobody wanted this.
        let mut steps = subject.runbook.steps.iter();
        let failed = match rejected {
            true => steps.find(|step| is(step, StepStatus::Failed) && does_stop(run, step)),
            false => Some(by),
        };
        let end = || match failed {
            Some(step) => conclude::failed(run, subject, &step.id, now),
            None => conclude::rejected(run, &by.id),
        };
        return vec![when_idle(run, end)];
    }
    if run.halt.is_none() {
        let how = if rejected { "was rejected" } else { "failed" };
        let why = format!("step `{}` {how}", by.id);
        let step = by.id.clone();
        return vec![Command::Append(vec![Body::Halted { step, why }])];
    }
    let next = begun.iter().flat_map(|step| step::advance(run, subject, step, now));
    written_first(next.collect())
}

/// Nothing is under way any more.
fn when_idle(run: &Run, next: impl FnOnce() -> Command) -> Command {
    match run.at_work.is_empty() {
        true => next(),
        false => Command::AwaitWork,
    }
}

/// Its deadline is over, and that is not said yet. What waits for people is waited for, and what was
/// interrupted is taken up first: only then is it known how long nobody was there.
fn overdue(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Option<Command> {
    let deadline = subject.runbook.limits.deadline?;
    let due = run.due(deadline).filter(|due| *due <= now)?;
    let said = run.overdue || run.cancel.is_some();
    let later = run.waits_for_approval() || run.goes_on();
    let why = || late(deadline, due);
    (!said && !later).then(|| Command::Append(vec![Body::Overdue { why: why() }]))
}

/// In words.
pub fn late(deadline: Duration, due: DateTime<Utc>) -> String {
    format!(
        "its deadline of {} was over at {}",
        words::duration(deadline),
        words::time(due)
    )
}

/// A gate said no. The refusal of what an alert of high grade started escalates: somebody
/// expects it to be repaired.
pub fn refusal(gate: &str, why: &str, request: Option<&Request>) -> Vec<Body> {
    let mut bodies = vec![Body::Refused {
        gate: gate.to_owned(),
        why: why.to_owned(),
    }];
    let alert = request
        .filter(|request| request.mode == Mode::Live)
        .and_then(|request| request.alert.as_ref());
    if alert.is_some_and(|alert| alert.grade == Grade::High) {
        bodies.push(Body::Escalated {
            why: format!("an alert of high grade is not acted on: {why}"),
        });
    }
    bodies.push(Body::Finished {
        verdict: Verdict::Rejected,
        why: why.to_owned(),
        changed: false,
    });
    bodies
}

/// A gate said no, and will until people do something: they are told.
pub fn given_up(gate: &str, why: &str) -> Vec<Body> {
    let (gate, why) = (gate.to_owned(), why.to_owned());
    vec![
        Body::Refused { gate, why: why.clone() },
        Body::Escalated { why: why.clone() },
        Body::Finished {
            verdict: Verdict::Rejected,
            why,
            changed: false,
        },
    ]
}

/// It ends before it started.
pub fn cancelled(why: String) -> Vec<Body> {
    vec![Body::Finished {
        verdict: Verdict::Cancelled,
        why,
        changed: false,
    }]
}

/// The home has changed under a run: its text, its target or its plugin is not there any more.
fn abandon(run: &Run, why: &str) -> Vec<Command> {
    let below = sub::all_open(run, Some(why));
    if !below.is_empty() {
        return below;
    }
    let (verdict, why) = match conclude::doubt_left(run) {
        Some(doubt) => (Verdict::Unknown, format!("{doubt}; and {why}")),
        None => (Verdict::Failed, why.to_owned()),
    };
    vec![match run.dry() || run.started_at.is_none() {
        true => finish(verdict, why, run),
        false => escalate(verdict, why, run),
    }]
}

fn finish(verdict: Verdict, why: String, run: &Run) -> Command {
    let changed = run.changed();
    Command::Append(vec![Body::Finished { verdict, why, changed }])
}

fn escalate(verdict: Verdict, why: String, run: &Run) -> Command {
    let changed = run.changed();
    Command::Append(vec![
        Body::Escalated {
            why: format!("{verdict}: {why}"),
        },
        Body::Finished { verdict, why, changed },
    ])
}
