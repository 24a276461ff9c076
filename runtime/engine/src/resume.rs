//! Goes on with what an earlier process left.

use std::collections::BTreeSet;
use std::sync::Arc;

use evenkeel_model::check;
use evenkeel_model::home::Home;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::plugin::Pinned;
use evenkeel_model::run::{Mode, Request, Summary, Verdict};
use evenkeel_model::runbook::Runbook;
use tracing::{error, info, warn};

use crate::drive::round::{Crew, Round};
use crate::engine::Engine;
use crate::live::{Holder, Live, Taken};
use crate::port::{JournalError, RunFilter};
use crate::rounds::Progress;
use crate::run::Run;

/// Runs that are read at a time.
const PAGE: usize = 1_000;

impl Engine {
    /// Takes on every run that has not finished and that this process doesn't drive already.
    /// Those that had started hold their target before anything else may ask for it.
    ///
    /// A run keeps the text that it started with, which is checked against the home as it is now.
    /// If it fits no more, the run ends as `failed`, or as `unknown` if it is in doubt, and says so.
    ///
    /// A run that can't be read is left as it is, and the others go on without it.
    ///
    /// # Errors
    /// It can't be read which runs there are; nothing was taken on.
    pub async fn resume(self: &Arc<Self>) -> Result<usize, JournalError> {
        let no_other = self.opening.write().await;
        self.read_holds().await?;
        let unfinished = self.ports.journal.unfinished().await?;
        let left: BTreeSet<RunId> = unfinished.iter().map(|run| run.run).collect();
        let is_over = |run| !left.contains(&run) && self.registry.get(run).is_none();
        self.slots.free(is_over);
        self.berths.free(is_over);
        let ids: BTreeSet<RoundId> = unfinished.iter().map(|run| run.round).collect();
        let home = self.home();
        let mut rounds = Vec::new();
        for id in ids {
            if !self.registry.has_round(id) {
                rounds.extend(self.gather(id, &home).await);
            }
        }
        let resumed = rounds.len();
        for round in rounds {
            self.begin(round);
        }
        if resumed > 0 {
            info!(rounds = resumed, "going on with what was left");
        }
        drop(no_other);
        self.conclude_left().await?;
        Ok(resumed)
    }

    /// None: there is nothing of it that can be gone on with.
    async fn gather(self: &Arc<Self>, id: RoundId, home: &Arc<Home>) -> Option<Round> {
        let runs = match self.runs_of(id).await {
            Ok(runs) => runs,
            Err(cause) => {
                error!(round = id.0, %cause, "a round can't be read; its runs are left as they are for now");
                return None;
            }
        };
        let (mut others, mut crew) = (Vec::new(), Vec::new());
        for summary in runs {
            let progress = match ended(&summary) {
                Some(verdict) => Progress::Finished(verdict),
                None => match self.reread(summary.run).await {
                    Some(fold) => {
                        crew.push(self.crew(summary.run, id, fold));
                        continue;
                    }
                    None => Progress::Left,
                },
            };
            others.push((summary.run, progress));
        }
        let request = crew
            .first()
            .and_then(|crew| crew.live.recorder.read(|run| run.request.clone()))?;
        let pins: Vec<Pinned> = crew
            .iter()
            .flat_map(|crew| crew.live.recorder.read(Run::pins))
            .collect();
        let runbook = match self.text_of(home, &request, &pins).await {
            Ok(runbook) => runbook,
            Err(cause) => {
                error!(round = id.0, %cause, "a round's text can't be read; its runs are left as they are for now");
                crew.iter().for_each(|crew| self.registry.remove(crew.live.id));
                return None;
            }
        };
        Some(Round::resumed(id, runbook, Arc::clone(home), crew, &others))
    }

    pub(crate) fn crew(&self, run: RunId, round: RoundId, fold: Run) -> Crew {
        let live = self.take_on(run, round, fold, true);
        let taken = self.retake(&live);
        Crew { live, taken }
    }

    /// What the disk says of a run; none: nothing that could be gone on with.
    async fn reread(&self, run: RunId) -> Option<Run> {
        match self.ports.journal.take_on(run).await {
            Ok(events) => {
                let fold = Run::fold(events.iter().flatten());
                if fold.request.is_none() {
                    error!(
                        run = run.0,
                        "the run does not begin with a request; it is left as it is"
                    );
                }
                fold.request.is_some().then_some(fold)
            }
            Err(cause) => {
                error!(run = run.0, %cause, "the run can't be read; it is left as it is for now");
                None
            }
        }
    }

    /// Oldest first.
    pub(crate) async fn runs_of(&self, round: RoundId) -> Result<Vec<Summary>, JournalError> {
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

    /// The text that a run started with, its steps being those of `pins` where these say so. The
    /// inner error is for the run: it can't go on with it.
    pub(crate) async fn text_of(
        &self,
        home: &Home,
        request: &Request,
        pins: &[Pinned],
    ) -> Result<Result<Arc<Runbook>, String>, JournalError> {
        if let Some(runbook) = home.runbooks.get(&request.runbook)
            && runbook.hash == request.text
            && pins
                .iter()
                .all(|pin| runbook.all_steps().any(|step| step.plugin() == Some(pin)))
        {
            return Ok(Ok(runbook.part(&request.occurrence)));
        }
        let text = self.ports.journal.text(&request.text).await?;
        Ok(match text {
            Some(text) => checked_again(home, request, &text, pins).map(|runbook| runbook.part(&request.occurrence)),
            None => Err(format!("the text of the runbook `{}` is lost", request.runbook)),
        })
    }

    /// The target of a run that had started. One that waits for others, or for people, has none: what this process kept for it
    /// when its journal failed is free again.
    fn retake(&self, live: &Live) -> Option<Taken> {
        let (target, runbook, only_waits) = live.recorder.read(|run| {
            let request = run.request.as_ref().filter(|request| request.mode == Mode::Live)?;
            run.started_at?;
            Some((request.target.clone()?, request.runbook.clone(), run.only_waits()))
        })?;
        if only_waits {
            let is_it = |run| run == live.id;
            self.slots.free(is_it);
            self.berths.free(is_it);
            return None;
        }
        let berth = self.berths.retake(&runbook, live.id);
        let taken = self.slots.of(&target).take(Holder { run: live.id, runbook });
        if taken.is_none() {
            warn!(run = live.id.0, %target, "another run is at work on the same target; this one waits for it");
        }
        taken.map(|taken| taken.with(Some(berth)).begun())
    }
}

fn ended(summary: &Summary) -> Option<Verdict> {
    summary.verdict.filter(|_| summary.finished_at.is_some())
}

/// The text of then, checked against the home of now.
fn checked_again(home: &Home, request: &Request, text: &str, pins: &[Pinned]) -> Result<Arc<Runbook>, String> {
    let file = match home.runbooks.get(&request.runbook) {
        Some(runbook) => runbook.file.clone(),
        None => format!("runbooks/{}.toml", request.runbook),
    };
    check::again(home, &file, text, pins).map(Arc::new).map_err(|problem| {
        format!(
            "the runbook `{}` is another one by now, and the text that the run started with fits no more: {}",
            request.runbook, problem.message
        )
    })
}
