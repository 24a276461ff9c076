//! `needs` of the steps of a runbook: which have their results before which begin.

use std::collections::BTreeSet;

use crate::authored::step::Step;
use crate::authored::{At, Reader};
use crate::name::StepId;
use crate::problem::Problem;

/// Of steps that are done together: what each waits for, directly.
pub(super) struct Needs<'r> {
    ids: Vec<&'r str>,
    /// By their places, which are smaller than the step's own.
    direct: Vec<BTreeSet<usize>>,
}

impl<'r> Needs<'r> {
    /// Says what can't be waited for, and leaves it out.
    pub(super) fn read(reader: &Reader<'_>, steps: &[&'r Step]) -> Self {
        let ids: Vec<&str> = steps.iter().map(|step| step.written_id()).collect();
        let direct = steps.iter().enumerate().map(|(at, step)| match &step.needs {
            Some(needs) => needs.iter().filter_map(|need| place(reader, &ids, at, need)).collect(),
            None => at.checked_sub(1).into_iter().collect(),
        });
        Self {
            direct: direct.collect(),
            ids,
        }
    }

    pub(super) fn of(&self, at: usize) -> Vec<StepId> {
        self.direct[at].iter().map(|need| self.ids[*need].into()).collect()
    }

    /// All that has its result before the step at this place begins; behind the last: all.
    pub(super) fn before(&self, at: usize) -> BTreeSet<&'r str> {
        let Some(direct) = self.direct.get(at) else {
            return self.ids.iter().copied().collect();
        };
        let mut before = direct.clone();
        for earlier in (0..at).rev() {
            if before.contains(&earlier) {
                before.extend(&self.direct[earlier]);
            }
        }
        before.into_iter().map(|place| self.ids[place]).collect()
    }
}

fn place(reader: &Reader<'_>, ids: &[&str], at: usize, need: &At<String>) -> Option<usize> {
    let wanted = need.get_ref().as_str();
    let found = ids.iter().position(|id| *id == wanted && !wanted.is_empty());
    let problem = |code, message| reader.file.problem(code, need.span(), message);
    let refusal: Problem = match found {
        Some(place) if place < at => return Some(place),
        Some(place) if place == at => {
            problem("later-step", format!("step `{wanted}` waits for itself")).help("leave it out")
        }
        Some(_) => problem("later-step", format!("step `{wanted}` comes later"))
            .help("a step waits for those above it: move it below what it needs"),
        None => problem("unknown-step", format!("there is no step `{wanted}`"))
            .suggest(wanted, ids[..at].iter().copied())
            .help("`needs` names steps above this one"),
    };
    reader.say(refusal);
    None
}
