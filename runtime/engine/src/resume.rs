//! Goes on with what an earlier process left.

use std::collections::BTreeSet;
use std::sync::Arc;

use evenkeel_model::home::Home;
use evenkeel_model::name::RoundId;
use evenkeel_model::run::{Mode, Request, Summary, Verdict};
use evenkeel_model::runbook::Runbook;
use tracing::{info, warn};

use crate::drive::round::{Crew, Round};
use crate::engine::Engine;
use crate::live::{Holder, Live, Taken};
use crate::port::{JournalError, RunFilter};
use crate::run::Run;

/// Runs that are read at a time.
const PAGE: usize = 1_000;

impl Engine {
    /// Takes on every run that has not finished and that this process doesn't drive already.
    /// Those that had started hold their target before anything else may ask for it.
    ///
    /// A run keeps the text that it started with. If the home has another one by now (or none),
    /// there is no checked form of the old one to go on with: the run ends as `failed`, or as
    /// `unknown` if it is in doubt, and says so.
    pub async fn resume(self: &Arc<Self>) -> Result<usize, JournalError> {
        let _no_other = self.opening.write().await;
        let unfinished = self.ports.journal.unfinished().await?;
        let ids: BTreeSet<RoundId> = unfinished.iter().map(|run| run.round).collect();
        let home = self.home();
        let mut rounds = Vec::new();
        for id in ids {
            if !self.registry.has_round(id) {
                rounds.extend(self.gather(id, &home).await?);
            }
        }
        let resumed = rounds.len();
        for round in rounds {
            self.begin(round);
        }
        if resumed > 0 {
            info!(rounds = resumed, "going on with what was left");
        }
        Ok(resumed)
    }

    async fn gather(self: &Arc<Self>, id: RoundId, home: &Arc<Home>) -> Result<Option<Round>, JournalError> {
        let mut finished: Vec<_> = Vec::new();
        let mut crew = Vec::new();
        for summary in self.runs_of(id).await? {
            if let Some(verdict) = ended(&summary) {
                finished.push((summary.run, verdict));
            } else if let Some(events) = self.ports.journal.events(summary.run).await? {
                let live = self.take_on(summary.run, id, Run::fold(&events));
                let taken = self.retake(&live);
                crew.push(Crew { live, taken });
            }
        }
        let request = crew
            .iter()
            .find_map(|crew| crew.live.recorder.read(|run| run.request.clone()));
        Ok(request.map(|request| {
            let runbook = same_text(home, &request);
            Round::resumed(id, runbook, Arc::clone(home), crew, &finished)
        }))
    }

    /// Oldest first.
    async fn runs_of(&self, round: RoundId) -> Result<Vec<Summary>, JournalError> {
        let mut runs: Vec<Summary> = Vec::new();
        loop {
            let filter = RunFilter {
                round: Some(round),
                before: runs.last().map(|run| run.run),
                limit: PAGE,
                ..RunFilter::default()
            };
            let page = self.ports.journal.runs(filter).await?;
            let last = page.len() < PAGE;
            runs.extend(page);
            if last {
                runs.reverse();
                return Ok(runs);
            }
        }
    }

    /// The target of a run that had started.
    fn retake(&self, live: &Live) -> Option<Taken> {
        let (target, runbook) = live.recorder.read(|run| {
            let request = run.request.as_ref().filter(|request| request.mode == Mode::Live)?;
            run.started_at?;
            Some((request.target.clone()?, request.runbook.clone()))
        })?;
        let taken = self.slots.of(&target).take(Holder { run: live.id, runbook });
        if taken.is_none() {
            warn!(run = live.id.0, %target, "another run is at work on the same target");
        }
        taken
    }
}

fn ended(summary: &Summary) -> Option<Verdict> {
    summary.verdict.filter(|_| summary.finished_at.is_some())
}

fn same_text(home: &Home, request: &Request) -> Result<Arc<Runbook>, String> {
    match home.runbooks.get(&request.runbook) {
        Some(runbook) if runbook.hash == request.text => Ok(Arc::clone(runbook)),
        Some(_) => Err(format!(
            "the runbook `{}` was edited while no daemon ran; a run goes on with the text that it started with, or not at all",
            request.runbook
        )),
        None => Err(format!("the home has no runbook `{}` any more", request.runbook)),
    }
}
