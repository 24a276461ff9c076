//! How a round goes over its targets: in batches, within each customer's bound, until it is
//! through or too many have failed. Pure.
//!
//! A runbook that may ask for an approval plans ahead: all runs of its round make their checks and
//! plans at once, so that one person can look at all of them together, and a run waits for its turn
//! before it applies anything. Otherwise a run waits for its turn before it starts.

use std::collections::BTreeMap;

use evenkeel_model::name::{CustomerId, RunId};
use evenkeel_model::plugin::Kind;
use evenkeel_model::run::Verdict;
use evenkeel_model::runbook::{Runbook, Step, Targets};

use crate::words;

/// One run of a round.
#[derive(Clone, Debug)]
pub struct Member {
    pub run: RunId,
    pub customer: Option<CustomerId>,
    /// From 0.
    pub batch: u32,
    pub progress: Progress,
    /// Somebody wants it to stop: it need not wait for its turn to do so.
    pub cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its turn has not come.
    Held,
    /// It had started when an earlier process left it, and nobody drives it yet. It goes on
    /// whatever has become of the others: it may be in the middle of a change.
    Begun,
    /// It looks and plans ahead of its turn, or waits for an approval.
    Ahead,
    /// It has planned, and waits for its turn to apply.
    AtTurn,
    /// At its gates or at work.
    Driven,
    /// This process left it before its end; another start goes on with it.
    Left,
    Finished(Verdict),
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next {
    pub start: Vec<RunId>,
    /// Runs whose turn it is to apply.
    pub turn: Vec<RunId>,
    /// Runs that must wait, and for what.
    pub hold: Vec<(RunId, String)>,
    /// Why the runs that were held are refused, and those that planned ahead are cancelled, once
    /// too many have failed.
    pub refuse: Option<String>,
}

/// Whether the runs of a round plan ahead of their turn.
pub fn plans_ahead(runbook: &Runbook) -> bool {
    let asks = |step: &Step| step.ask_from.is_some() && step.kind() == Some(Kind::Remedy);
    runbook.steps.iter().any(asks)
}

/// A failure is a run that did not do what it set out to do, or whose end nobody knows. An
/// `unhealthy` target is not one (the run was to find that out), nor is a run that was refused,
/// rejected or cancelled: those say something about rules and people, not about the change.
pub fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failed | Verdict::NotRepaired | Verdict::Unknown)
}

/// The runs that may start, or apply. A batch starts when every run of the ones before has finished;
/// once `stop_after` runs have failed, nothing starts any more. Neither holds up what had started.
pub fn next(members: &[Member], targets: &Targets, ahead: bool) -> Next {
    let failed = members.iter().filter(|member| failed(member)).count();
    if failed >= targets.stop_after.get() as usize {
        return Next {
            start: [begun(members), cancelled(members)].concat(),
            refuse: Some(format!(
                "{} of this round failed (`stop_after = {}`)",
                words::count(failed, "run"),
                targets.stop_after
            )),
            ..Next::default()
        };
    }
    let mut next = Next {
        start: begun(members),
        ..Next::default()
    };
    let mut busy = busy(members);
    let batch = current_batch(members);
    for member in members {
        let go = match (member.progress, ahead) {
            (Progress::Held, true) => {
                next.start.push(member.run);
                continue;
            }
            (Progress::Held, false) => &mut next.start,
            (Progress::AtTurn, _) => &mut next.turn,
            _ => continue,
        };
        match held_by(member, batch, &busy, targets) {
            Some(why) if !member.cancelled => next.hold.push((member.run, why)),
            _ => {
                *busy.entry(member.customer.clone()).or_default() += 1;
                go.push(member.run);
            }
        }
    }
    next
}

fn held_by(member: &Member, batch: u32, busy: &BTreeMap<Option<CustomerId>, u32>, targets: &Targets) -> Option<String> {
    if member.batch > batch {
        return Some(format!(
            "batch {} starts when batch {} is through",
            member.batch + 1,
            member.batch
        ));
    }
    let bound = targets.per_customer?;
    let at_work = busy.get(&member.customer).copied().unwrap_or(0);
    let customer = member.customer.as_ref()?;
    (at_work >= bound.get())
        .then(|| format!("`per_customer = {bound}`, and as many of customer `{customer}` are under way"))
}

/// The first batch that is not through.
fn current_batch(members: &[Member]) -> u32 {
    let open = members
        .iter()
        .filter(|member| !matches!(member.progress, Progress::Finished(_)));
    open.map(|member| member.batch).min().unwrap_or(0)
}

fn busy(members: &[Member]) -> BTreeMap<Option<CustomerId>, u32> {
    let mut busy = BTreeMap::new();
    let at_work = |member: &&Member| matches!(member.progress, Progress::Driven | Progress::Begun);
    for member in members.iter().filter(at_work) {
        *busy.entry(member.customer.clone()).or_default() += 1;
    }
    busy
}

fn failed(member: &Member) -> bool {
    matches!(member.progress, Progress::Finished(verdict) if is_failure(verdict))
}

fn begun(members: &[Member]) -> Vec<RunId> {
    let begun = members.iter().filter(|member| member.progress == Progress::Begun);
    begun.map(|member| member.run).collect()
}

fn cancelled(members: &[Member]) -> Vec<RunId> {
    let held = members.iter().filter(|member| member.progress == Progress::Held);
    held.filter(|member| member.cancelled)
        .map(|member| member.run)
        .collect()
}
