//! The parts of a step, which are done one by one or several at once: the items of its `each`, or the
//! step as a whole.

use evenkeel_model::action::Action;
use evenkeel_model::run::StepStatus;
use evenkeel_model::runbook::Step;
use serde_json::{Value, json};

use super::Command;
use super::stage::{Stage, Turn};
use crate::after::OUTPUTS;
use crate::run::Run;
use crate::words;

/// An item with its index, or the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a>(Option<(usize, &'a Value)>);

impl<'a> Part<'a> {
    pub fn item(self) -> Option<(usize, &'a Value)> {
        self.0
    }

    pub fn number(self) -> Option<u32> {
        self.0.and_then(|(index, _)| u32::try_from(index).ok())
    }

    /// What stands for an action in the keys of its checks and plans.
    pub fn key(self) -> Option<String> {
        self.0.map(|(index, _)| index.to_string())
    }

    /// The action as the run knows it.
    pub fn own(self, action: &Action) -> Action {
        let id = match self.0 {
            Some((index, _)) => format!("{index}/{}", action.id),
            None => action.id.clone(),
        };
        Action { id, ..action.clone() }
    }

    /// The action is one of this part.
    pub fn has(self, action: &Action) -> bool {
        self.0
            .is_none_or(|(index, _)| number(&action.id).is_some_and(|(of, _)| of == index))
    }
}

pub(super) fn of<'a>(run: &'a Run, step: &Step) -> Vec<Part<'a>> {
    match (&step.each, run.items(&step.id)) {
        (None, _) => vec![Part(None)],
        (Some(_), items) => {
            let items = items.unwrap_or_default().iter().enumerate();
            items.map(|item| Part(Some(item))).collect()
        }
    }
}

/// The part that an action is of, and its id as its plugin knows it.
pub(super) fn of_action<'a, 'i>(run: &'a Run, step: &Step, id: &'i str) -> (Part<'a>, &'i str) {
    let items = run.items(&step.id).filter(|_| step.each.is_some()).unwrap_or_default();
    let found = number(id).and_then(|(index, own)| Some((Part(Some((index, items.get(index)?))), own)));
    found.unwrap_or((Part(None), id))
}

/// The part that a check was for.
pub(super) fn of_key<'a>(run: &'a Run, step: &Step, key: Option<&str>) -> Part<'a> {
    let parts = of(run, step).into_iter();
    let mut found = parts.filter(|part| part.key().as_deref() == key);
    found.next().unwrap_or(Part(None))
}

fn number(id: &str) -> Option<(usize, &str)> {
    let (index, own) = id.split_once('/')?;
    Some((index.parse().ok()?, own))
}

// ---- all of them -------------------------------------------------------------------------

/// What has come of a part.
pub(super) enum Came<T> {
    Done(T),
    Failed(String),
    /// It is not done, or not to its end, and why.
    Left(String),
}

pub(super) struct Sweep<'a, T> {
    /// What is next; none: of all parts there is what came of them.
    pub next: Vec<Command>,
    pub parts: Vec<(Part<'a>, Came<T>)>,
    /// As many may fail.
    tolerated: usize,
    in_doubt: bool,
}

/// Looks at all parts in their order, and begins as many as may be under way at once. `call` says what
/// is done for one of them; it is told why nothing new is to begin, if that is so.
pub(super) fn sweep<'a, T>(
    run: &'a Run,
    step: &Step,
    stage: impl Fn(Part<'a>) -> Stage<T>,
    call: impl Fn(Part<'a>, Turn, Option<&str>) -> Result<Command, Came<T>>,
) -> Sweep<'a, T> {
    let stages: Vec<_> = of(run, step).into_iter().map(|part| (part, stage(part))).collect();
    let tolerated = step.each.as_ref().map_or(0, |each| each.tolerate.of(stages.len()));
    let count = |is: fn(&Stage<T>) -> bool| stages.iter().filter(|(_, stage)| is(stage)).count();
    let at_work = count(|stage| matches!(stage, Stage::AtWork));
    let mut failed = count(|stage| matches!(stage, Stage::Over(_)));
    let most = step.each.as_ref().map_or(1, |each| each.concurrency.get() as usize);
    let mut room = most.saturating_sub(at_work);
    let mut sweep = Sweep {
        next: Vec::new(),
        parts: Vec::new(),
        tolerated,
        in_doubt: run.is_in_doubt_at(&step.id),
    };
    let all = stages.len();
    for (part, stage) in stages {
        let came = match stage {
            Stage::Done(done) => Came::Done(done),
            Stage::Over(why) => Came::Failed(why),
            Stage::Cancelled => Came::Left(run.stops().unwrap_or_default()),
            Stage::AtWork => {
                sweep.next.push(Command::AwaitWork);
                continue;
            }
            Stage::Call(turn) => {
                let too_many = || format!("{failed} of {} failed", words::count(all, "item"));
                let stop = run
                    .stops()
                    .or_else(|| (failed > tolerated || sweep.in_doubt).then(too_many));
                if stop.is_none() && room == 0 {
                    continue;
                }
                match call(part, turn, stop.as_deref()) {
                    Ok(command) => {
                        room = room.saturating_sub(1);
                        sweep.next.push(command);
                        continue;
                    }
                    Err(came) => {
                        failed += usize::from(matches!(came, Came::Failed(_)));
                        came
                    }
                }
            }
        };
        sweep.parts.push((part, came));
    }
    sweep
}

impl<T> Sweep<'_, T> {
    /// More failed than may, or it is not known what one of them did.
    pub fn failure(&self) -> Option<String> {
        let count = self.failures().count();
        (count > self.tolerated || (count > 0 && self.in_doubt)).then(|| self.failed())
    }

    /// Those that failed, in words; empty: none did.
    pub fn failed(&self) -> String {
        let count = self.failures().count();
        match self.failures().next() {
            None => String::new(),
            Some((Part(None), why)) => why.to_owned(),
            Some((Part(Some((index, _))), why)) => {
                let all = words::count(self.parts.len(), "item");
                let more = match count {
                    1 => String::new(),
                    _ => format!(" (and {} more)", count - 1),
                };
                format!("{count} of {all} failed: {index}: {why}{more}")
            }
        }
    }

    fn failures(&self) -> impl Iterator<Item = (Part<'_>, &str)> {
        self.parts.iter().filter_map(|(part, came)| match came {
            Came::Failed(why) => Some((*part, why.as_str())),
            _ => None,
        })
    }

    /// Why one of them was not done.
    pub fn left(&self) -> Option<&str> {
        self.parts.iter().find_map(|(_, came)| match came {
            Came::Left(why) => Some(why.as_str()),
            _ => None,
        })
    }

    pub fn done(&self) -> impl Iterator<Item = (Part<'_>, &T)> {
        self.parts.iter().filter_map(|(part, came)| match came {
            Came::Done(done) => Some((*part, done)),
            _ => None,
        })
    }

    /// Of a step with `each`: what came of every item, as later steps see it. `told`: of one that was
    /// done its summary, whether it changed something, and its output.
    pub fn listed(&self, told: impl Fn(Part<'_>, &T) -> (String, bool, Value)) -> Value {
        let mut left = OUTPUTS;
        let items = self.parts.iter().filter_map(|(part, came)| {
            let (index, item) = part.0?;
            let (status, (summary, changed, mut output)) = match came {
                Came::Done(done) => (StepStatus::Ok, told(*part, done)),
                Came::Failed(why) => (StepStatus::Failed, (why.clone(), false, Value::Null)),
                Came::Left(why) => (StepStatus::Skipped, (why.clone(), false, Value::Null)),
            };
            match left.checked_sub(output.to_string().len()) {
                Some(rest) => left = rest,
                None => (output, left) = (Value::Null, 0),
            }
            Some(json!({
                "index": index,
                "item": item,
                "status": status,
                "summary": summary,
                "changed": changed,
                "output": output,
            }))
        });
        Value::Array(items.collect())
    }
}
