//! Runs that a step asks for: opened once, waited for, stopped and undone with the run above them.

use std::time::Duration;

use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Ended, Event, Occurrence, Verdict};
use evenkeel_model::runbook::{DEEPEST, MOST_BELOW};

use super::run::Course;
use crate::after::{self, OUTPUTS};
use crate::decide::{Awaited, SubRun, Subject};
use crate::port::{JournalError, Opened};
use crate::run::{Child, Run};
use crate::trigger;
use crate::undo::{self, UndoError, UndoRequest};

/// A run that this process does not drive is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Course {
    /// Opens it, unless an earlier process has.
    pub(super) async fn open_run(
        &mut self,
        sub: SubRun,
        subject: &Result<Subject, String>,
        mark: u64,
    ) -> Result<(), JournalError> {
        let (step, item) = (sub.step.clone(), sub.item);
        if !sub.intended {
            let intended = Body::RunIntended {
                step,
                item,
                runbook: sub.runbook,
                input: sub.input,
            };
            return self.live.recorder.append_after(mark, vec![intended]).await.map(drop);
        }
        let stopped = sub.stop.is_some();
        let body = match self.find_or_open(sub, subject).await? {
            Ok(run) => Body::RunOpened { step, item, run },
            Err(why) => Body::RunRefused {
                step,
                item,
                why,
                stopped,
            },
        };
        // Whatever has been said meanwhile: it is open.
        self.live.recorder.append(vec![body]).await
    }

    async fn find_or_open(
        &self,
        sub: SubRun,
        subject: &Result<Subject, String>,
    ) -> Result<Result<RunId, String>, JournalError> {
        let name = &sub.runbook;
        let Some(request) = self.live.recorder.read(|run| run.request.clone()) else {
            return Ok(Err("the run has no request".to_owned()));
        };
        let above: Vec<RunId> = [request.occurrence.above(), &[self.live.id]].concat();
        let occurrence = Occurrence::Step {
            runbook: name.clone(),
            run: self.live.id,
            step: sub.step,
            item: sub.item,
            above: above.clone(),
        };
        if let Some(round) = self.engine.ports.journal.round_of(&occurrence).await? {
            return self.only_run_of(round).await;
        }
        if let Some(why) = sub.stop {
            return Ok(Err(why));
        }
        let subject = match subject {
            Ok(subject) => subject,
            Err(why) => return Ok(Err(why.clone())),
        };
        let Some(runbook) = subject.home.runbooks.get(name) else {
            return Ok(Err(format!("the home has no runbook `{name}` any more")));
        };
        if above.len() > DEEPEST {
            return Ok(Err(format!(
                "`{name}` would be run {} below run {}, and {DEEPEST} is the deepest",
                above.len(),
                above[0]
            )));
        }
        let root = above[0];
        // So that no two are counted as one.
        let _counting = self.engine.counting.lock().await;
        let below = self.engine.ports.journal.below(root).await?;
        if below >= MOST_BELOW {
            return Ok(Err(format!(
                "run {root} has {below} runs below it, and no more are opened"
            )));
        }
        let start = match trigger::from_step(runbook, occurrence, &request, &sub.input, &subject.home) {
            Ok(start) => start,
            Err(why) => return Ok(Err(format!("`{name}`: {why}"))),
        };
        match self.engine.open(start, subject.home.clone()).await? {
            Opened::New(_, runs) => Ok(runs.first().copied().ok_or_else(|| format!("`{name}` has no run"))),
            Opened::Known(round) => self.only_run_of(round).await,
        }
    }

    async fn only_run_of(&self, round: RoundId) -> Result<Result<RunId, String>, JournalError> {
        let runs = self.engine.runs_of(round).await?;
        let run = runs.first().map(|run| run.run);
        Ok(run.ok_or_else(|| format!("round {round} has no run")))
    }

    /// True: what came of it was recorded.
    pub(super) async fn look_at(&self, awaited: &Awaited) -> Result<bool, JournalError> {
        let run = awaited.run;
        if let Some(live) = self.engine.registry.get(run) {
            self.pass_on(
                awaited,
                live.recorder.read(|run| (run.cancel.is_some(), run.killed.is_some())),
            )
            .await;
            return Ok(false);
        }
        let journal = &self.engine.ports.journal;
        let Some(summary) = journal.run(run).await?.filter(|summary| summary.finished_at.is_some()) else {
            return Ok(false);
        };
        let stopped = awaited.stop.is_some() || awaited.kill.is_some();
        if awaited.undo && !stopped && !self.live.recorder.read(|run| is_undo_intended(run, awaited)) {
            let (step, item) = (awaited.step.clone(), awaited.item);
            let intended = Body::RunUndoIntended { step, item };
            return self.live.recorder.append(vec![intended]).await.map(|()| true);
        }
        // A person looks, and it goes on.
        if summary.verdict == Some(Verdict::Unknown) && !stopped {
            return Ok(false);
        }
        let events = journal.events(run).await?.unwrap_or_default();
        let items = self
            .live
            .recorder
            .read(|run| run.items(&awaited.step).map_or(1, <[_]>::len));
        let Some(ended) = after::ended(&summary, &events, &mut (OUTPUTS / items.max(1))) else {
            return Ok(false);
        };
        let body = match awaited.undo {
            false => Some(Body::RunEnded {
                step: awaited.step.clone(),
                item: awaited.item,
                ended: Box::new(ended),
            }),
            true => self.undone(awaited, &events, ended).await?,
        };
        match body {
            Some(body) => self.live.recorder.append(vec![body]).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// What came of it when it was to be undone; none: it is under way.
    async fn undone(&self, awaited: &Awaited, events: &[Event], ended: Ended) -> Result<Option<Body>, JournalError> {
        let asked_at = Run::fold(events).undo_asked_at();
        let since = self.live.recorder.read(Run::undoes_since);
        let tried = asked_at.is_some_and(|at| since.is_none_or(|since| at >= since));
        let stopped = awaited.stop.is_some() || awaited.kill.is_some();
        let outcome = match tried || ended.verdict == Verdict::Undone {
            true => Some((ended.verdict, ended.why)),
            false if stopped => Some((Verdict::Cancelled, "it was not begun any more".to_owned())),
            false => self.undo(awaited.run).await?,
        };
        Ok(outcome.map(|(verdict, why)| Body::RunUndone {
            step: awaited.step.clone(),
            item: awaited.item,
            verdict,
            why,
        }))
    }

    /// Whoever stops a run stops what it waits for.
    async fn pass_on(&self, awaited: &Awaited, (cancelled, killed): (bool, bool)) {
        // It may have ended by now, or its journal is broken: then it does nothing any more.
        let _ = match (&awaited.kill, &awaited.stop) {
            (Some((who, why)), _) if !killed => self.engine.kill(awaited.run, who, why).await,
            (None, Some(why)) if !cancelled => {
                let why = format!("run {} stops: {why}", self.live.id);
                self.engine.cancel(awaited.run, &why).await
            }
            _ => Ok(()),
        };
    }

    /// None: it is under way. Otherwise it can't be undone, and why.
    async fn undo(&self, run: RunId) -> Result<Option<(Verdict, String)>, JournalError> {
        let (own, request) = self.live.recorder.read(|run| {
            let request = run.request.as_ref();
            (
                run.undo.clone(),
                request.and_then(|request| request.override_freeze.clone()),
            )
        });
        let (who, why, override_freeze) = match own {
            Some(own) => (own.who, own.why, own.override_freeze.or(request)),
            None => (String::new(), String::new(), request),
        };
        let above = format!("with run {}", self.live.id);
        let asked = UndoRequest {
            who: if who.is_empty() {
                format!("run {}", self.live.id)
            } else {
                who
            },
            why: if why.is_empty() {
                above
            } else {
                format!("{above}: {why}")
            },
            override_freeze,
            despite_later: true,
        };
        match self.engine.undo(run, asked).await {
            Ok(()) | Err(UndoError::UnderWay(_) | UndoError::Draining) => Ok(None),
            Err(UndoError::Journal(error)) => Err(error),
            Err(UndoError::Nothing {
                why: why @ undo::ALREADY,
                ..
            }) => Ok(Some((Verdict::Undone, why.to_owned()))),
            Err(error @ UndoError::InDoubt(_)) => Ok(Some((Verdict::Unknown, error.to_string()))),
            Err(error) => Ok(Some((Verdict::Failed, error.to_string()))),
        }
    }

    /// Ends when one of them may have.
    pub(super) async fn any_ended(&self, awaited: &[Awaited]) {
        let each = awaited.iter().map(|awaited| {
            Box::pin(async move {
                match self.engine.registry.get(awaited.run) {
                    // The sender lives as long as `live`.
                    Some(live) => drop(live.left.subscribe().wait_for(|left| *left).await),
                    None => tokio::time::sleep(LOOK_EVERY).await,
                }
            })
        });
        let each: Vec<_> = each.collect();
        match each.is_empty() {
            true => std::future::pending().await,
            false => drop(futures::future::select_all(each).await),
        }
    }
}

fn is_undo_intended(run: &Run, awaited: &Awaited) -> bool {
    run.child(&awaited.step, awaited.item)
        .is_some_and(Child::is_being_undone)
}
