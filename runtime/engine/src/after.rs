//! `[[after]]`: when all runs of a round have ended, what looks at them is opened as rounds of its
//! own, with their results in the request. That happens once, whenever a process ends in between:
//! the journal keeps a round as one to conclude until it has opened them.

use std::collections::BTreeSet;
use std::sync::Arc;

use evenkeel_model::name::{AssetId, CustomerId, RoundId, RunId};
use evenkeel_model::run::{Ended, Event, Occurrence, Over, Request, Summary};
use evenkeel_model::runbook::Runbook;
use serde_json::Value;
use tracing::{error, warn};

use crate::engine::Engine;
use crate::port::{JournalError, NewRound, NewRun};
use crate::run::Run;
use crate::trigger::{self, Start};

/// Bytes that the outputs of the steps of all runs take up as JSON; those of later runs are left
/// out, and their summaries stay.
pub(crate) const OUTPUTS: usize = 256 << 10;
/// Runs that are looked at; of a larger round it is the first ones.
const MOST: usize = 10_000;

impl Engine {
    /// Rounds that an earlier process drove to their end, and no further.
    pub(crate) async fn conclude_left(self: &Arc<Self>) -> Result<(), JournalError> {
        for round in self.ports.journal.to_conclude().await? {
            if !self.registry.has_round(round) {
                self.conclude(round).await;
            }
        }
        Ok(())
    }

    /// If that can't be written now, the next start finds it.
    pub(crate) async fn conclude(self: &Arc<Self>, round: RoundId) {
        if let Err(cause) = self.open_after(round).await {
            error!(round = round.0, %cause, "what comes after the round can't be opened for now");
            self.unwritten.notify_one();
        }
    }

    async fn open_after(self: &Arc<Self>, round: RoundId) -> Result<(), JournalError> {
        let after = self.ports.journal.after(round).await?;
        if after.is_none_or(|after| !after.pending) {
            return Ok(());
        }
        let home = self.home();
        let runs = self.runs_of(round).await?;
        let Some((request, ended)) = self.results(&runs).await? else {
            return Ok(());
        };
        let runbook = match self.text_of(&home, &request, &[]).await? {
            Ok(runbook) => runbook,
            Err(why) => {
                warn!(round = round.0, why, "nothing comes after the round");
                self.ports
                    .journal
                    .conclude(round, Vec::new(), self.ports.clock.now())
                    .await?;
                return Ok(());
            }
        };
        let starts = match runs.iter().any(|run| run.started_at.is_some()) {
            true => starts(&runbook, &request, &ended),
            // Every run was refused: there is nothing to look at.
            false => Vec::new(),
        };
        let now = self.ports.clock.now();
        let rounds = starts.iter().map(|start| start.round.clone()).collect();
        let _opening = self.opening.read().await;
        let opened = self.ports.journal.conclude(round, rounds, now).await?;
        for (start, opened) in starts.into_iter().zip(&opened) {
            self.set_off(start, opened, Arc::clone(&home), now);
        }
        Ok(())
    }

    /// What the round was asked for, and what its runs came to; none: not all have ended.
    async fn results(&self, runs: &[Summary]) -> Result<Option<(Request, Vec<Ended>)>, JournalError> {
        let (mut first, mut results, mut left) = (None, Vec::new(), OUTPUTS);
        for summary in runs.iter().take(MOST) {
            let events = self.ports.journal.events(summary.run).await?.unwrap_or_default();
            let Some(ended) = ended(summary, &events, &mut left) else {
                return Ok(None);
            };
            first = first.or_else(|| Run::fold(&events).request);
            results.push(ended);
        }
        Ok(first.map(|request| (request, results)))
    }
}

pub(crate) fn ended(summary: &Summary, events: &[Event], left: &mut usize) -> Option<Ended> {
    let run = Run::fold(events);
    let steps = run.steps.into_iter().filter_map(|(id, step)| Some((id, step.result?)));
    let mut ended = Ended {
        run: summary.run,
        target: summary.target.clone(),
        customer: summary.customer.clone(),
        verdict: summary.verdict?,
        changed: summary.changed,
        why: summary.why.clone(),
        steps: steps.collect(),
    };
    for result in ended.steps.values_mut() {
        let size = serde_json::to_string(&result.output).map_or(usize::MAX, |json| json.len());
        match left.checked_sub(size) {
            Some(rest) => *left = rest,
            None => (result.output, *left) = (Value::Null, 0),
        }
    }
    Some(ended)
}

fn starts(runbook: &Arc<Runbook>, request: &Request, ended: &[Ended]) -> Vec<Start> {
    let customers: BTreeSet<&CustomerId> = ended.iter().filter_map(|run| run.customer.as_ref()).collect();
    let over_customers = customers.into_iter().map(|customer| {
        let theirs = ended.iter().filter(|run| run.customer.as_ref() == Some(customer));
        run(Some(customer), theirs.cloned().collect())
    });
    let parts = [
        (Over::Round, vec![run(None, ended.to_vec())]),
        (Over::Customer, over_customers.collect()),
    ];
    let wanted = parts.into_iter().filter(|(over, runs)| {
        let mut steps = runbook.after.iter();
        !runs.is_empty() && steps.any(|(of, _)| of == over)
    });
    let above = above(request, ended);
    wanted
        .map(|(over, runs)| start(runbook, request, (over, above.clone()), runs))
        .collect()
}

fn run(customer: Option<&CustomerId>, runs: Vec<Ended>) -> NewRun {
    NewRun {
        target: Some(AssetId::from("local")),
        customer: customer.cloned(),
        batch: 0,
        runs,
    }
}

/// The first run of the round is above it, if a step had that run: so that nothing goes on for ever
/// through it.
fn above(request: &Request, ended: &[Ended]) -> Vec<RunId> {
    let first = ended.iter().map(|ended| ended.run).min();
    let above = request.occurrence.above();
    let first = first.filter(|_| !above.is_empty());
    above.iter().copied().chain(first).collect()
}

fn start(runbook: &Arc<Runbook>, request: &Request, (over, above): (Over, Vec<RunId>), targets: Vec<NewRun>) -> Start {
    let occurrence = Occurrence::After {
        runbook: runbook.name.clone(),
        round: request.round,
        over,
        above,
    };
    let part = runbook.part(&occurrence);
    let round = NewRound {
        mode: request.mode,
        alert: request.alert.clone(),
        input: request.input.clone(),
        override_freeze: request.override_freeze.clone(),
        asked_by: request.person().cloned(),
        ..trigger::round(&part, occurrence, targets)
    };
    Start { runbook: part, round }
}
