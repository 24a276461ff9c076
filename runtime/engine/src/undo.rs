//! A person wants taken back what a run changed, after its end.

use std::sync::Arc;

use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Mode, Occurrence, Request, Verdict};

use crate::decide::{self, Subject, ToUndo};
use crate::engine::Engine;
use crate::gate::{self, Answer, Ask};
use crate::port::JournalError;
use crate::run::Run;

/// What a person asks for.
#[derive(Clone, Debug, Default)]
pub struct UndoRequest {
    pub who: String,
    pub why: String,
    /// Why it is to change something although that is frozen.
    pub override_freeze: Option<String>,
    /// Also if a later run of the same runbook changed the same target.
    pub despite_later: bool,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum UndoError {
    #[error("there is no run {0}")]
    Unknown(RunId),
    #[error("run {0} has not finished; `evenkeel runs cancel` stops it")]
    UnderWay(RunId),
    #[error("run {0} was a dry run: it changed nothing")]
    Dry(RunId),
    #[error("nobody knows what run {0} did: look, and say so with `evenkeel runs resolve` first")]
    InDoubt(RunId),
    #[error("run {run} can't be undone: {why}")]
    Nothing { run: RunId, why: &'static str },
    #[error(
        "run {later} of the same runbook changed the same target after run {run}: undo that one first, or say \
         --despite-later"
    )]
    Later { run: RunId, later: RunId },
    #[error("run {run} can't be undone now ({gate}): {why}")]
    Refused {
        run: RunId,
        gate: &'static str,
        why: String,
    },
    #[error("run {run} can't be undone: {why}")]
    Lost { run: RunId, why: String },
    #[error("the daemon is stopping; ask again when it is back")]
    Draining,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Engine {
    /// What [`Engine::undo`] would roll back, in its order.
    ///
    /// # Errors
    /// It would be refused.
    pub async fn undoable(self: &Arc<Self>, run: RunId, asked: &UndoRequest) -> Result<Vec<ToUndo>, UndoError> {
        self.examined(run, asked).await.map(|(_, left)| left)
    }

    /// Takes a run up again after its end: what it applied, and what can be undone, is rolled back,
    /// the last first, by the very plugins that made it, with the parameters of then. What these may
    /// use is for the home of now to say.
    ///
    /// # Errors
    /// Nothing was done, and nothing is going to be.
    pub async fn undo(self: &Arc<Self>, run: RunId, asked: UndoRequest) -> Result<(), UndoError> {
        if *self.draining.borrow() {
            return Err(UndoError::Draining);
        }
        let _no_other = self.opening.write().await;
        let (mut fold, _) = self.examined(run, &asked).await?;
        let body = Body::UndoRequested {
            who: asked.who,
            why: asked.why,
            override_freeze: asked.override_freeze,
        };
        self.append_to(run, &mut fold, body).await?;
        Ok(self.go_on(run, fold).await?)
    }

    async fn examined(&self, run: RunId, asked: &UndoRequest) -> Result<(Run, Vec<ToUndo>), UndoError> {
        if self.registry.get(run).is_some() {
            return Err(UndoError::UnderWay(run));
        }
        self.read_holds().await?;
        let events = self.ports.journal.take_on(run).await?;
        let fold = Run::fold(&events.ok_or(UndoError::Unknown(run))?);
        let request = fold.request.clone().ok_or(UndoError::Unknown(run))?;
        standing(run, &fold, &request)?;
        let home = self.home();
        let lost = |why| UndoError::Lost { run, why };
        let runbook = self.text_of(&home, &request, &fold.pins()).await?.map_err(lost)?;
        let subject = Subject::find(&fold, &runbook, &home).map_err(lost)?;
        let left = decide::left(&fold, &subject);
        if left.is_empty() {
            return Err(UndoError::Nothing {
                run,
                why: nothing(&fold, &subject),
            });
        }
        self.ask_gates_to_undo(run, &request, &subject, asked)?;
        self.look_for_later(run, &fold, &request, asked).await?;
        Ok((fold, left))
    }

    /// What keeps a person's run from starting keeps this from it too; it does not wait.
    fn ask_gates_to_undo(
        &self,
        run: RunId,
        request: &Request,
        subject: &Subject,
        asked: &UndoRequest,
    ) -> Result<(), UndoError> {
        let person = Occurrence::Person {
            runbook: request.runbook.clone(),
            request: "undo".to_owned(),
            who: asked.who.clone(),
        };
        let request = Request {
            occurrence: person,
            override_freeze: asked.override_freeze.clone(),
            ..request.clone()
        };
        let holds = self.holds.borrow().clone();
        let ask = Ask {
            holds: &holds,
            ..Ask::plain(run, &request, &subject.runbook, &subject.home)
        };
        let now = self.ports.clock.now();
        for answer in [gate::pause::ask(&ask, now), gate::freeze::ask(&ask, now)] {
            if let Answer::Wait { gate, why, .. } | Answer::Refuse { gate, why } = answer {
                return Err(UndoError::Refused { run, gate, why });
            }
        }
        Ok(())
    }

    async fn look_for_later(
        &self,
        run: RunId,
        fold: &Run,
        request: &Request,
        asked: &UndoRequest,
    ) -> Result<(), UndoError> {
        let (Some(target), Some(finished)) = (&request.target, &fold.finished) else {
            return Ok(());
        };
        let journal = &self.ports.journal;
        let history = journal.history(&request.runbook, target, finished.at).await?;
        let undone = |verdict| verdict == Some(Verdict::Undone);
        let later = history.iter().find(|other| other.run != run && !undone(other.verdict));
        match later {
            Some(later) if !asked.despite_later => Err(UndoError::Later { run, later: later.run }),
            _ => Ok(()),
        }
    }
}

fn standing(run: RunId, fold: &Run, request: &Request) -> Result<(), UndoError> {
    let finished = fold.finished.as_ref().ok_or(UndoError::UnderWay(run))?;
    if request.mode == Mode::DryRun {
        return Err(UndoError::Dry(run));
    }
    if finished.verdict == Verdict::Unknown {
        return Err(UndoError::InDoubt(run));
    }
    Ok(())
}

pub(crate) const ALREADY: &str = "it was undone already";

fn nothing(fold: &Run, subject: &Subject) -> &'static str {
    if !fold.changed() {
        "it changed nothing"
    } else if decide::undoes_anything(fold, subject) {
        ALREADY
    } else {
        "nothing of what it did has an undo"
    }
}
