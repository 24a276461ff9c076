//! Steps that run other runbooks, against those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Read, Scope};
use crate::authored::step::Step as Authored;
use crate::authored::{At, Reader};
use crate::name::RunbookName;
use crate::problem::{File, Problem};
use crate::runbook::{Does, InputKind, Runbook, Selector};
use crate::template::is_template;

/// `others` are of the home, besides what is checked.
pub(super) fn check(
    runbooks: &[Read<'_>],
    others: &BTreeMap<RunbookName, Arc<Runbook>>,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut known: BTreeMap<&str, Option<&Runbook>> = BTreeMap::new();
    known.extend(others.iter().map(|(name, runbook)| (name.as_str(), Some(&**runbook))));
    for (_, authored, checked) in runbooks {
        if let Some(name) = authored.as_ref().and_then(|authored| authored.name.as_ref()) {
            known.insert(name.get_ref(), checked.as_ref());
        }
    }
    for (file, authored, checked) in runbooks {
        let reader = Reader::new(File { ..*file });
        let steps = authored.iter().flat_map(|authored| {
            let after = authored.after.iter().map(|(_, step)| (step, true));
            authored.steps.iter().map(|step| (step, false)).chain(after)
        });
        for (step, is_after, runs) in steps.filter_map(|(step, after)| Some((step, after, step.runs.as_ref()?))) {
            match known.get(runs.get_ref().as_str()) {
                None => refuse_unknown(&reader, runs, known.keys().copied()),
                Some(None) => {}
                Some(Some(wanted)) => {
                    check_inputs(&reader, step, wanted);
                    if let Some(checked) = checked {
                        let select = checked.targets.select.as_ref().filter(|_| !is_after);
                        check_targets(&reader, runs, select, wanted, scope);
                        if step.when.is_none() && step.each.is_none() {
                            refuse_endless(&reader, runs, checked, &known);
                        }
                    }
                }
            }
        }
        problems.extend(reader.into_problems());
    }
}

fn refuse_unknown<'n>(reader: &Reader<'_>, runs: &At<String>, known: impl Iterator<Item = &'n str>) {
    let message = format!("the home has no runbook `{}`", runs.get_ref());
    let problem = reader.file.problem("unknown-runbook", runs.span(), message);
    reader.say(
        problem
            .suggest(runs.get_ref(), known)
            .help("`runs` takes the `name` of a runbook"),
    );
}

/// `with` is what it takes.
fn check_inputs(reader: &Reader<'_>, step: &Authored, wanted: &Runbook) {
    let Some(with) = step.with.as_ref() else { return };
    let given = with.value.as_object().cloned().unwrap_or_default();
    for (name, value) in &given {
        let place = with.place.at(std::slice::from_ref(name));
        let Some(input) = wanted.inputs.iter().find(|input| input.name == *name) else {
            let span = place.key.clone().unwrap_or(place.value.clone());
            let message = format!("`{}` takes no input `{name}`", wanted.name);
            let inputs = wanted.inputs.iter().map(|input| input.name.as_str());
            let problem = reader.file.problem("unknown-input", span, message);
            reader.say(
                problem
                    .suggest(name, inputs)
                    .help("`with` gives it values for its `[[input]]`"),
            );
            continue;
        };
        let is_filled = value.as_str().is_some_and(is_template);
        if let Some(expected) = input.kind.refuses(value).filter(|_| !is_filled) {
            let message = format!("input `{name}` of `{}` is {expected}", wanted.name);
            let problem = reader.file.problem("wrong-type", place.value.clone(), message);
            reader.say(problem.help(format!("write {expected}")));
        }
    }
    let missing = wanted.inputs.iter().filter(|input| input.default.is_none());
    for input in missing.filter(|input| !given.contains_key(&input.name)) {
        let message = format!("`{}` needs its input `{}`", wanted.name, input.name);
        let problem = reader.file.problem("missing-input", with.place.value.clone(), message);
        reader.say(problem.help(format!("give it: `with.{} = …`", input.name)));
    }
}

/// What it selects are its targets whoever runs it.
fn check_targets(reader: &Reader<'_>, runs: &At<String>, on: Option<&Selector>, wanted: &Runbook, scope: &Scope<'_>) {
    let Some(select) = &wanted.targets.select else { return };
    let all = scope.assets.assets.values();
    let mut targets = all.filter(|asset| match on {
        Some(select) => select.matches(&asset.selectable()),
        None => asset.id.as_str() == super::assets::LOCAL,
    });
    if let Some(left_out) = targets.find(|asset| !select.matches(&asset.selectable())) {
        let message = format!(
            "`{}` does not select asset `{}`, and this runbook does",
            wanted.name, left_out.id
        );
        let problem = reader.file.problem("other-target", runs.span(), message);
        reader.say(
            problem.label(format!("it selects `{}`", select.text)).help(
                "it runs on the same asset: let it select all that this runbook selects, or nothing, for `local`",
            ),
        );
    }
}

/// A way back to itself on which nothing decides whether it is gone again.
fn refuse_endless(reader: &Reader<'_>, runs: &At<String>, from: &Runbook, known: &BTreeMap<&str, Option<&Runbook>>) {
    let always = |runbook: &Runbook| -> Vec<RunbookName> {
        let steps = runbook
            .all_steps()
            .filter(|step| step.when.is_none() && step.each.is_none());
        let runs = steps.filter_map(|step| match &step.does {
            Does::Runbook(name) => Some(name.clone()),
            Does::Plugin(_) => None,
        });
        runs.collect()
    };
    let wanted = RunbookName::from(runs.get_ref().as_str());
    let (mut seen, mut next) = (BTreeSet::new(), vec![wanted]);
    while let Some(name) = next.pop() {
        if name == from.name {
            let message = format!("`{}` runs itself again without an end", from.name);
            let problem = reader.file.problem("endless", runs.span(), message);
            reader.say(problem.help("a `when` has to say when it is enough"));
            return;
        }
        if seen.insert(name.clone())
            && let Some(Some(runbook)) = known.get(name.as_str())
        {
            next.extend(always(runbook));
        }
    }
}

impl InputKind {
    /// What it takes instead of such a value.
    fn refuses(self, value: &serde_json::Value) -> Option<&'static str> {
        let (fits, expected) = match self {
            Self::String => (value.is_string(), "a string"),
            Self::Integer => (value.is_i64(), "an integer"),
            Self::Number => (value.is_number(), "a number"),
            Self::Boolean => (value.is_boolean(), "`true` or `false`"),
        };
        (!fits).then_some(expected)
    }
}
