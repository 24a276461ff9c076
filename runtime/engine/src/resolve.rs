//! A person has looked at an effect that nobody knew of; the run goes on from there.

use std::sync::Arc;

use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Event, Verdict};

use crate::after::{self, OUTPUTS};
use crate::drive::round::Round;
use crate::engine::Engine;
use crate::port::{Durability, JournalError};
use crate::run::{Attempt, Run};

/// What a person found.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The action is done as a whole, by whomever. Otherwise the effect was not made.
    pub done: bool,
    pub who: String,
    pub why: String,
    /// Which action it is about, as `STEP/ACTION`; it has to be said if several are in doubt.
    pub of: Option<String>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("there is no run {0}")]
    Unknown(RunId),
    #[error("run {0} has not finished: what is unknown of it will be told by its end")]
    UnderWay(RunId),
    #[error("run {run} ended as `{verdict}`: there is nothing unknown about it")]
    Known { run: RunId, verdict: Verdict },
    #[error("run {run} is in doubt about {listed}: say which of them was looked at, as --of STEP/ACTION")]
    Several { run: RunId, listed: String },
    #[error("nobody asks about `{of}` of run {run}; it is in doubt about {listed}")]
    NotAsked { run: RunId, of: String, listed: String },
    #[error("run {run} is unknown because run {below} was: look at that one, and resolve it first")]
    Below { run: RunId, below: RunId },
    #[error("the daemon is stopping; ask again when it is back")]
    Draining,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Engine {
    /// Goes on with a run that ended as `unknown`, by a person's word. `done`: the action is taken
    /// for applied, and the next one follows. Not done: an action that was interrupted at the
    /// effect goes on by making it; one that had come to its end failed, and that is now all that
    /// there is to it.
    ///
    /// # Errors
    /// The run is not one whose end is unknown. Nothing was done.
    pub async fn resolve(self: &Arc<Self>, run: RunId, said: Resolution) -> Result<(), ResolveError> {
        if *self.draining.borrow() {
            return Err(ResolveError::Draining);
        }
        let _no_other = self.opening.write().await;
        if self.registry.get(run).is_some() {
            return Err(ResolveError::UnderWay(run));
        }
        let events = self.ports.journal.take_on(run).await?;
        let events = events.ok_or(ResolveError::Unknown(run))?;
        let mut fold = Run::fold(&events);
        let body = match self.known_below(run, &fold, &said).await? {
            Some(body) => body,
            None => resolved(run, &fold, said)?,
        };
        self.append_to(run, &mut fold, body).await?;
        Ok(self.go_on(run, fold).await?)
    }

    /// What is known by now of a run below that was unknown; none: that is not what is in doubt.
    async fn known_below(&self, run: RunId, fold: &Run, said: &Resolution) -> Result<Option<Body>, ResolveError> {
        let is_unknown = fold
            .finished
            .as_ref()
            .is_some_and(|finished| finished.verdict == Verdict::Unknown);
        let place = fold.place_of_unknown().filter(|_| is_unknown && fold.doubt().is_none());
        let Some((step, item, below)) = place else {
            return Ok(None);
        };
        let summary = self.ports.journal.run(below).await?;
        let summary = summary.filter(|summary| summary.verdict.is_some_and(|verdict| verdict != Verdict::Unknown));
        let events = self.ports.journal.events(below).await?.unwrap_or_default();
        let ended = summary.and_then(|summary| after::ended(&summary, &events, &mut { OUTPUTS }));
        let ended = ended.ok_or(ResolveError::Below { run, below })?;
        Ok(Some(Body::RunKnown {
            step,
            item,
            ended: Box::new(ended),
            who: said.who.clone(),
            why: said.why.clone(),
        }))
    }

    /// As a round of its own: it had begun, and no other run of its round has a say in that.
    pub(crate) async fn go_on(self: &Arc<Self>, run: RunId, fold: Run) -> Result<(), JournalError> {
        let Some(request) = fold.request.clone() else {
            return Ok(());
        };
        let home = self.home();
        let runbook = self.text_of(&home, &request, &fold.pins()).await?;
        let crew = self.crew(run, request.round, fold);
        self.begin(Round::fresh(request.round, runbook, home, vec![crew]));
        Ok(())
    }

    /// Appends to a run that nobody drives, and folds it.
    pub(crate) async fn append_to(&self, run: RunId, fold: &mut Run, body: Body) -> Result<(), JournalError> {
        let now = self.ports.clock.now();
        let durable = Durability::Disk;
        self.ports.journal.append(run, now, vec![body.clone()], durable).await?;
        let event = Event {
            seq: fold.seq + 1,
            at: now,
            body,
        };
        fold.apply(&event);
        // Nobody may follow.
        let _ = self.feed.send((run, event));
        Ok(())
    }
}

fn resolved(run: RunId, fold: &Run, said: Resolution) -> Result<Body, ResolveError> {
    let finished = fold.finished.as_ref().ok_or(ResolveError::UnderWay(run))?;
    let known = ResolveError::Known {
        run,
        verdict: finished.verdict,
    };
    if finished.verdict != Verdict::Unknown {
        return Err(known);
    }
    let mut doubts: Vec<_> = fold.doubts().collect();
    if doubts.is_empty() {
        doubts = fold.doubts_left().collect();
    }
    let named = |attempt: &Attempt| {
        format!(
            "{}/{}",
            attempt.key.step,
            attempt.key.action.as_deref().unwrap_or_default()
        )
    };
    let listed = || {
        let all = doubts.iter().map(|(attempt, _)| format!("`{}`", named(attempt)));
        all.collect::<Vec<_>>().join(", ")
    };
    let (attempt, intent) = match (doubts.as_slice(), &said.of) {
        ([], _) => return Err(known),
        (all, Some(of)) => {
            let asked = all.iter().find(|(attempt, _)| named(attempt) == *of);
            asked.ok_or_else(|| ResolveError::NotAsked {
                run,
                of: of.clone(),
                listed: listed(),
            })?
        }
        ([one], None) => one,
        (_, None) => {
            return Err(ResolveError::Several { run, listed: listed() });
        }
    };
    Ok(Body::Resolved {
        key: attempt.key.clone(),
        n: intent.n,
        done: said.done,
        who: said.who,
        why: said.why,
    })
}
