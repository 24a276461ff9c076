//! A plan that a person has to approve: asks, waits, and looks again before it is applied.
//!
//! An approval binds to the actions, to the plugin's digest, to its parameters and to what it may
//! use. Once it is given, the checks before the step are made again, because hours may have passed:
//! if one of them says something else, or the binding is another one, the approval is void and the
//! step is planned anew. A new plan with the binding that was approved is applied without asking
//! again, for what was approved is what happens.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::action::{Action, Risk, sha256};
use evenkeel_model::invocation::{Finding, Outcome, Phase, Severity};
use evenkeel_model::run::{Body, StepResult, StepStatus};
use evenkeel_model::runbook::Step;
use serde_json::{Value, json};

use super::part::{self, Part};
use super::stage::Turn;
use super::step::{fail, finish, when_due};
use super::{Command, Subject, prepare, remedy};
use crate::approve::need;
use crate::port::Work;
use crate::run::{Approval, Attempt, Plan, Run, Said};
use crate::words;

/// What is next with a plan that needs a yes; none: it may be applied.
pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, plan: &Plan, now: DateTime<Utc>) -> Option<Command> {
    let binding = match binding(run, subject, step, plan) {
        Ok(binding) => binding,
        Err(why) => return Some(fail(step, why, false)),
    };
    let Some(approval) = run.approval(&step.id) else {
        let stands = run.approved_binding(&step.id) == Some(binding.as_str());
        return (!stands).then(|| ask(subject, step, plan, binding, now));
    };
    if let Some(Said { who, why, .. }) = &approval.declined {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        return Some(reject(step, format!("{who} declined it{why}")));
    }
    if !approval.is_given() {
        return Some(match approval.until <= now {
            true => reject(step, nobody(approval)),
            false => Command::AwaitDecision(approval.until),
        });
    }
    if approval.binding != binding {
        let why = "its plugin, its parameters or what it may use is not what it was when it was approved";
        return Some(void(step, why.into()));
    }
    None
}

/// What an approval is about, in one word.
fn binding(run: &Run, subject: &Subject, step: &Step, plan: &Plan) -> Result<String, String> {
    let access = prepare::granted(subject, step)?;
    let entries = access.entries.iter();
    let access: Vec<Value> = entries
        .map(|((capability, name), entry)| json!([capability, name, entry.verbs, format!("{:?}", entry.resource)]))
        .collect();
    let planned = |part: Part<'_>| run.attempt(&step.id, Phase::Plan, part.key().as_deref());
    let mut params = part::of(run, step)
        .into_iter()
        .map(|part| json!(planned(part).map(|planned| &planned.params)));
    let params = match step.each {
        Some(_) => params.collect(),
        None => params.next().unwrap_or_default(),
    };
    let all = json!({
        "plan": plan.hash.as_str(),
        "plugin": step.plugin().map(|plugin| &plugin.digest),
        "params": params,
        "access": access,
    });
    Ok(sha256(all.to_string().as_bytes()))
}

// ---- asking ------------------------------------------------------------------------------

fn ask(subject: &Subject, step: &Step, plan: &Plan, binding: String, now: DateTime<Utc>) -> Command {
    let risks = remedy::risks(subject, step, &plan.actions).unwrap_or_else(|_| vec![plan.risk; plan.actions.len()]);
    let mut bodies: Vec<Body> = asked(step, &plan.actions, &risks);
    let expires = TimeDelta::from_std(step.expires).unwrap_or(TimeDelta::MAX / 4);
    bodies.push(Body::ApprovalAsked {
        step: step.id.clone(),
        binding,
        risk: plan.risk,
        ask: step.ask.clone(),
        need: need(step.ask.as_deref(), &subject.home),
        until: now + expires,
    });
    Command::Append(bodies)
}

/// The actions that have to be approved; the others of the plan wait with them, for a plan is
/// approved as a whole.
fn asked(step: &Step, actions: &[Action], risks: &[Risk]) -> Vec<Body> {
    let risky = actions.iter().zip(risks).filter(|(_, risk)| remedy::asks(step, **risk));
    risky
        .map(|(action, risk)| Body::Asked {
            step: step.id.clone(),
            action: action.id.clone(),
            risk: *risk,
            who: step.ask.clone(),
        })
        .collect()
}

// ---- answers -----------------------------------------------------------------------------

fn nobody(approval: &Approval) -> String {
    let until = words::time(approval.until);
    match (approval.approved.len(), approval.need) {
        (0, _) => format!("nobody decided until {until}"),
        (some, need) => format!("{some} of {need} approved it until {until}"),
    }
}

fn reject(step: &Step, why: String) -> Command {
    finish(
        step,
        StepResult {
            status: StepStatus::Rejected,
            severity: None,
            changed: false,
            summary: why,
            output: Value::Null,
        },
    )
}

fn void(step: &Step, why: String) -> Command {
    let step = step.id.clone();
    Command::Append(vec![Body::PlanVoid { step, why }])
}

// ---- looking again -----------------------------------------------------------------------

/// Another step had a check made again, and it does not say any more what this one was planned by.
pub(super) fn outdated(run: &Run, subject: &Subject, step: &Step) -> Option<Command> {
    if run.is_planned_by_the_latest(&step.id) {
        return None;
    }
    parts_before(run, subject, step).find_map(|(check, part)| {
        let key = part.key();
        let found = run.attempt(&check.id, Phase::Check, key.as_deref())?.findings()?;
        let bases = run.bases(&step.id, &check.id, key.as_deref());
        (!says_the_same(&bases, found)).then(|| outdated_by(step, check, found))
    })
}

/// What may have been looked at for the step.
fn parts_before<'a>(run: &'a Run, subject: &'a Subject, step: &Step) -> impl Iterator<Item = (&'a Step, Part<'a>)> {
    let before = subject.runbook.before(step).into_iter();
    before.flat_map(|check| part::of(run, check).into_iter().map(move |part| (check, part)))
}

fn says_the_same(bases: &[&Vec<Finding>], found: &[Finding]) -> bool {
    bases.iter().all(|basis| said(basis) == said(found))
}

fn outdated_by(step: &Step, check: &Step, found: &[Finding]) -> Command {
    let told = super::step::told(found);
    void(step, format!("`{}` says something else by now: {told}", check.id))
}

/// Makes the checks before the step again, one after the other, if its plan waited for a person or
/// for its turn; none: they all say what they said.
pub(super) fn recheck(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Option<Command> {
    if !run.plan_has_aged(&step.id) {
        return None;
    }
    if run.is_rechecking(&step.id) {
        return Some(Command::AwaitWork);
    }
    for (check, part) in parts_before(run, subject, step) {
        let key = part.key();
        let bases = run.bases(&step.id, &check.id, key.as_deref());
        if bases.is_empty() {
            continue;
        }
        let again = run.recheck(&step.id, &check.id, key.as_deref());
        let Some(ended) = again.filter(|attempt| attempt.ended.is_some()) else {
            return Some(look(run, subject, step, (check, part), now));
        };
        match ended.findings() {
            Some(found) if says_the_same(&bases, found) => {}
            Some(found) => return Some(outdated_by(step, check, found)),
            None => {
                let why = format!("`{}` could not be made again before it: {}", check.id, failure(ended));
                return Some(fail(step, why, false));
            }
        }
    }
    None
}

fn look(run: &Run, subject: &Subject, step: &Step, (check, part): (&Step, Part<'_>), now: DateTime<Utc>) -> Command {
    let turn = Turn::begin(run.last_check(&check.id, part.key().as_deref()) + 1);
    match prepare::look(run, subject, check, part, Work::Check, turn) {
        Ok(mut invoke) => {
            invoke.before = Some(step.id.clone());
            // What it says has to hold when its turn has come.
            invoke.in_turn = true;
            when_due(invoke, turn.at, now)
        }
        Err(why) => fail(
            step,
            format!("`{}` can't be made again before it: {why}", check.id),
            false,
        ),
    }
}

fn failure(attempt: &Attempt) -> String {
    match attempt.ended.as_ref().map(|ended| &ended.outcome) {
        Some(Outcome::Failed(failure)) => failure.message.clone(),
        Some(Outcome::Stopped { message, .. }) => message.clone(),
        _ => "it answered something else than findings".into(),
    }
}

/// What a check says, but for numbers that are other ones each time.
fn said(findings: &[Finding]) -> Vec<(&str, Severity, &str)> {
    let mut said: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.severity, finding.subject.as_str()))
        .collect();
    said.sort_unstable();
    said
}
