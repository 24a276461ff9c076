//! One step: whether it runs at all, and checks.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::{Finding, Output, Phase, Severity};
use evenkeel_model::plugin::Kind;
use evenkeel_model::run::{Body, StepResult, StepStatus};
use evenkeel_model::runbook::{Does, Each, List, Step};
use evenkeel_model::template;
use serde_json::Value;

use super::part::{self, Came, Part, Sweep};
use super::stage::{self, Turn};
use super::{Command, Invoke, Subject, prepare, remedy, sub};
use crate::after::OUTPUTS;
use crate::context;
use crate::port::Work;
use crate::run::Run;
use crate::words;

/// What is next of a step that has no result.
pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Vec<Command> {
    if let Some(kind @ (Kind::Monitor | Kind::Notifier)) = step.kind() {
        return vec![fail(step, format!("a {kind} can't be a step in this version"), false)];
    }
    let anew = run.is_to_plan_anew(&step.id);
    let is_new = !run.has_begun(&step.id) && run.items(&step.id).is_none();
    if (is_new || anew)
        && let Some(why) = run.stops()
    {
        return vec![skip(step, why)];
    }
    if is_new || anew {
        match wanted(run, subject, step) {
            Wanted::Yes => {}
            Wanted::No(why) => return vec![skip(step, why)],
            Wanted::NotKnown(why) => return vec![fail(step, why, false)],
        }
    }
    match &step.each {
        Some(each) if is_new => return vec![list(run, subject, step, each)],
        Some(each) if anew && items(run, subject, step, each).ok().as_deref() != run.items(&step.id) => {
            let why = "what it is to be done for is something else by now: it has to be run anew";
            return vec![fail(step, why.into(), false)];
        }
        _ => {}
    }
    match &step.does {
        Does::Runbook(runbook) => sub::advance(run, subject, step, runbook),
        Does::Plugin(plugin) if plugin.kind == Kind::Remedy => remedy::advance(run, subject, step, now),
        Does::Plugin(_) => check(run, subject, step, now),
    }
}

/// Fixes what it is done for.
fn list(run: &Run, subject: &Subject, step: &Step, each: &Each) -> Command {
    match items(run, subject, step, each) {
        Ok(items) => {
            let step = step.id.clone();
            Command::Append(vec![Body::Listed { step, items }])
        }
        Err(why) if planned(run, subject, step).is_empty() => fail(step, why, false),
        Err(why) => skip(step, untold(run, subject, step, &why)),
    }
}

pub(super) fn items(run: &Run, subject: &Subject, step: &Step, each: &Each) -> Result<Vec<Value>, String> {
    let context = context::of(run, subject, Some(step));
    let listed = match &each.list {
        List::Expression(expression) => template::value(expression, &context),
        List::Items(items) => template::render(&Value::Array(items.clone()), &context),
    };
    match listed {
        Ok(Value::Array(items)) if items.len() > Each::MOST => Err(format!(
            "`each` has {} items, and a step is done for {} at most",
            items.len(),
            Each::MOST
        )),
        Ok(listed @ Value::Array(_)) if listed.to_string().len() > OUTPUTS => Err(format!(
            "the items of `each` are larger than {} KiB together",
            OUTPUTS >> 10
        )),
        Ok(Value::Array(items)) => Ok(items),
        Ok(other) => Err(format!("`each` is no array: {}", shortened(&other.to_string()))),
        Err(error) => Err(format!("`each`: {error}")),
    }
}

fn check(run: &Run, subject: &Subject, step: &Step, now: DateTime<Utc>) -> Vec<Command> {
    let sweep = part::sweep(
        run,
        step,
        |part| {
            let attempt = run.attempt(&step.id, Phase::Check, part.key().as_deref());
            stage::of(run, step, attempt).and_then(|output| match output {
                Output::Findings(findings) => Ok(findings),
                _ => Err("it answered something else than findings".into()),
            })
        },
        |part, turn, stop| look(run, subject, step, part, (Work::Check, turn), stop, now),
    );
    if !sweep.next.is_empty() {
        return sweep.next;
    }
    let listed = || {
        sweep.listed(|_, findings| {
            let output = serde_json::to_value(findings).unwrap_or(Value::Null);
            (told(findings), false, output)
        })
    };
    let result = match (sweep.failure(), sweep.left()) {
        (Some(why), _) if step.each.is_some() => failed_with(why, false, listed()),
        (Some(why), _) => return vec![fail(step, why, false)],
        (None, Some(why)) => return vec![skip(step, why.to_owned())],
        (None, None) => {
            let findings: Vec<Finding> = sweep.done().flat_map(|(_, found)| (*found).clone()).collect();
            match &step.each {
                None => checked(&findings),
                Some(_) => StepResult {
                    summary: of_items(&sweep, &told(&findings)),
                    output: listed(),
                    ..checked(&findings)
                },
            }
        }
    };
    vec![finish(step, result)]
}

/// What a step with `each` came to, in words.
pub(super) fn of_items<T>(sweep: &Sweep<'_, T>, told: &str) -> String {
    let failed = match sweep.failed() {
        failed if failed.is_empty() => failed,
        failed => format!("; {failed}"),
    };
    format!("{}: {told}{failed}", words::count(sweep.parts.len(), "item"))
}

/// Calls a check or a plan when its time has come, unless nothing is to begin any more.
pub(super) fn look<T>(
    run: &Run,
    subject: &Subject,
    step: &Step,
    part: Part<'_>,
    (work, turn): (Work, Turn),
    stop: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Command, Came<T>> {
    if let Some(why) = stop {
        return Err(Came::Left(why.to_owned()));
    }
    let phase = prepare::place(&work).0;
    match prepare::look(run, subject, step, part, work, turn) {
        Ok(invoke) => Ok(when_due(invoke, turn.at, now)),
        Err(why) => prepare::given_up(run.attempt(&step.id, phase, part.key().as_deref()), turn, &why)
            .ok_or_else(|| unless_planned(run, subject, step, why)),
    }
}

/// What a dry run can't tell is no failure.
pub(super) fn unless_planned<T>(run: &Run, subject: &Subject, step: &Step, why: String) -> Came<T> {
    match planned(run, subject, step).is_empty() {
        true => Came::Failed(why),
        false => Came::Left(untold(run, subject, step, &why)),
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

pub(super) fn skip(step: &Step, why: String) -> Command {
    let step = step.id.clone();
    Command::Append(vec![Body::Skipped { step, why }])
}

pub(super) fn finish(step: &Step, result: StepResult) -> Command {
    let step = step.id.clone();
    Command::Append(vec![Body::StepFinished { step, result }])
}

pub(super) fn fail(step: &Step, why: String, changed: bool) -> Command {
    finish(step, failed_with(why, changed, Value::Null))
}

pub(super) fn failed_with(why: String, changed: bool, output: Value) -> StepResult {
    StepResult {
        status: StepStatus::Failed,
        severity: None,
        changed,
        summary: why,
        output,
    }
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

/// Characters that a summary takes up of what plugins said.
const SUMMARY: usize = 300;

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SUMMARY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
