//! What the daemon does all the time: alerts start and stop runs, schedules start them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::{Alert, Change, Edge};
use evenkeel_model::home::Home;
use evenkeel_model::name::RunbookName;
use evenkeel_model::run::{Body, Occurrence, Request};
use tokio::sync::watch;
use tracing::error;

use crate::engine::Engine;
use crate::live::Live;
use crate::port::JournalError;
use crate::record::Append;
use crate::run::Run;
use crate::trigger;

/// Edges that are taken in at once.
const EDGES: usize = 16;
/// How often edges are looked for when nobody says that there are any.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After the journal refused something.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often runs are looked for that nobody drives.
const LEFT_EVERY: Duration = Duration::from_secs(60);
/// After one was left because the journal could not be written.
const LEFT_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Goes on with what was left, and then follows alerts and schedules until `shutdown` is
    /// true. Runs that are under way then are for [`Engine::drain`].
    pub async fn serve(self: &Arc<Self>, shutdown: watch::Receiver<bool>) {
        let since = self.ports.clock.now();
        let mut stop = shutdown.clone();
        while let Err(cause) = self.resume().await {
            error!(%cause, "what was left can't be read; nothing starts before it is");
            tokio::select! {
                () = tokio::time::sleep(TRY_AGAIN) => {}
                () = stopped(&mut stop) => return,
            }
        }
        tokio::join!(
            self.follow_alerts(shutdown.clone()),
            self.keep_schedules(since, shutdown.clone()),
            self.take_up_what_was_left(shutdown.clone()),
            self.follow_ends(shutdown.clone()),
            self.deliver(shutdown),
        );
    }

    /// Runs that were left because the journal could not be written for a while, or because their
    /// task broke, need not wait for a restart.
    async fn take_up_what_was_left(self: &Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LEFT_EVERY) => {}
                () = self.unwritten_for(LEFT_AGAIN) => {}
                () = stopped(&mut shutdown) => return,
            }
            if *self.draining.borrow() {
                return;
            }
            if let Err(cause) = self.resume().await {
                error!(%cause, "what was left can't be read for the moment");
            }
        }
    }

    async fn unwritten_for(&self, pause: Duration) {
        self.unwritten.notified().await;
        tokio::time::sleep(pause).await;
    }

    // ---- alerts --------------------------------------------------------------------------

    async fn follow_alerts(self: &Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let news = self.ports.alerts.news();
        loop {
            let pause = match self.take_edges().await {
                Ok(EDGES..) => Duration::ZERO,
                Ok(_) => LOOK_EVERY,
                Err(cause) => {
                    error!(%cause, "alerts can't be acted on for the moment");
                    TRY_AGAIN
                }
            };
            tokio::select! {
                () = news.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    /// Acts on the edges that are there, in their order; each is done with when its rounds are written.
    async fn take_edges(self: &Arc<Self>) -> Result<usize, JournalError> {
        let edges = self.ports.alerts.pending(EDGES).await?;
        let taken = edges.len();
        for (number, edge) in edges {
            if *self.draining.borrow() {
                break;
            }
            self.take_edge(number, &edge).await?;
        }
        Ok(taken)
    }

    async fn take_edge(self: &Arc<Self>, number: u64, edge: &Edge) -> Result<(), JournalError> {
        let home = self.home();
        match edge.change {
            Change::Fired => {
                let starts = trigger::from_alert(&edge.alert, &home);
                if !starts.is_empty() {
                    for start in &starts {
                        self.take_over(&edge.alert, &start.round.runbook).await;
                    }
                    return self.open_for_edge(number, starts, &home).await;
                }
                self.note_unanswered(&edge.alert, &home).await?;
            }
            Change::Resolved => {
                for live in self.registry.of_alert(&edge.alert.identity) {
                    self.alert_ended(&live, &edge.alert, &home).await;
                }
            }
            // It proves nothing: what has begun goes on, and what waits goes on waiting for it.
            Change::Expired => {}
        }
        self.ports.alerts.done(number).await
    }

    /// A resolve stops the runs that the alert started.
    async fn alert_ended(&self, live: &Arc<Live>, alert: &Alert, home: &Home) {
        let why = format!("its alert `{}` resolved", alert.name());
        self.call_off(live, &why, |request, _| {
            let runbook = home.runbooks.get(&request.runbook);
            let goes_on = runbook.is_some_and(|runbook| trigger::goes_on_when_resolved(runbook, alert));
            started_by(&request.occurrence, alert) && !goes_on
        })
        .await;
    }

    /// What an earlier occurrence of the alert started and still waits has nothing left to do:
    /// the round of this one sees to it.
    async fn take_over(&self, alert: &Alert, runbook: &RunbookName) {
        let why = format!("its alert `{}` fired anew, which has a round of its own", alert.name());
        for live in self.registry.of_alert(&alert.identity) {
            self.call_off(&live, &why, |request, run| {
                let earlier = started_at(&request.occurrence, alert).is_some_and(|at| at < alert.starts_at);
                earlier && request.runbook == *runbook && run.started_at.is_none()
            })
            .await;
        }
    }

    pub(crate) async fn call_off(&self, live: &Arc<Live>, why: &str, concerned: impl Fn(&Request, &Run) -> bool) {
        loop {
            let mark = live.recorder.read(|run| {
                let request = run.request.as_ref()?;
                let open = run.finished.is_none() && run.cancel.is_none();
                (open && concerned(request, run)).then_some(run.mark)
            });
            let Some(mark) = mark else { return };
            let bodies = vec![Body::CancelRequested { why: why.to_owned() }];
            match live.recorder.append_after(mark, bodies).await {
                Ok(Append::Done) => {
                    live.cancelled.send_replace(true);
                    return;
                }
                Ok(Append::Stale) => {}
                // Its own journal is broken, or it has just finished: that is no reason to keep the edge.
                Err(_) => return,
            }
        }
    }
}

fn started_by(occurrence: &Occurrence, alert: &Alert) -> bool {
    started_at(occurrence, alert).is_some_and(|at| at <= alert.starts_at)
}

/// When the alert began that started it; none: that was another one, or something else.
fn started_at(occurrence: &Occurrence, alert: &Alert) -> Option<DateTime<Utc>> {
    match occurrence {
        Occurrence::Alert {
            identity, starts_at, ..
        } => (*identity == alert.identity).then_some(*starts_at),
        _ => None,
    }
}

pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say it.
        std::future::pending::<()>().await;
    }
}
