//! What the daemon does all the time: alerts start and stop runs, schedules start them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::alert::{Alert, Change, Edge};
use evenkeel_model::home::Home;
use evenkeel_model::name::RunbookName;
use evenkeel_model::run::{Body, Occurrence, Request};
use tokio::sync::watch;
use tracing::{error, info};

use crate::drive::sleep_until;
use crate::engine::Engine;
use crate::live::Live;
use crate::port::{JournalError, Opened};
use crate::record::Append;
use crate::run::Run;
use crate::schedule::{Book, Entry, EntryKey, schedules};
use crate::trigger::{self, Start, schedule_name};

/// Edges that are taken in at once.
const EDGES: usize = 100;
/// How often edges are looked for when nobody says that there are any.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After the journal refused something.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often runs are looked for that nobody drives.
const LEFT_EVERY: Duration = Duration::from_secs(60);
/// After one was left because the journal could not be written.
const LEFT_AGAIN: Duration = Duration::from_secs(5);
/// Without any schedule, the book is looked into this often.
const IDLE: TimeDelta = TimeDelta::hours(1);

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
            self.take_up_what_was_left(shutdown),
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
                () = self.edges.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    /// Acts on the edges that are there, in their order; each is done with when its rounds are
    /// on disk.
    async fn take_edges(self: &Arc<Self>) -> Result<usize, JournalError> {
        let edges = self.ports.alerts.pending(EDGES).await?;
        let taken = edges.len();
        for (number, edge) in edges {
            if *self.draining.borrow() {
                break;
            }
            self.take_edge(&edge).await?;
            self.ports.alerts.done(number).await?;
        }
        Ok(taken)
    }

    async fn take_edge(self: &Arc<Self>, edge: &Edge) -> Result<(), JournalError> {
        let home = self.home();
        match edge.change {
            Change::Fired => {
                for start in trigger::from_alert(&edge.alert, &home) {
                    let runbook = start.round.runbook.clone();
                    self.open_logged(start, &home).await?;
                    self.take_over(&edge.alert, &runbook).await;
                }
            }
            Change::Resolved => {
                for live in self.registry.all() {
                    self.alert_ended(&live, &edge.alert, &home).await;
                }
            }
            // It proves nothing: what has begun goes on, and what waits goes on waiting for it.
            Change::Expired => {}
        }
        Ok(())
    }

    async fn open_logged(self: &Arc<Self>, start: Start, home: &Arc<Home>) -> Result<(), JournalError> {
        let runbook = start.round.runbook.clone();
        match self.open(start, Arc::clone(home)).await? {
            Opened::New(round, runs) => info!(%runbook, round = round.0, runs = runs.len(), "a round was opened"),
            Opened::Known(round) => info!(%runbook, round = round.0, "the occurrence has had its round"),
        }
        Ok(())
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
        for live in self.registry.all() {
            self.call_off(&live, &why, |request, run| {
                let earlier = started_at(&request.occurrence, alert).is_some_and(|at| at < alert.starts_at);
                earlier && request.runbook == *runbook && run.started_at.is_none()
            })
            .await;
        }
    }

    async fn call_off(&self, live: &Arc<Live>, why: &str, concerned: impl Fn(&Request, &Run) -> bool) {
        loop {
            let seq = live.recorder.read(|run| {
                let request = run.request.as_ref()?;
                let open = run.finished.is_none() && run.cancel.is_none();
                (open && concerned(request, run)).then_some(run.seq)
            });
            let Some(seq) = seq else { return };
            let bodies = vec![Body::CancelRequested { why: why.to_owned() }];
            match live.recorder.append_after(seq, bodies).await {
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

    // ---- schedules -----------------------------------------------------------------------

    async fn keep_schedules(self: &Arc<Self>, since: DateTime<Utc>, mut shutdown: watch::Receiver<bool>) {
        let clock = Arc::clone(&self.ports.clock);
        let mut homes = self.watch_home();
        let mut home = Arc::clone(&homes.borrow_and_update());
        let Some(mut book) = self.open_book(&home, since, &mut shutdown).await else {
            return;
        };
        loop {
            let now = clock.now();
            if let Err(cause) = self.open_due(&mut book, &home, since, now).await {
                error!(%cause, "a schedule's round can't be opened for the moment");
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN) => continue,
                    () = stopped(&mut shutdown) => return,
                }
            }
            let next = book.next().unwrap_or(now + IDLE);
            tokio::select! {
                () = sleep_until(&*clock, next) => {}
                changed = homes.changed() => {
                    if changed.is_err() { return }
                    home = Arc::clone(&homes.borrow_and_update());
                    book = self.turn_page(&book, &home).await;
                }
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    /// The schedules as the journal remembers them; one that it has never seen starts from now.
    async fn open_book(&self, home: &Home, now: DateTime<Utc>, shutdown: &mut watch::Receiver<bool>) -> Option<Book> {
        loop {
            match self.seen(home, now).await {
                Ok(seen) => return Some(Book::new(home, |key| seen.get(key).copied().unwrap_or(now))),
                Err(cause) => error!(%cause, "the schedules can't be read for the moment"),
            }
            tokio::select! {
                () = tokio::time::sleep(TRY_AGAIN) => {}
                () = stopped(shutdown) => return None,
            }
        }
    }

    async fn seen(&self, home: &Home, now: DateTime<Utc>) -> Result<BTreeMap<EntryKey, DateTime<Utc>>, JournalError> {
        let journal = &self.ports.journal;
        let mut seen = BTreeMap::new();
        for (runbook, schedule, _) in schedules(home) {
            let name = schedule_name(schedule);
            let at = match journal.last_tick(&runbook.name, &name).await? {
                Some(at) => at,
                None => {
                    journal.set_last_tick(&runbook.name, &name, now).await?;
                    now
                }
            };
            seen.insert((runbook.name.clone(), name), at);
        }
        Ok(seen)
    }

    /// The schedules of a changed home. One that was not in the home before starts from now: it
    /// missed nothing while this process ran.
    async fn turn_page(&self, before: &Book, home: &Home) -> Book {
        let now = self.ports.clock.now();
        let book = Book::new(home, |key| before.seen(key).unwrap_or(now));
        for (runbook, name) in book.keys().filter(|key| before.seen(key).is_none()) {
            if let Err(cause) = self.ports.journal.set_last_tick(runbook, name, now).await {
                error!(%cause, %runbook, "a new schedule could not be noted");
            }
        }
        book
    }

    async fn open_due(
        self: &Arc<Self>,
        book: &mut Book,
        home: &Arc<Home>,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        while let Some((key, entry, ticks)) = book.pop_due(since, now) {
            if *self.draining.borrow() {
                return Ok(());
            }
            let opened = self.open_ticks(&key, &entry, &ticks, home, now).await;
            if opened.is_err() {
                book.put_back(&key, entry.seen);
                return opened;
            }
        }
        Ok(())
    }

    async fn open_ticks(
        self: &Arc<Self>,
        key: &EntryKey,
        entry: &Entry,
        ticks: &[DateTime<Utc>],
        home: &Arc<Home>,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        for at in ticks {
            let start = trigger::from_tick(&entry.runbook, &entry.schedule, *at, home);
            self.open_logged(start, home).await?;
        }
        self.ports.journal.set_last_tick(&key.0, &key.1, now).await
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
        Occurrence::Tick { .. } | Occurrence::Person { .. } => None,
    }
}

async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say it.
        std::future::pending::<()>().await;
    }
}
