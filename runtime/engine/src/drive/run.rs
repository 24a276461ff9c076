//! One run: asks what to do, does it, and asks again.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::invocation::{Key, Outcome, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::Runbook;
use evenkeel_model::tape::{Given, Seed};
use rand::Rng as _;
use tokio::sync::mpsc::UnboundedSender;

use super::sleep_until;
use super::start::Start;
use crate::berths::Queued;
use crate::capacity::Place;
use crate::decide::{self, Command, Invoke, Subject, decide};
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
}

/// How this process left a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Finished(Verdict),
    /// Before its end: the next start goes on with it.
    Left,
}

/// What is to be done after a command.
pub(super) enum Performed {
    Next,
    /// The state is not the one that was decided from.
    Again,
}

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
        }
    }

    pub(crate) async fn go(mut self) -> Result<End, JournalError> {
        let subject = self
            .subject
            .take()
            .unwrap_or_else(|| Err("the run has no subject".into()));
        loop {
            let now = self.engine.ports.clock.now();
            let (mut seq, finished, commands) = self.live.recorder.read(|run| {
                let verdict = run.finished.as_ref().map(|finished| finished.verdict);
                (
                    run.seq,
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
                return Ok(End::Left);
            }
            for command in commands {
                match self.perform(command, seq, &subject).await? {
                    Performed::Next => seq = self.live.recorder.read(|run| run.seq),
                    Performed::Again => break,
                }
            }
        }
    }

    /// A drain begins nothing any more; what has happened is still written down.
    fn is_to_be_left(&self, commands: &[Command]) -> bool {
        let only_written = commands.iter().all(|command| matches!(command, Command::Append(_)));
        *self.engine.draining.borrow() && !only_written
    }

    async fn perform(
        &mut self,
        command: Command,
        seq: u64,
        subject: &Result<Subject, String>,
    ) -> Result<Performed, JournalError> {
        match command {
            Command::Append(bodies) => Ok(match self.live.recorder.append_after(seq, bodies).await? {
                Append::Done => Performed::Next,
                Append::Stale => Performed::Again,
            }),
            Command::AskGates => match subject {
                Ok(subject) => self.ask_gates(subject).await,
                Err(_) => Ok(Performed::Again),
            },
            Command::SleepUntil(at) => {
                tokio::select! {
                    () = sleep_until(&*self.engine.ports.clock, at) => {}
                    () = self.drained() => {}
                    () = self.cancelled_since(seq) => {}
                }
                Ok(Performed::Again)
            }
            Command::AwaitDecision(until) => {
                self.let_go();
                tokio::select! {
                    () = sleep_until(&*self.engine.ports.clock, until) => {}
                    () = self.drained() => {}
                    () = self.cancelled_since(seq) => {}
                    () = self.live.touched.notified() => {}
                }
                Ok(Performed::Again)
            }
            Command::Invoke(invoke) => self.invoke(*invoke, seq).await,
            Command::Query(query) => self.ask_source(*query).await,
        }
    }

    /// Its turn in its round; false: the state may be another one by now.
    async fn take_turn(&mut self, seq: u64) -> bool {
        let Some(ask) = &self.turn else { return true };
        // The round lives as long as its runs.
        let _ = ask.send(self.live.id);
        self.permit = None;
        // Whose turn it is needs a place too: nobody keeps one while waiting for that.
        if let Some(taken) = &mut self.taken {
            taken.leave_berth();
        }
        let mut turn = self.live.turn.subscribe();
        tokio::select! {
            _ = turn.wait_for(|turn| *turn) => {}
            () = self.drained() => return false,
            () = self.cancelled_since(seq) => return false,
        }
        self.turn = None;
        true
    }

    /// Others may work on the target, and in its place, while it waits for people.
    fn let_go(&mut self) {
        self.permit = None;
        if let Some(taken) = self.taken.take() {
            taken.give_back();
        }
    }

    async fn invoke(&mut self, invoke: Invoke, seq: u64) -> Result<Performed, JournalError> {
        if invoke.in_turn && self.turn.is_some() {
            if self.take_turn(seq).await {
                self.live.recorder.append(vec![Body::Turn]).await?;
            }
            return Ok(Performed::Again);
        }
        if !self.take_target(seq).await || !self.take_permit().await? {
            return Ok(Performed::Again);
        }
        let key = invoke.key.clone();
        let (begun, start) = self.start(&invoke).await?;
        if let Append::Stale = self.live.recorder.append_after(seq, vec![begun]).await? {
            return Ok(Performed::Again);
        }
        let Some(start) = start else {
            return Ok(Performed::Next);
        };
        let calls = InvocationCalls::new(Arc::clone(&self.live.recorder), key.clone(), start.logged());
        let bound = invoke.timeout.saturating_add(BEYOND_DEADLINE);
        let called = self
            .engine
            .ports
            .plugins
            .invoke(self.invocation(invoke, start), Arc::clone(&calls) as Arc<dyn Calls>);
        let called = tokio::time::timeout(bound, called);
        tokio::pin!(called);
        let mut told = false;
        let outcome = loop {
            tokio::select! {
                done = &mut called => break done.unwrap_or_else(|_| Outcome::Stopped {
                    stop: Stop::Deadline,
                    message: "the sandbox did not come back from it".into(),
                }),
                () = self.killed() => break Outcome::Stopped {
                    stop: Stop::Cancelled,
                    message: "the run was killed".into(),
                },
                why = self.overdue(), if !told => {
                    told = true;
                    self.live.recorder.append(vec![Body::Overdue { why }]).await?;
                    self.live.cancelled.send_replace(true);
                }
            }
        };
        calls.close();
        self.live.recorder.append(vec![Body::Ended { key, outcome }]).await?;
        Ok(Performed::Next)
    }

    async fn killed(&self) {
        // The sender lives as long as `live`.
        let _ = self.live.killed.subscribe().wait_for(|killed| *killed).await;
    }

    /// Ends when the run's deadline is over, and says so.
    async fn overdue(&self) -> String {
        let deadline = self.runbook.as_ref().and_then(|runbook| runbook.limits.deadline);
        let due = deadline.and_then(|deadline| self.live.recorder.read(|run| run.due(deadline)));
        let stops = self.live.recorder.read(|run| run.cancel.is_some());
        match (deadline, due) {
            (Some(deadline), Some(due)) if !stops => {
                sleep_until(&*self.engine.ports.clock, due).await;
                decide::late(deadline, due)
            }
            _ => std::future::pending().await,
        }
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

    /// Ends when anything is said of the run after event `seq`: somebody wants it to stop.
    pub(super) async fn cancelled_since(&self, seq: u64) {
        let (now, cancelled) = self.live.recorder.read(|run| (run.seq, run.cancel.is_some()));
        if now != seq {
            return;
        }
        if cancelled {
            return std::future::pending().await;
        }
        // The sender lives as long as `live`.
        let _ = self.live.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

fn diverged(key: &Key, why: &Unrecorded) -> Body {
    Body::Ended {
        key: key.clone(),
        outcome: Outcome::Stopped {
            stop: Stop::Diverged,
            message: format!("it was interrupted, and can't be gone on with: {why}"),
        },
    }
}

/// Drawn here, because what decides is pure.
fn seed() -> Seed {
    let mut seed = Seed::default();
    rand::rng().fill_bytes(&mut seed.0);
    seed
}
