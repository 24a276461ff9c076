//! One step: whether it runs at all, and checks.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::{Finding, Output, Phase, Severity};
use evenkeel_model::plugin::Kind;
use evenkeel_model::run::{Body, StepResult, StepStatus};
use evenkeel_model::runbook::Step;
use evenkeel_model::template;
use serde_json::Value;

use super::stage::{self, Stage, Turn};
use super::{Command, Invoke, Subject, prepare, remedy};
use crate::context;
use crate::port::Work;
use crate::run::Run;
use crate::words;

/// The next command of a step that has no result.
pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Command {
    let first = match step.plugin.kind {
        Kind::Check => Phase::Check,
        Kind::Remedy => Phase::Plan,
        kind @ (Kind::Monitor | Kind::Notifier) => {
            return fail(step, format!("a {kind} can't be a step in this version"), false);
        }
    };
    if run.attempt(&step.id, first, None).is_none() {
        if let Some(why) = run.stops() {
            return skip(step, why);
        }
        match wanted(run, subject, step) {
            Wanted::Yes => {}
            Wanted::No(why) => return skip(step, why),
            Wanted::NotKnown(why) => return fail(step, why, false),
        }
    }
    match step.plugin.kind {
        Kind::Remedy => remedy::advance(run, subject, step, now),
        _ => check(run, subject, step, now),
    }
}

fn check(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Command {
    match stage::of(run, step, run.attempt(&step.id, Phase::Check, None)) {
        Stage::Call(turn) => call(run, subject, step, turn, Work::Check, now),
        Stage::AtWork => Command::AwaitWork,
        Stage::Done(Output::Findings(findings)) => finish(step, checked(findings)),
        Stage::Done(_) => fail(step, "it answered something else than findings".into(), false),
        Stage::Over(why) => fail(step, why, false),
        Stage::Cancelled => skip(step, cancelled(run)),
    }
}

/// Calls a check or a plan when its time has come, unless the run was cancelled meanwhile.
pub(super) fn call(run: &Run, subject: &Subject, step: &Step, turn: Turn, work: Work, now: DateTime<Utc>) -> Command {
    if let Some(why) = run.stops() {
        return skip(step, why);
    }
    match prepare::look(run, subject, step, work, turn) {
        Ok(invoke) => when_due(invoke, turn.at, now),
        Err(why) if !planned(run, subject, step).is_empty() => skip(step, untold(run, subject, step, &why)),
        Err(why) => fail(step, why, false),
    }
}

/// Not before `at`.
pub(super) fn when_due(invoke: Invoke, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Command {
    match at {
        Some(at) if at > now => Command::SleepUntil(at),
        _ => Command::Invoke(Box::new(invoke)),
    }
}

// ---- when --------------------------------------------------------------------------------

enum Wanted {
    Yes,
    No(String),
    NotKnown(String),
}

fn wanted(run: &Run, subject: &Subject, step: &Step) -> Wanted {
    let Some(when) = &step.when else {
        return Wanted::Yes;
    };
    let context = context::of(run, subject, Some(step));
    let now = template::truthy(when, &context);
    let planned = planned(run, subject, step);
    if !planned.is_empty() {
        // What a dry run only planned may turn out either way: the answer counts if it does not
        // depend on that.
        let then = template::truthy(when, &as_if_applied(&planned, context));
        if !matches!((&now, &then), (Ok(now), Ok(then)) if now == then) {
            return Wanted::No(untold(run, subject, step, &format!("`when` is `{when}`")));
        }
    }
    match now {
        Ok(true) => Wanted::Yes,
        Ok(false) => Wanted::No(format!("`when` is false: `{when}`")),
        Err(error) => Wanted::NotKnown(format!("`when`: {error}")),
    }
}

/// Steps before it that a dry run stopped in front of.
fn planned<'a>(run: &Run, subject: &'a Subject, step: &Step) -> Vec<&'a str> {
    let planned = |step: &&Step| {
        run.result(&step.id)
            .is_some_and(|result| result.status == StepStatus::Planned)
    };
    let before = subject.runbook.before(step).into_iter().filter(planned);
    before.map(|step| step.id.as_str()).collect()
}

fn as_if_applied(planned: &[&str], mut context: Value) -> Value {
    for id in planned {
        if let Some(step) = context.pointer_mut(&format!("/steps/{id}")) {
            step["status"] = "ok".into();
            step["changed"] = true.into();
        }
    }
    context
}

fn untold(run: &Run, subject: &Subject, step: &Step, why: &str) -> String {
    let planned = planned(run, subject, step);
    let planned: Vec<String> = planned.iter().map(|id| format!("`{id}`")).collect();
    format!("a dry run can't tell what comes after {}: {why}", planned.join(", "))
}

// ---- results -----------------------------------------------------------------------------

pub(super) fn cancelled(run: &Run) -> String {
    run.stops().unwrap_or_else(|| "cancelled".into())
}

pub(super) fn skip(step: &Step, why: String) -> Command {
    let step = step.id.clone();
    Command::Append(vec![Body::Skipped { step, why }])
}

pub(super) fn finish(step: &Step, result: StepResult) -> Command {
    let step = step.id.clone();
    Command::Append(vec![Body::StepFinished { step, result }])
}

pub(super) fn fail(step: &Step, why: String, changed: bool) -> Command {
    finish(
        step,
        StepResult {
            status: StepStatus::Failed,
            severity: None,
            changed,
            summary: why,
            output: Value::Null,
        },
    )
}

fn checked(findings: &[Finding]) -> StepResult {
    StepResult {
        status: StepStatus::Ok,
        severity: Some(worst(findings)),
        changed: false,
        summary: told(findings),
        output: serde_json::to_value(findings).unwrap_or(Value::Null),
    }
}

/// A check that finds nothing finds that all is well.
pub(super) fn worst(findings: &[Finding]) -> Severity {
    findings
        .iter()
        .map(|finding| finding.severity)
        .max()
        .unwrap_or(Severity::Ok)
}

/// The worst finding in its own words, and how many more there are.
pub(super) fn told(findings: &[Finding]) -> String {
    let worst = worst(findings);
    match findings.iter().find(|finding| finding.severity == worst) {
        None => "nothing was found".into(),
        Some(finding) if findings.len() == 1 => finding.summary.clone(),
        Some(finding) => format!(
            "{} (and {} more)",
            finding.summary,
            words::count(findings.len() - 1, "finding")
        ),
    }
}
