//! One run: asks what to do, does it, and asks again.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::tape::{Given, Seed};
use rand::Rng as _;

use super::sleep_until;
use crate::berths::Queued;
use crate::capacity::Place;
use crate::decide::{Command, Invoke, Subject, decide};
use crate::engine::Engine;
use crate::live::{Live, Taken};
use crate::port::{Calls, Invocation, JournalError};
use crate::record::{Append, InvocationCalls};

/// The sandbox keeps an invocation's deadline. If it should not come back, the run is not lost
/// with it: so much longer is waited, which is enough for a slow compilation.
const BEYOND_DEADLINE: Duration = Duration::from_secs(300);

/// A run on its way, with what it holds: its place among the runs that go at once, and its target.
pub(crate) struct Course {
    pub(super) engine: Arc<Engine>,
    pub(super) live: Arc<Live>,
    subject: Option<Result<Subject, String>>,
    pub(super) permit: Option<Place>,
    pub(super) taken: Option<Taken>,
    /// Its place in the queue of its runbook, once it was told that there is one at work.
    pub(super) queued: Option<Queued>,
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
    ) -> Self {
        Self {
            engine,
            live,
            subject: Some(subject),
            permit: None,
            taken,
            queued: None,
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
            Command::Invoke(invoke) => self.invoke(*invoke, seq).await,
        }
    }

    async fn invoke(&mut self, invoke: Invoke, seq: u64) -> Result<Performed, JournalError> {
        if !self.take_target(seq).await || !self.take_permit().await? {
            return Ok(Performed::Again);
        }
        let seed = seed();
        let invoked = Body::Invoked {
            key: invoke.key.clone(),
            plugin: invoke.plugin.clone(),
            params: invoke.params.clone(),
            given: Some(Box::new(Given {
                seed,
                timeout: invoke.timeout,
                limits: invoke.limits.clone(),
            })),
        };
        if let Append::Stale = self.live.recorder.append_after(seq, vec![invoked]).await? {
            return Ok(Performed::Again);
        }
        let key = invoke.key.clone();
        let calls = InvocationCalls::new(Arc::clone(&self.live.recorder), key.clone());
        let bound = invoke.timeout.saturating_add(BEYOND_DEADLINE);
        let called = self
            .engine
            .ports
            .plugins
            .invoke(self.invocation(invoke, seed), Arc::clone(&calls) as Arc<dyn Calls>);
        let outcome = tokio::time::timeout(bound, called)
            .await
            .unwrap_or_else(|_| Outcome::Stopped {
                stop: Stop::Deadline,
                message: "the sandbox did not come back from it".into(),
            });
        calls.close();
        self.live.recorder.append(vec![Body::Ended { key, outcome }]).await?;
        Ok(Performed::Next)
    }

    fn invocation(&self, invoke: Invoke, seed: Seed) -> Invocation {
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
            params: invoke.params,
            input: invoke.input,
            target: invoke.target,
            access: invoke.access,
            timeout: invoke.timeout,
            limits: invoke.limits,
            seed,
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

/// Drawn here, because what decides is pure.
fn seed() -> Seed {
    let mut seed = Seed::default();
    rand::rng().fill_bytes(&mut seed.0);
    seed
}
