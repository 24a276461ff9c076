//! How a run ends.
//!
//! The first line that holds is the verdict:
//!
//! | verdict | when |
//! |---|---|
//! | `cancelled` | it was cancelled before it started, or killed before it had changed anything |
//! | `rejected` | a gate refused it; or a person would have to approve a plan, and nothing else failed meanwhile. What earlier steps changed stays: nobody was asked about that, and nobody objects to it now |
//! | `unknown` | an effect may or may not have happened: its answer is missing and it can't safely be made again, or the host gave up on it after it was sent or started and its action failed, or its action was interrupted after it had begun an effect. Nothing is undone, for nobody knows what |
//! | `failed` | a step failed. Later steps don't run, unless it says `on_failure = "continue"` (then `[healed]` may still say that it is well); with `on_failure` or `otherwise` = `"undo"` what was applied is rolled back, the last first. Or its deadline kept a step from running, it was killed after it had changed something, or the home has not what the run needs any more |
//! | `planned` | a dry run that planned at least one action |
//! | `repaired` | something changed, and `[healed]` says that it is well |
//! | `not-repaired` | something changed, and `[healed]` says that it is not; with `otherwise = "undo"` it is rolled back |
//! | `changed` | something changed, and there is no `[healed]` |
//! | `cancelled` | nothing changed, and a cancel kept a step from running |
//! | `unhealthy` | nothing changed, and the check that `[healed]` names (without one: any check) found a warning or worse |
//! | `healthy` | nothing changed, and no such finding |
//!
//! So `[healed]` is asked only about a change; without one the checks that ran are the answer. A
//! cancel (a person's, or the resolve of the alert) stops what would still be done, not the look
//! at what was. `unknown` always escalates; `failed` and `not-repaired` do unless `otherwise` is
//! `ignore`; a dry run never does.
//!
//! A run counts as having changed something (and so for the cool-down) if an action said so, or
//! if it had begun an effect and did not come to its end.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::StepId;
use evenkeel_model::run::{StepResult, StepStatus, Verdict};
use evenkeel_model::runbook::{OnFailure, Otherwise, Step};

use super::{Command, Subject, escalate, finish, undo, verify};
use crate::run::{Attempt, Intent, Reply, Run};
use crate::words;

/// All steps have their results.
pub(super) fn conclude(run: &Run, subject: &Subject, now: DateTime<Utc>) -> Command {
    if let Some(step) = gone_on_without(run, subject) {
        return despite(run, subject, step, now);
    }
    if run.overdue && run.cut_short {
        let why = run.cancel.clone().unwrap_or_default();
        return match run.dry() {
            true => finish(Verdict::Failed, why, run),
            false => after_undo(run, subject, Verdict::Failed, why, now),
        };
    }
    if run.dry() {
        return match planned(run) {
            Some(told) => finish(Verdict::Planned, told, run),
            None => unchanged(run, subject),
        };
    }
    if !run.changed() {
        return unchanged(run, subject);
    }
    match (&subject.runbook.healed, &run.verified) {
        (None, _) => finish(Verdict::Changed, told_changed(run), run),
        (Some(healed), None) => verify::advance(run, subject, healed, now),
        (Some(_), Some(verified)) if verified.healed => finish(Verdict::Repaired, verified.why.clone(), run),
        (Some(_), Some(verified)) => after_undo(run, subject, Verdict::NotRepaired, verified.why.clone(), now),
    }
}

/// The first step that failed and was gone on without.
fn gone_on_without<'a>(run: &Run, subject: &'a Subject) -> Option<&'a StepId> {
    let has_failed = |id: &StepId| run.result(id).is_some_and(|result| result.status == StepStatus::Failed);
    let mut steps = subject.runbook.steps.iter().map(|step| &step.id);
    steps.find(|id| has_failed(id))
}

/// What was to be done has failed in part; only `[healed]` can say that it is well all the same.
fn despite(run: &Run, subject: &Subject, step: &StepId, now: DateTime<Utc>) -> Command {
    match (&subject.runbook.healed, &run.verified) {
        (Some(healed), None) if run.changed() && !run.dry() => verify::advance(run, subject, healed, now),
        (Some(_), Some(verified)) if verified.healed => {
            let why = format!(
                "{}; although step `{step}` failed: {}",
                verified.why,
                summary(run, step)
            );
            finish(Verdict::Repaired, why, run)
        }
        _ => failed(run, subject, step, now),
    }
}

/// A step failed.
pub(super) fn failed(run: &Run, subject: &Subject, step: &StepId, now: DateTime<Utc>) -> Command {
    let why = format!("step `{step}`: {}", summary(run, step));
    match doubt(run) {
        // A failed rollback may be in doubt too; what the step said comes first in both.
        Some(doubt) => escalate(Verdict::Unknown, format!("{why}; {}", doubt), run),
        None if run.dry() => finish(Verdict::Failed, why, run),
        None => after_undo(run, subject, Verdict::Failed, why, now),
    }
}

/// It was killed: nothing more is begun, not even a look at what was done.
pub(super) fn killed(run: &Run, who: &str, why: &str) -> Command {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    let told = format!("killed by {who}{why}; nothing was looked at or undone after that");
    match doubt_left(run) {
        Some(doubt) => escalate(Verdict::Unknown, format!("{told}; {}", doubt), run),
        None if run.changed() => escalate(Verdict::Failed, told, run),
        None => finish(Verdict::Cancelled, told, run),
    }
}

/// It is known only as it was when a backup was taken. Whether it did more is for a person to look
/// at; nothing of it is done (again).
pub(super) fn restored(run: &Run, taken_at: DateTime<Utc>) -> Command {
    let taken_at = words::time(taken_at);
    let told = format!("the journal was restored from a backup of {taken_at}: what it did after that is not known");
    match doubt_left(run) {
        _ if run.dry() => finish(Verdict::Cancelled, told, run),
        Some(doubt) => escalate(Verdict::Unknown, format!("{told}; {}", doubt), run),
        None => escalate(Verdict::Failed, told, run),
    }
}

/// A person would have to approve the step.
pub(super) fn rejected(run: &Run, step: &StepId) -> Command {
    let why = format!("step `{step}`: {}", summary(run, step));
    match doubt_left(run) {
        Some(doubt) => escalate(Verdict::Unknown, format!("{why}; {doubt}"), run),
        None => finish(Verdict::Rejected, why, run),
    }
}

/// What nobody knows about, once nothing can be gone on with.
pub(super) fn doubt_left(run: &Run) -> Option<String> {
    run.doubt_left().map(in_doubt).or_else(|| of_child(run))
}

pub(super) fn doubt(run: &Run) -> Option<String> {
    let more = match run.doubts().count() {
        0 | 1 => String::new(),
        several => format!("; and {} more like it", several - 1),
    };
    let told = run.doubt().map(|doubt| format!("{}{more}", in_doubt(doubt)));
    told.or_else(|| of_child(run))
}

fn of_child(run: &Run) -> Option<String> {
    let child = run.unknown_child()?.run;
    Some(format!(
        "nobody knows what run {child} did: look, and say so with `evenkeel runs resolve {child}`"
    ))
}

/// Which effect it is that nobody knows about.
fn in_doubt((attempt, Intent { call, reply, .. }): (&Attempt, &Intent)) -> String {
    let key = &attempt.key;
    let at = format!("{} `{}`", call.capability, call.subject);
    let action = key
        .action
        .as_ref()
        .map_or(String::new(), |action| format!(" of `{action}`"));
    let how = match (reply, &attempt.ended) {
        (Reply::Open(message), Some(_)) => format!("was given up at {at} ({message})"),
        _ => format!("was interrupted at {at}"),
    };
    format!(
        "the {}{action} in step `{}` {how}: whether that happened, and what had followed, has to be looked at",
        key.phase, key.step
    )
}

/// Undoes if the runbook says so, and then ends with `verdict`, unless the undoing itself left
/// something in doubt.
fn after_undo(run: &Run, subject: &Subject, verdict: Verdict, why: String, now: DateTime<Utc>) -> Command {
    let otherwise = otherwise(run, subject);
    let why = match otherwise {
        Otherwise::Undo => {
            if let Some(next) = undo::advance(run, subject, now) {
                return next;
            }
            format!("{why}; {}", undo::told(run, subject))
        }
        Otherwise::Escalate | Otherwise::Ignore => why,
    };
    match (doubt_left(run), otherwise) {
        (Some(doubt), _) => escalate(Verdict::Unknown, format!("{why}; {}", doubt), run),
        (None, Otherwise::Ignore) => finish(verdict, why, run),
        (None, Otherwise::Escalate | Otherwise::Undo) => escalate(verdict, why, run),
    }
}

/// What a failed step says of itself counts more than what `[healed]` says of all. A deadline fails what it left out.
fn otherwise(run: &Run, subject: &Subject) -> Otherwise {
    let failed = |step: &&Step| {
        let failed = |result: &StepResult| result.status == StepStatus::Failed;
        run.result(&step.id).is_some_and(failed) || run.is_left_by_deadline(&step.id)
    };
    let undoes = subject
        .runbook
        .steps
        .iter()
        .filter(failed)
        .any(|step| step.on_failure == OnFailure::Undo);
    match (undoes, &subject.runbook.healed) {
        (true, _) => Otherwise::Undo,
        (false, Some(healed)) => healed.otherwise,
        (false, None) => Otherwise::default(),
    }
}

fn unchanged(run: &Run, subject: &Subject) -> Command {
    if run.cut_short {
        let why = run.cancel.clone().unwrap_or_default();
        return finish(Verdict::Cancelled, why, run);
    }
    let (severity, told) = found(run, subject);
    let verdict = if severity >= Severity::Warning {
        Verdict::Unhealthy
    } else {
        Verdict::Healthy
    };
    finish(verdict, told, run)
}

/// What the checks say: the one that `[healed]` names, if it ran, or else the worst of all.
fn found(run: &Run, subject: &Subject) -> (Severity, String) {
    let severity = |id: &StepId| Some((run.result(id)?.severity?, id.clone()));
    let named = subject
        .runbook
        .healed
        .as_ref()
        .and_then(|healed| severity(healed.rerun()?));
    let worst = || {
        subject
            .runbook
            .steps
            .iter()
            .rev()
            .filter_map(|step| severity(&step.id))
            .max_by_key(|found| found.0)
    };
    match named.or_else(worst) {
        Some((severity, step)) => (severity, format!("`{step}`: {}", summary(run, &step))),
        None => (Severity::Ok, "nothing was to be done".into()),
    }
}

fn planned(run: &Run) -> Option<String> {
    let planned: Vec<String> = run
        .steps
        .iter()
        .filter_map(|(id, step)| {
            let result = step.result.as_ref()?;
            (result.status == StepStatus::Planned).then(|| format!("`{id}`: {}", result.summary))
        })
        .collect();
    (!planned.is_empty()).then(|| planned.join("; "))
}

fn told_changed(run: &Run) -> String {
    let changed: Vec<String> = run
        .steps
        .iter()
        .filter_map(|(id, step)| {
            let result = step.result.as_ref()?;
            result.changed.then(|| format!("`{id}`: {}", result.summary))
        })
        .collect();
    changed.join("; ")
}

fn summary<'a>(run: &'a Run, step: &StepId) -> &'a str {
    run.result(step).map_or("", |result| result.summary.as_str())
}
