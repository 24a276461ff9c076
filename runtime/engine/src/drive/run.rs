//! One run: asks what to do, does it, and asks again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::{Key, Outcome, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::Runbook;
use evenkeel_model::tape::{Given, Seed};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::Rng as _;
use tokio::sync::mpsc::UnboundedSender;

use super::sleep_until;
use super::start::Start;
use super::wait::Wait;
use crate::berths::Queued;
use crate::capacity::Place;
use crate::decide::{Command, Invoke, Subject, decide, diverged};
use crate::engine::Engine;
use crate::live::{Live, Taken};
use crate::port::{Calls, Invocation, JournalError};
use crate::record::{Append, InvocationCalls};
use crate::recording::{self, Recording, Unrecorded};

/// The sandbox keeps an invocation's deadline. If it should not come back, the run is not lost
/// with it: so much longer is waited, which is enough for a slow compilation.
const BEYOND_DEADLINE: Duration = Duration::from_secs(300);

/// A run on its way, with what it holds: its place among the runs that go at once, and its target.
pub(crate) struct Course {
    pub(super) engine: Arc<Engine>,
    pub(super) live: Arc<Live>,
    subject: Option<Result<Subject, String>>,
    pub(super) runbook: Option<Arc<Runbook>>,
    pub(super) permit: Option<Place>,
    pub(super) taken: Option<Taken>,
    /// Its place in the queue of its runbook, once it was told that there is one at work.
    pub(super) queued: Option<Queued>,
    /// Where it asks for its turn before it applies anything; none: it has it.
    turn: Option<UnboundedSender<RunId>>,
    /// It has asked there.
    asked_turn: bool,
}

/// How this process left a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Finished(Verdict),
    /// Before its end: the next start goes on with it.
    Left,
}

/// The invocations that are under way; each records its end.
type Work = FuturesUnordered<BoxFuture<'static, Result<(), JournalError>>>;

impl Course {
    pub(crate) fn new(
        engine: Arc<Engine>,
        live: Arc<Live>,
        subject: Result<Subject, String>,
        taken: Option<Taken>,
        turn: Option<UnboundedSender<RunId>>,
    ) -> Self {
        Self {
            engine,
            live,
            runbook: subject.as_ref().ok().map(|subject| Arc::clone(&subject.runbook)),
            subject: Some(subject),
            permit: None,
            taken,
            queued: None,
            turn,
            asked_turn: false,
        }
    }

    pub(crate) async fn go(mut self) -> Result<End, JournalError> {
        let subject = self
            .subject
            .take()
            .unwrap_or_else(|| Err("the run has no subject".into()));
        let mut work = Work::default();
        loop {
            let now = self.engine.ports.clock.now();
            let (mark, finished, commands) = self.live.recorder.read(|run| {
                let verdict = run.finished.as_ref().map(|finished| finished.verdict);
                (
                    run.mark,
                    verdict,
                    decide(run, subject.as_ref().map_err(String::as_str), now),
                )
            });
            if let Some(verdict) = finished {
                if let Some(taken) = self.taken.take() {
                    taken.give_back();
                }
                return Ok(End::Finished(verdict));
            }
            // Also when nothing is decided: a run without an end and without a next step is
            // left to be looked at, not asked for ever.
            if commands.is_empty() || self.is_to_be_left(&commands) {
                match work.next().await {
                    Some(ended) => ended?,
                    None => return Ok(End::Left),
                }
                continue;
            }
            if let Err(error) = self.perform(commands, mark, &subject, &mut work).await {
                // What the others are in the middle of comes to its end first.
                while work.next().await.is_some() {}
                return Err(error);
            }
        }
    }

    /// A drain begins nothing any more; what has happened is still written down.
    fn is_to_be_left(&self, commands: &[Command]) -> bool {
        let is_written = commands.iter().any(|command| matches!(command, Command::Append(_)));
        *self.engine.draining.borrow() && !is_written
    }

    /// Does the first that can be done at once; if there is none, waits for what comes first.
    async fn perform(
        &mut self,
        commands: Vec<Command>,
        mark: u64,
        subject: &Result<Subject, String>,
        work: &mut Work,
    ) -> Result<(), JournalError> {
        let mut wait = Wait::new(work.is_empty());
        let due = commands.iter().find_map(|command| match command {
            Command::NotAfter(at) => Some(*at),
            _ => None,
        });
        for command in commands {
            match command {
                Command::Append(bodies) => return self.append(bodies, mark).await,
                Command::AskGates => return self.ask_gates(subject).await,
                Command::Query(query) => return self.ask_source(*query).await,
                Command::Invoke(invoke) if invoke.in_turn && self.turn.is_some() => wait.wants_turn = true,
                Command::OpenRun(sub) if self.turn.is_some() && sub.stop.is_none() => wait.wants_turn = true,
                Command::Invoke(invoke) if self.has_room(work) => {
                    return self.begin(*invoke, (mark, due), work).await;
                }
                Command::OpenRun(sub) => return self.open_run(*sub, subject, mark).await,
                other => wait.add(other),
            }
        }
        for awaited in &wait.awaited {
            if self.look_at(awaited).await? {
                return Ok(());
            }
        }
        self.wait_for(wait, mark, work).await
    }

    async fn wait_for(&mut self, wait: Wait, mark: u64, work: &mut Work) -> Result<(), JournalError> {
        if wait.is_for_its_turn() {
            self.step_aside();
        } else if wait.idle {
            self.let_go();
        }
        if wait.wants_turn {
            self.ask_turn();
        }
        self.live.parked.store(wait.idle && !wait.wants_turn, Ordering::Release);
        tokio::select! {
            Some(ended) = work.next(), if !work.is_empty() => ended?,
            () = self.time(wait.until()) => {}
            () = self.drained(), if work.is_empty() => {}
            () = self.cancelled_since(mark) => {}
            () = self.live.touched.notified() => {}
            () = self.any_ended(&wait.awaited) => {}
            () = self.turn_comes(), if wait.wants_turn => self.take_turn().await?,
        }
        self.live.parked.store(false, Ordering::Release);
        Ok(())
    }

    /// Once; the answer may come later than the run is looked at again.
    fn ask_turn(&mut self) {
        if let Some(ask) = self.turn.as_ref().filter(|_| !self.asked_turn) {
            // The round lives as long as its runs.
            let _ = ask.send(self.live.id);
            self.asked_turn = true;
        }
    }

    async fn take_turn(&mut self) -> Result<(), JournalError> {
        self.turn = None;
        self.live.recorder.append(vec![Body::Turn]).await
    }

    async fn append(&self, bodies: Vec<Body>, mark: u64) -> Result<(), JournalError> {
        let overdue = bodies.iter().any(|body| matches!(body, Body::Overdue { .. }));
        let appended = self.live.recorder.append_after(mark, bodies).await?;
        if overdue && matches!(appended, Append::Done) {
            self.live.cancelled.send_replace(true);
        }
        Ok(())
    }

    fn has_room(&self, work: &Work) -> bool {
        let most = self.runbook.as_ref().map_or(1, |runbook| runbook.limits.parallel.get());
        work.len() < most as usize
    }

    /// None: never.
    pub(super) async fn time(&self, at: Option<DateTime<Utc>>) {
        match at {
            Some(at) => sleep_until(&*self.engine.ports.clock, at).await,
            None => std::future::pending().await,
        }
    }

    /// Ends when it is its turn in its round.
    async fn turn_comes(&self) {
        // The sender lives as long as `live`.
        let _ = self.live.turn.subscribe().wait_for(|turn| *turn).await;
    }

    /// Others may work in its place while it waits for its turn, which needs a place too; what it planned
    /// for its target it keeps.
    fn step_aside(&mut self) {
        self.permit = None;
        if let Some(taken) = &mut self.taken {
            taken.leave_berth();
        }
    }

    /// Others may work on the target, and in its place, while it waits for people.
    fn let_go(&mut self) {
        self.permit = None;
        if let Some(taken) = self.taken.take() {
            taken.give_back();
        }
    }

    /// An invocation, which comes to its end as part of `work`.
    async fn begin(
        &mut self,
        invoke: Invoke,
        (mark, due): (u64, Option<DateTime<Utc>>),
        work: &mut Work,
    ) -> Result<(), JournalError> {
        if !self.take_target(mark, due).await || !self.take_permit(Some((mark, due))).await? {
            return Ok(());
        }
        if due.is_some_and(|due| due <= self.engine.ports.clock.now()) {
            return Ok(());
        }
        let (begun, start) = self.start(&invoke).await?;
        let Append::Done = self.live.recorder.append_after(mark, vec![begun]).await? else {
            return Ok(());
        };
        if let Some(start) = start {
            let (engine, live) = (Arc::clone(&self.engine), Arc::clone(&self.live));
            let (logged, invocation) = (start.logged(), self.invocation(invoke, start));
            work.push(Box::pin(called(engine, live, invocation, logged)));
        }
        Ok(())
    }

    /// The event that an invocation begins with, or goes on with; without a start it can't be gone
    /// on with, and the event says why.
    async fn start(&self, invoke: &Invoke) -> Result<(Body, Option<Start>), JournalError> {
        if invoke.resumes {
            return Ok(match self.recorded(&invoke.key).await? {
                Ok(recording) => (
                    Body::Resumed {
                        key: invoke.key.clone(),
                    },
                    Some(Start::Resumed(Arc::new(recording))),
                ),
                Err(why) => (diverged(&invoke.key, &why), None),
            });
        }
        let seed = seed();
        let given = Given {
            seed,
            timeout: invoke.timeout,
            limits: invoke.limits.clone(),
        };
        let invoked = Body::Invoked {
            key: invoke.key.clone(),
            plugin: invoke.plugin.clone(),
            params: invoke.params.clone(),
            given: Some(Box::new(given)),
            before: invoke.before.clone(),
        };
        Ok((invoked, Some(Start::New(seed))))
    }

    /// What there is of an invocation that was interrupted.
    async fn recorded(&self, key: &Key) -> Result<Result<Recording, Unrecorded>, JournalError> {
        let events = self
            .engine
            .ports
            .journal
            .events(self.live.id)
            .await?
            .unwrap_or_default();
        let mut recordings = recording::recordings(self.live.id, &events).into_iter();
        let found = recordings.rfind(|(of, _)| of == key);
        Ok(found.map_or(Err(Unrecorded::Work), |(_, recording)| recording))
    }

    fn invocation(&self, invoke: Invoke, start: Start) -> Invocation {
        let cancelled = if invoke.interruptible {
            self.live.cancelled.subscribe()
        } else {
            self.engine.never.subscribe()
        };
        Invocation {
            run: self.live.id,
            runbook: invoke.runbook,
            mode: invoke.mode,
            key: invoke.key,
            plugin: invoke.plugin,
            work: invoke.work,
            spent: invoke.spent,
            seed: start.seed(),
            resume: start.recording(),
            params: invoke.params,
            input: invoke.input,
            target: invoke.target,
            access: invoke.access,
            timeout: start.given().map_or(invoke.timeout, |given| given.timeout),
            limits: start.given().map_or(invoke.limits, |given| given.limits.clone()),
            cancelled,
        }
    }

    /// Ends when the run is cancelled, or is told to stop for now.
    pub(super) async fn told_to_stop(&self) {
        tokio::select! {
            () = self.drained() => {}
            // The sender lives as long as `live`.
            _ = async { self.live.cancelled.subscribe().wait_for(|cancelled| *cancelled).await.map(|_| ()) } => {}
        }
    }

    pub(super) async fn drained(&self) {
        // The sender lives as long as the engine.
        let _ = self.engine.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Ends when anything is said of the run after this [`Run::mark`](crate::run::Run::mark): somebody
    /// wants it to stop.
    pub(super) async fn cancelled_since(&self, mark: u64) {
        let (now, cancelled) = self.live.recorder.read(|run| (run.mark, run.cancel.is_some()));
        if now != mark {
            return;
        }
        let stop = if cancelled {
            &self.live.killed
        } else {
            &self.live.cancelled
        };
        if *stop.borrow() {
            return std::future::pending().await;
        }
        // The sender lives as long as `live`.
        let _ = stop.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// Calls the plugin, and records how that ended.
async fn called(engine: Arc<Engine>, live: Arc<Live>, invocation: Invocation, logged: u64) -> Result<(), JournalError> {
    let key = invocation.key.clone();
    let bound = invocation.timeout.saturating_add(BEYOND_DEADLINE);
    let calls = InvocationCalls::new(Arc::clone(&live.recorder), key.clone(), logged);
    let ended = engine
        .ports
        .plugins
        .invoke(invocation, Arc::clone(&calls) as Arc<dyn Calls>);
    let mut killed = live.killed.subscribe();
    let outcome = tokio::select! {
        ended = tokio::time::timeout(bound, ended) => ended.unwrap_or_else(|_| Outcome::Stopped {
            stop: Stop::Deadline,
            message: "the sandbox did not come back from it".into(),
        }),
        // The sender lives as long as `live`.
        _ = killed.wait_for(|killed| *killed) => Outcome::Stopped {
            stop: Stop::Cancelled,
            message: "the run was killed".into(),
        },
    };
    calls.close();
    live.recorder.append(vec![Body::Ended { key, outcome }]).await
}

/// Drawn here, because what decides is pure.
fn seed() -> Seed {
    let mut seed = Seed::default();
    rand::rng().fill_bytes(&mut seed.0);
    seed
}
