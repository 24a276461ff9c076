//! A step that runs another runbook: a run of its own, with its own gates, approvals and verdict.

use std::collections::BTreeSet;

use evenkeel_model::invocation::Severity;
use evenkeel_model::name::{RunId, RunbookName, StepId};
use evenkeel_model::run::{Ended, StepResult, StepStatus, Verdict};
use evenkeel_model::runbook::Step;
use serde_json::{Value, json};

use super::part::{self, Came, Part, Sweep};
use super::stage::{Stage, Turn};
use super::step::{failed_with, finish, of_items, shortened, skip, unless_planned};
use super::{Command, Subject, prepare};
use crate::run::{Child, Run};

/// A run that is to be opened.
#[derive(Clone, Debug)]
pub struct SubRun {
    pub step: StepId,
    pub item: Option<u32>,
    pub runbook: RunbookName,
    /// Values of its `[[input]]`, which nobody has looked at yet.
    pub input: Value,
    /// That it is to be opened is written down.
    pub intended: bool,
    /// Only if it is open already: why nothing new begins.
    pub stop: Option<String>,
}

/// A run that is waited for.
#[derive(Clone, Debug)]
pub struct Awaited {
    pub step: StepId,
    pub item: Option<u32>,
    pub run: RunId,
    /// Why it is to stop.
    pub stop: Option<String>,
    /// Who ends it at once, and why.
    pub kill: Option<(String, String)>,
    /// It has ended, and is to be undone.
    pub undo: bool,
}

impl Awaited {
    fn end(run: &Run, step: &StepId, item: Option<u32>, child: &Child, stop: Option<&str>) -> Option<Self> {
        Some(Self {
            step: step.clone(),
            item,
            run: child.run?,
            // A run that has begun is finished beside a doubt, as an action is.
            stop: stop
                .map(str::to_owned)
                .or_else(|| run.stops().filter(|_| !run.is_halted_by_doubt())),
            kill: run.killed.clone(),
            undo: child.is_being_undone(),
        })
    }
}

/// What is next of a step that has no result.
pub(super) fn advance(run: &Run, subject: &Subject, step: &Step, runbook: &RunbookName) -> Vec<Command> {
    let mut sweep = part::sweep(
        run,
        step,
        |part| stage(run, step, part),
        |part, _: Turn, stop| open(run, subject, step, runbook, part, stop),
    );
    // What is under way is a run, and is waited for as one.
    sweep.next.retain(|next| !matches!(next, Command::AwaitWork));
    sweep.next.extend(open_ones(run, &step.id, None));
    if !sweep.next.is_empty() {
        return sweep.next;
    }
    vec![match (sweep.failure(), sweep.left()) {
        (Some(why), _) => finish(step, failed_with(why, run.changed_by(&step.id), output(step, &sweep))),
        (None, Some(why)) if !run.changed_by(&step.id) => skip(step, why.to_owned()),
        (None, left) => finish(step, result(run, step, &sweep, left)),
    }]
}

/// Those under way are waited for.
fn open_ones(run: &Run, step: &StepId, stop: Option<&str>) -> Vec<Command> {
    awaited(run, step, stop, Child::is_open)
}

/// Of all steps: those that are being undone are told to stop, and waited for.
pub(super) fn all_being_undone(run: &Run, stop: Option<&str>) -> Vec<Command> {
    let steps: BTreeSet<&StepId> = run.children.keys().map(|(step, _)| step).collect();
    let undone = |step| awaited(run, step, stop, Child::is_being_undone);
    steps.into_iter().flat_map(undone).collect()
}

fn awaited(run: &Run, step: &StepId, stop: Option<&str>, is: fn(&Child) -> bool) -> Vec<Command> {
    let children = run.children_of(step).filter(|(_, child)| is(child));
    let awaited = children.filter_map(|(item, child)| Awaited::end(run, step, item, child, stop));
    awaited.map(|awaited| Command::AwaitRun(Box::new(awaited))).collect()
}

/// Of all steps, with those that may be open without a word about it and those that are being undone.
/// `stop`: why they are to stop, besides what stops the run.
pub(super) fn all_open(run: &Run, stop: Option<&str>) -> Vec<Command> {
    let stopped = || stop.map(str::to_owned).or_else(|| run.stops());
    let intended = run.children.iter().filter(|(_, child)| child.is_intended());
    let intended = intended.filter_map(|((step, item), child)| {
        let (runbook, input) = child.intended.clone()?;
        Some(Command::OpenRun(Box::new(SubRun {
            step: step.clone(),
            item: *item,
            runbook,
            input,
            intended: true,
            stop: stopped(),
        })))
    });
    let steps: BTreeSet<&StepId> = run.children.keys().map(|(step, _)| step).collect();
    let open = steps.into_iter().flat_map(|step| open_ones(run, step, stop));
    intended.chain(open).chain(all_being_undone(run, stop)).collect()
}

fn stage<'a>(run: &'a Run, step: &Step, part: Part<'_>) -> Stage<&'a Ended> {
    let Some(child) = run.child(&step.id, part.number()) else {
        return Stage::Call(Turn::begin(1));
    };
    if child.stopped {
        return Stage::Cancelled;
    }
    match (&child.refused, &child.ended) {
        (Some(why), _) => Stage::Over(why.clone()),
        (None, None) if child.run.is_none() => Stage::Call(Turn {
            resumes: true,
            ..Turn::begin(1)
        }),
        (None, None) => Stage::AtWork,
        (None, Some(ended)) => match ended.verdict {
            Verdict::Healthy | Verdict::Unhealthy | Verdict::Planned | Verdict::Changed | Verdict::Repaired => {
                Stage::Done(ended)
            }
            Verdict::Rejected if step.each.is_none() => Stage::Done(ended),
            Verdict::Cancelled if run.stops().is_some() => Stage::Cancelled,
            _ => Stage::Over(told(ended)),
        },
    }
}

fn open(
    run: &Run,
    subject: &Subject,
    step: &Step,
    runbook: &RunbookName,
    part: Part<'_>,
    stop: Option<&str>,
) -> Result<Command, Came<&'static Ended>> {
    let intended = run
        .child(&step.id, part.number())
        .and_then(|child| child.intended.clone());
    if let Some((runbook, input)) = intended {
        return Ok(Command::OpenRun(Box::new(SubRun {
            step: step.id.clone(),
            item: part.number(),
            runbook,
            input,
            intended: true,
            stop: stop.map(str::to_owned),
        })));
    }
    if let Some(why) = stop {
        return Err(Came::Left(why.to_owned()));
    }
    match prepare::rendered(run, subject, step, part) {
        Ok(input) => Ok(Command::OpenRun(Box::new(SubRun {
            step: step.id.clone(),
            item: part.number(),
            runbook: runbook.clone(),
            input,
            intended: false,
            stop: None,
        }))),
        Err(why) => Err(unless_planned(run, subject, step, why)),
    }
}

// ---- results -----------------------------------------------------------------------------

fn told(ended: &Ended) -> String {
    let why = match ended.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    format!("run {} is {}{why}", ended.run, ended.verdict)
}

fn result(run: &Run, step: &Step, sweep: &Sweep<'_, &Ended>, left: Option<&str>) -> StepResult {
    let ended = || sweep.done().map(|(_, ended)| *ended);
    let any = |verdict: Verdict| ended().any(|ended| ended.verdict == verdict);
    let said: Vec<String> = ended().map(told).collect();
    let said = shortened(&said.join("; "));
    let said = match left {
        Some(why) => format!("stopped, {why}; {said}"),
        None => said,
    };
    StepResult {
        status: match () {
            () if any(Verdict::Rejected) => StepStatus::Rejected,
            () if any(Verdict::Planned) => StepStatus::Planned,
            () => StepStatus::Ok,
        },
        severity: any(Verdict::Unhealthy).then_some(Severity::Warning),
        changed: run.changed_by(&step.id),
        summary: match step.each {
            Some(_) => of_items(sweep, &said),
            None => said,
        },
        output: output(step, sweep),
    }
}

fn output(step: &Step, sweep: &Sweep<'_, &Ended>) -> Value {
    let of = |ended: &Ended| {
        json!({
            "run": ended.run,
            "verdict": ended.verdict,
            "why": ended.why,
            "steps": ended.steps,
        })
    };
    match step.each {
        Some(_) => sweep.listed(|_, ended| (told(ended), ended.changed, of(ended))),
        None => sweep.done().next().map_or(Value::Null, |(_, ended)| of(ended)),
    }
}
