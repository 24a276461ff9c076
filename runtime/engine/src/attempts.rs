//! What became of what happened, where that is nothing: an alert that no runbook takes; and a repair
//! that is tried again because it did not do.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Alert;
use evenkeel_model::home::Home;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Mode, Occurrence, Request, Verdict};
use tokio::sync::watch;
use tracing::error;

use crate::engine::Engine;
use crate::gate::strikes;
use crate::port::JournalError;
use crate::port::gates::{Happening, Unstarted};
use crate::serve::{TRY_AGAIN, stopped};
use crate::trigger::{self, Start};
use crate::why::nearest;

/// Ends that are looked at at once.
const ENDS: usize = 100;
/// How often they are looked for when nobody says that there are any.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The round of the next attempt; or why there is none. `None`: nobody expects one.
///
/// `since` is since when the alert fires.
pub fn next(
    request: &Request,
    verdict: Option<Verdict>,
    since: Option<DateTime<Utc>>,
    home: &Home,
) -> Option<Result<Start, String>> {
    let (Occurrence::Alert { starts_at, attempt, .. }, Some(alert)) = (&request.occurrence, &request.alert) else {
        return None;
    };
    if request.mode != Mode::Live || !verdict.is_some_and(strikes::is_strike) {
        return None;
    }
    let name = alert.name();
    let start = match since {
        None => Err(format!("its alert `{name}` does not fire any more")),
        Some(since) if since > *starts_at => {
            Err(format!("its alert `{name}` fired anew, which has a round of its own"))
        }
        Some(_) => match home.runbooks.get(&request.runbook) {
            None => Err(format!("the home has no runbook `{}` any more", request.runbook)),
            Some(runbook) => trigger::by_alert(runbook, alert, home, attempt.saturating_add(1))
                .ok_or_else(|| format!("`{}` does not take its alert `{name}` any more", request.runbook)),
        },
    };
    Some(start)
}

impl Engine {
    /// Tries again what failed while its alert still fires. Ends are read from the journal, so that
    /// one of an earlier process is found as well as one of a moment ago.
    pub(crate) async fn follow_ends(self: &Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        loop {
            let pause = match self.take_ends().await {
                Ok(ENDS..) => Duration::ZERO,
                Ok(_) => LOOK_EVERY,
                Err(cause) => {
                    error!(%cause, "what failed can't be tried again for the moment");
                    TRY_AGAIN
                }
            };
            tokio::select! {
                () = self.ends.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    async fn take_ends(self: &Arc<Self>) -> Result<usize, JournalError> {
        let ends = self.ports.ledger.to_follow(ENDS).await?;
        for run in &ends {
            if *self.draining.borrow() {
                break;
            }
            self.take_end(*run).await?;
            // The next attempt is on disk by now, and known if this is lost.
            self.ports.ledger.followed(*run).await?;
        }
        Ok(ends.len())
    }

    async fn take_end(self: &Arc<Self>, run: RunId) -> Result<(), JournalError> {
        let (Some(summary), Some(request)) = (self.ports.journal.run(run).await?, self.request_of(run).await?) else {
            return Ok(());
        };
        let now = self.ports.clock.now();
        let since = match &request.occurrence {
            Occurrence::Alert { identity, .. } => self.ports.alerts.firing_since(identity, now).await?,
            _ => None,
        };
        let home = self.home();
        match next(&request, summary.verdict, since, &home) {
            None => Ok(()),
            Some(Ok(start)) => self.open(start, home).await.map(drop),
            Some(Err(why)) => {
                let what = Happening::Attempt {
                    run,
                    runbook: request.runbook,
                    target: request.target,
                };
                self.ports.ledger.note(Unstarted { at: now, what, why }).await
            }
        }
    }

    async fn request_of(&self, run: RunId) -> Result<Option<Request>, JournalError> {
        let events = self.ports.journal.events_after(run, 0, 1).await?;
        Ok(events.into_iter().find_map(|event| match event.body {
            Body::Requested(request) => Some(*request),
            _ => None,
        }))
    }

    /// An alert that starts nothing is recorded, with what came nearest.
    pub(crate) async fn note_unanswered(&self, alert: &Alert, home: &Home) -> Result<(), JournalError> {
        let unstarted = Unstarted {
            at: self.ports.clock.now(),
            what: Happening::Alert(Box::new(alert.clone())),
            why: nearest::nearest(alert, home),
        };
        self.ports.ledger.note(unstarted).await
    }
}
