//! What the host keeps for one invocation, beside the instance.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use evenkeel_engine::port::memory::Owner;
use evenkeel_engine::port::{Calls, Invocation, Work};
use evenkeel_model::secret;
use tokio::sync::Notify;
use wasmtime::UpdateDeadline;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::allowance::Allowance;
use crate::capability::{Compiled, Overlay};
use crate::describe::Unheard;
use crate::engine::TICK;
use crate::halt::Halt;
use crate::limiter::Limiter;
use crate::log::Log;
use crate::ports::Ports;
use crate::redact::Redactor;
use crate::replay::Replay;
use crate::tape;
use crate::wasi;

/// The data of a store. Dropped with it when the invocation is over, whatever came of it.
pub struct State {
    pub invocation: Invocation,
    pub calls: Arc<dyn Calls>,
    pub ports: Ports,
    pub limiter: Limiter,
    pub log: Arc<Log>,
    pub signals: Arc<Signals>,
    /// What an action may change. Nothing else has one.
    pub allowance: Option<Allowance>,
    /// Why an effect was denied that the action does not declare. It fails for that, whatever it answers.
    pub undeclared: Option<String>,
    /// Patterns of arguments that were needed so far.
    pub compiled: Compiled,
    /// What a plan or a dry run put into its memory.
    pub overlay: Option<Arc<Overlay>>,
    /// Capability calls so far; the number of the next.
    pub made: u32,
    /// Calls of `run` and `log` so far.
    pub asked: u64,
    /// What the journal took so far, in bytes.
    pub journaled: usize,
    pub progressed: u64,
    /// What is kept out of all that leaves this invocation.
    pub redactor: Redactor,
    /// Values of secrets that were needed so far, by the names that the plugin passes.
    pub fetched: HashMap<String, secret::Value>,
    /// What was sensed since the last call.
    pub tape: tape::Writer,
    /// Inputs that were asked for, as JSON.
    pub heard: HashMap<String, Option<String>>,
    /// Where all answers come from, if this is a replay.
    pub replay: Option<Box<Replay>>,
    /// The secrets of what was replayed are not known yet.
    pub unlearned: bool,
    pub table: ResourceTable,
    /// Whose memory `state` is; made when it is asked for.
    pub owner: Option<Arc<Owner>>,
    started: Instant,
    /// How long it was under way before that, if it was interrupted.
    before: Duration,
    cpu: Cpu,
    wasi: Option<WasiCtx>,
}

impl State {
    pub fn new(invocation: Invocation, calls: Arc<dyn Calls>, ports: Ports) -> Self {
        let limits = &invocation.limits;
        let before = invocation
            .resume
            .as_ref()
            .map_or(Duration::ZERO, |recording| recording.elapsed);
        let redactor = Redactor::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            limiter: Limiter::new(limits.memory_bytes),
            log: Arc::new(Log::new(
                Arc::clone(&calls),
                redactor.clone(),
                limits.log_lines,
                limits.log_bytes,
            )),
            signals: Arc::default(),
            allowance: match &invocation.work {
                Work::Check | Work::Plan | Work::Collect | Work::Send(_) => None,
                Work::Apply(action) => Some(Allowance::new(&action.effects, &invocation.spent)),
                Work::Rollback(action, _) => Some(Allowance::new(&action.undo_effects, &invocation.spent)),
            },
            undeclared: None,
            compiled: Compiled::default(),
            overlay: None,
            made: 0,
            asked: 0,
            journaled: 0,
            progressed: 0,
            redactor,
            fetched: HashMap::new(),
            tape: tape::Writer::default(),
            heard: HashMap::new(),
            replay: invocation.resume.as_deref().map(|recording| {
                let going_on = Replay::going_on(recording.clone());
                Box::new(going_on)
            }),
            unlearned: false,
            owner: None,
            started: ago(before),
            before,
            cpu: Cpu::new(limits.cpu),
            wasi: None,
            table,
            invocation,
            calls,
            ports,
        }
    }

    /// Of a replay, whose answers come at once. It has CPU time of its own, because this machine may
    /// be slower than the one of then.
    pub fn replaying(invocation: Invocation, ports: Ports, replay: Replay, cpu: Duration) -> Self {
        let mut state = Self::new(invocation, Arc::new(Unheard), ports);
        state.cpu = Cpu::new(cpu);
        state.replay = Some(Box::new(replay));
        state
    }

    /// Whether what comes next is to be asked of the world, and not of a record.
    pub fn is_live(&mut self) -> bool {
        if self.replay.as_ref().is_some_and(|replay| replay.is_live_now()) {
            self.go_live();
        }
        self.replay.is_none()
    }

    /// The record of an invocation that is gone on with is over.
    pub fn go_live(&mut self) {
        let Some(replay) = self.replay.take() else { return };
        let tape = replay.into_tape();
        // Its clock doesn't go backwards, and the time when nobody was there isn't its own.
        let replayed = Duration::from_micros(tape.monotonic());
        self.started = ago(self.before.max(replayed));
        self.tape = tape::Writer::after(tape);
        self.unlearned = true;
    }

    /// When it would have begun, had it never been interrupted.
    pub fn began(&self) -> Instant {
        self.started
    }

    /// Since the invocation began, but for the time when it was interrupted.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is left before the host stops this invocation.
    pub fn remaining(&self) -> Duration {
        self.invocation.timeout.saturating_sub(self.elapsed())
    }

    /// For how long one call may take at most, so that the plugin gets its answer, and a moment
    /// to do something about it, before it is stopped itself.
    pub fn patience(&self, wish: Duration, margin: Duration) -> Duration {
        patience(self.remaining(), wish, margin)
    }

    pub fn is_cancelled(&self) -> bool {
        *self.invocation.cancelled.borrow()
    }

    /// A host call took so long: that was not the plugin's CPU time.
    pub fn waited(&mut self, took: Duration) {
        self.cpu.waited = self.cpu.waited.saturating_add(took);
    }

    /// Every 10 ms while the plugin computes.
    pub fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.signals.is_stopping() {
            return Err(Halt::cancelled().into());
        }
        if !self.cpu.spend() {
            return Err(Halt::cpu(self.invocation.limits.cpu).into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }
}

fn ago(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(span).unwrap_or(now)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Most plugins never ask for any of it.
        let ctx = self
            .wasi
            .get_or_insert_with(|| wasi::nothing(&self.log, self.invocation.seed));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

/// The same, with so much left.
pub fn patience(remaining: Duration, wish: Duration, margin: Duration) -> Duration {
    wish.min(remaining.saturating_sub(margin).max(remaining / 2))
}

/// CPU time in ticks.
struct Cpu {
    left: u64,
    /// Of the time since the last tick, what host calls took.
    waited: Duration,
}

impl Cpu {
    fn new(budget: Duration) -> Self {
        let ticks = budget.as_nanos().div_ceil(TICK.as_nanos());
        Self {
            left: u64::try_from(ticks).unwrap_or(u64::MAX),
            waited: Duration::ZERO,
        }
    }

    /// Whether there is some left. A tick that a host call brought about is not counted; calls
    /// are, so that is no way to compute for nothing.
    fn spend(&mut self) -> bool {
        if std::mem::take(&mut self.waited) < TICK {
            self.left = self.left.saturating_sub(1);
        }
        self.left > 0
    }
}

/// Between the invocation and who watches over it.
#[derive(Default)]
pub struct Signals {
    stopping: AtomicBool,
    in_effect: AtomicBool,
    effect_over: Notify,
}

impl Signals {
    /// From now on nothing more is called or computed.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub fn effect_begins(&self) {
        self.in_effect.store(true, Ordering::Relaxed);
    }

    pub fn effect_ends(&self) {
        self.in_effect.store(false, Ordering::Relaxed);
        self.effect_over.notify_one();
    }

    pub fn is_in_effect(&self) -> bool {
        self.in_effect.load(Ordering::Relaxed)
    }

    /// Returns when no effect is under way: one that was begun is not torn.
    pub async fn no_effect(&self) {
        while self.is_in_effect() {
            self.effect_over.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_counted_in_ticks_without_host_calls() {
        let mut cpu = Cpu::new(Duration::from_millis(25));
        assert!(cpu.spend());
        cpu.waited = Duration::from_secs(1);
        assert!(cpu.spend(), "the host was busy, not the plugin");
        assert!(cpu.spend());
        assert!(!cpu.spend());
    }
}
