//! The engine as the other rooms see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::home::Home;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Event, Summary, Verdict};
use tokio::sync::{Notify, RwLock, broadcast, watch};
use tracing::info;

use crate::berths::Berths;
use crate::capacity::Capacity;
use crate::drive::round::{Crew, Round};
use crate::hearing::Hearing;
use crate::holds::Held;
use crate::live::{Live, Registry, Slots};
use crate::notify::Post;
use crate::port::gates::Ledger;
use crate::port::outbox::Outbox;
use crate::port::{Alerts, Clock, Journal, JournalError, NewRound, Noted, Opened, Plugins, RunFilter};
use crate::record::{Feed, Recorder};
use crate::request::{Accepted, CancelError, PersonRequest, RequestError, WaitError};
use crate::run::{Child, Run};
use crate::trigger::{self, Start};

/// Events that a slow follower may be behind before it loses the oldest; the journal has them.
const FEED_EVENTS: usize = 4_096;

#[derive(Clone)]
pub struct Ports {
    pub journal: Arc<dyn Journal>,
    pub ledger: Arc<dyn Ledger>,
    pub alerts: Arc<dyn Alerts>,
    pub outbox: Arc<dyn Outbox>,
    pub plugins: Arc<dyn Plugins>,
    pub clock: Arc<dyn Clock>,
}

/// Opens rounds, drives their runs, and answers for them. Needs a tokio runtime with time.
pub struct Engine {
    pub(crate) ports: Ports,
    home: watch::Sender<Arc<Home>>,
    pub(crate) registry: Registry,
    pub(crate) slots: Slots,
    pub(crate) berths: Arc<Berths>,
    pub(crate) hearing: Hearing,
    /// What people hold back; who waits for it listens.
    pub(crate) holds: watch::Sender<Arc<Vec<Held>>>,
    /// Held while that changes.
    pub(crate) holding: tokio::sync::Mutex<()>,
    /// Runs at once; waiting runs don't count.
    pub(crate) capacity: Capacity,
    pub(crate) feed: Feed,
    pub(crate) post: Post,
    /// A run ended that may have to be tried again.
    pub(crate) ends: Notify,
    /// A run was left because its journal could not be written.
    pub(crate) unwritten: Notify,
    pub(crate) draining: watch::Sender<bool>,
    /// Held to write by who looks for runs that nobody drives, so that a round that is just being
    /// opened is not taken for one.
    pub(crate) opening: RwLock<()>,
    /// Held while a run below another is counted and opened.
    pub(crate) counting: tokio::sync::Mutex<()>,
    /// Rounds that this process drives.
    rounds: watch::Sender<usize>,
    /// What an invocation that nothing interrupts listens to.
    pub(crate) never: watch::Sender<bool>,
}

/// How a [`Engine::drain`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Runs whose invocation did not come to its end in time. The next start finds them as a
    /// crash would have left them.
    pub abandoned: Vec<RunId>,
}

impl Engine {
    /// `home.settings.runs` is taken here, once: a reload doesn't change how many runs go at once.
    pub fn new(ports: Ports, home: Arc<Home>) -> Arc<Self> {
        let capacity = Capacity::new(home.settings.runs);
        let home = watch::Sender::new(home);
        let post = Post {
            home: home.subscribe(),
            arrived: Arc::default(),
        };
        Arc::new(Self {
            ports,
            capacity,
            home,
            post,
            registry: Registry::default(),
            slots: Slots::default(),
            berths: Arc::default(),
            hearing: Hearing::default(),
            holds: watch::Sender::default(),
            holding: tokio::sync::Mutex::default(),
            feed: broadcast::Sender::new(FEED_EVENTS),
            ends: Notify::new(),
            unwritten: Notify::new(),
            draining: watch::Sender::new(false),
            opening: RwLock::new(()),
            counting: tokio::sync::Mutex::default(),
            rounds: watch::Sender::new(0),
            never: watch::Sender::new(false),
        })
    }

    pub fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home.borrow())
    }

    /// Serves another home from now on. Rounds that are open keep the one they were opened with.
    pub fn reload(&self, home: Arc<Home>) {
        self.home.send_replace(home);
    }

    pub(crate) fn watch_home(&self) -> watch::Receiver<Arc<Home>> {
        self.home.subscribe()
    }

    /// Opens a round for a person and begins to drive it; [`Engine::wait`] tells how a run ends.
    pub async fn request(self: &Arc<Self>, request: PersonRequest) -> Result<Accepted, RequestError> {
        if *self.draining.borrow() {
            return Err(RequestError::Draining);
        }
        let home = self.home();
        let start = trigger::from_person(&request, &home)?;
        match self.open(start, home).await? {
            Opened::New(round, runs) => Ok(Accepted { round, runs }),
            Opened::Known(round) => {
                let filter = RunFilter {
                    round: Some(round),
                    ..RunFilter::default()
                };
                let mut runs: Vec<RunId> = self
                    .ports
                    .journal
                    .runs(filter)
                    .await?
                    .iter()
                    .map(|run| run.run)
                    .collect();
                runs.sort_unstable();
                Ok(Accepted { round, runs })
            }
        }
    }

    /// Returns when this process has done what it will do for a run: it has finished (its
    /// summary has a verdict), or it was left for the next start by a drain or because the
    /// journal could not be written (it has none).
    pub async fn wait(&self, run: RunId) -> Result<Summary, WaitError> {
        if let Some(live) = self.registry.get(run) {
            // The sender lives as long as `live`.
            let _ = live.left.subscribe().wait_for(|left| *left).await;
            if let Some(summary) = live.recorder.ended() {
                return Ok(summary);
            }
        }
        let summary = self.ports.journal.run(run).await?;
        summary.ok_or(WaitError::Unknown(run))
    }

    /// Asks a run to stop. Nothing further begins; an action under way is finished first, and
    /// what was changed is still looked at by `[healed]`.
    pub async fn cancel(&self, run: RunId, why: &str) -> Result<(), CancelError> {
        let why = why.to_owned();
        self.stop(run, Body::CancelRequested { why }).await.map(drop)
    }

    async fn stop(&self, run: RunId, body: Body) -> Result<Arc<Live>, CancelError> {
        let Some(live) = self.registry.get(run) else {
            return match self.ports.journal.run(run).await? {
                Some(summary) if summary.finished_at.is_some() => Err(CancelError::Finished(run)),
                Some(_) => Err(CancelError::NotUnderWay(run)),
                None => Err(CancelError::Unknown(run)),
            };
        };
        let asked = live.recorder.append(vec![body]).await;
        // Its end may have come first.
        if asked.is_err() && live.recorder.read(|run| run.finished.is_some()) {
            return Err(CancelError::Finished(run));
        }
        asked?;
        live.cancelled.send_replace(true);
        Ok(live)
    }

    /// Ends a run at once, in the middle of whatever it does. Nothing is looked at or undone after
    /// that; an effect that was under way is left in doubt.
    pub async fn kill(&self, run: RunId, who: &str, why: &str) -> Result<(), CancelError> {
        let body = Body::Killed {
            who: who.to_owned(),
            why: why.to_owned(),
        };
        let live = self.stop(run, body).await?;
        live.killed.send_replace(true);
        let below: Vec<RunId> = live
            .recorder
            .read(|run| run.children.values().filter_map(|child| child.run).collect());
        for run in below.into_iter().filter(|run| self.registry.get(*run).is_some()) {
            // It may have ended by now.
            let _ = Box::pin(self.kill(run, who, why)).await;
        }
        Ok(())
    }

    /// Every event of every run from now on, as it happens. Who lags loses the oldest.
    pub fn follow(&self) -> broadcast::Receiver<(RunId, Event)> {
        self.feed.subscribe()
    }

    /// The fold of a run that this process drives.
    pub fn fold(&self, run: RunId) -> Option<Run> {
        Some(self.registry.get(run)?.recorder.read(Run::clone))
    }

    /// The run that waits for a person, if that is all that a run of this process waits for: itself, or
    /// one below it.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn waits_for_people(&self, run: RunId) -> Result<Option<RunId>, JournalError> {
        let Some(live) = self.registry.get(run) else {
            let summary = self.ports.journal.run(run).await?;
            let unknown = summary.is_some_and(|summary| summary.verdict == Some(Verdict::Unknown));
            return Ok(unknown.then_some(run));
        };
        if !live.parked.load(Ordering::Acquire) {
            return Ok(None);
        }
        let (asks, below) = live.recorder.read(|fold| {
            let is_awaited = |child: &&Child| child.is_open() || child.is_being_undone();
            let open = fold.children.values().filter(is_awaited);
            let below: Vec<RunId> = open.filter_map(|child| child.run).collect();
            (fold.waits_for_approval(), below)
        });
        let mut first = asks.then_some(run);
        for below in below {
            match Box::pin(self.waits_for_people(below)).await? {
                Some(waiting) => first = first.or(Some(waiting)),
                None => return Ok(None),
            }
        }
        Ok(first)
    }

    /// Runs that this process drives: held, waiting or at work.
    pub fn under_way(&self) -> Vec<RunId> {
        self.registry.all().iter().map(|live| live.id).collect()
    }

    /// Stops: no round is opened, no run starts, and no invocation begins any more. Returns when
    /// those under way have come to their end, or after `bound`. What has not finished goes on
    /// at the next start.
    pub async fn drain(&self, bound: Duration) -> Drained {
        self.draining.send_replace(true);
        let mut rounds = self.rounds.subscribe();
        let _ = tokio::time::timeout(bound, rounds.wait_for(|rounds| *rounds == 0)).await;
        Drained {
            abandoned: self.under_way(),
        }
    }

    // ---- rounds --------------------------------------------------------------------------

    /// Opens a round, and drives it unless its occurrence has had one.
    pub(crate) async fn open(self: &Arc<Self>, start: Start, home: Arc<Home>) -> Result<Opened, JournalError> {
        let now = self.ports.clock.now();
        let Start { runbook, round } = start;
        let _opening = self.opening.read().await;
        let opened = self.ports.journal.open(round.clone(), now).await?;
        self.set_off(Start { runbook, round }, &opened, home, now);
        Ok(opened)
    }

    /// The same for the rounds of ticks, several in one transaction together with what is noted of
    /// their schedules.
    pub(crate) async fn open_ticks(
        self: &Arc<Self>,
        starts: Vec<Start>,
        notes: Vec<Noted>,
        home: &Arc<Home>,
    ) -> Result<(), JournalError> {
        let now = self.ports.clock.now();
        let rounds = starts.iter().map(|start| start.round.clone()).collect();
        let _opening = self.opening.read().await;
        let opened = self.ports.journal.open_ticks(rounds, notes, now).await?;
        self.set_all_off(starts, &opened, home, now);
        Ok(())
    }

    /// The same for the rounds that an edge of an alert starts; it is done with then.
    pub(crate) async fn open_for_edge(
        self: &Arc<Self>,
        edge: u64,
        starts: Vec<Start>,
        home: &Arc<Home>,
    ) -> Result<(), JournalError> {
        let now = self.ports.clock.now();
        let rounds = starts.iter().map(|start| start.round.clone()).collect();
        let _opening = self.opening.read().await;
        let opened = self.ports.journal.open_for_edge(edge, rounds, now).await?;
        self.set_all_off(starts, &opened, home, now);
        Ok(())
    }

    fn set_all_off(self: &Arc<Self>, starts: Vec<Start>, opened: &[Opened], home: &Arc<Home>, now: DateTime<Utc>) {
        for (start, opened) in starts.into_iter().zip(opened) {
            self.set_off(start, opened, Arc::clone(home), now);
        }
    }

    /// Drives a round, if it is a new one.
    pub(crate) fn set_off(self: &Arc<Self>, start: Start, opened: &Opened, home: Arc<Home>, now: DateTime<Utc>) {
        let runbook = &start.round.runbook;
        match opened {
            Opened::New(id, runs) => {
                info!(%runbook, round = id.0, runs = runs.len(), "a round was opened");
                let crew = self.muster(*id, runs, &start.round, now);
                self.begin(Round::fresh(*id, Ok(start.runbook), home, crew));
            }
            Opened::Known(id) => info!(%runbook, round = id.0, "the occurrence has had its round"),
        }
    }

    /// The runs of a new round, as their first event makes them.
    fn muster(&self, id: RoundId, runs: &[RunId], round: &NewRound, now: DateTime<Utc>) -> Vec<Crew> {
        let pairs = runs.iter().zip(&round.targets);
        pairs
            .map(|(run, target)| {
                let event = Event {
                    seq: 1,
                    at: now,
                    body: Body::Requested(Box::new(round.request(id, target))),
                };
                let live = self.take_on(*run, id, Run::fold([&event]), false);
                // Nobody may follow.
                let _ = self.feed.send((*run, event));
                Crew { live, taken: None }
            })
            .collect()
    }

    /// `again`: it was left before.
    pub(crate) fn take_on(&self, run: RunId, round: RoundId, fold: Run, again: bool) -> Arc<Live> {
        let journal = Arc::clone(&self.ports.journal);
        let clock = Arc::clone(&self.ports.clock);
        let recorder = Recorder::new(run, fold, journal, clock, self.feed.clone(), self.post.clone(), again);
        let live = Live::new(run, round, recorder);
        self.registry.add(Arc::clone(&live));
        live
    }

    pub(crate) fn begin(self: &Arc<Self>, round: Round) {
        self.rounds.send_modify(|rounds| *rounds += 1);
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            round.drive(&engine).await;
            engine.rounds.send_modify(|rounds| *rounds -= 1);
        });
    }
}
