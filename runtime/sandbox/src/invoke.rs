//! One invocation: a fresh instance, one call of one export, and the end of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel_engine::port::Work;
use evenkeel_engine::recording::Replayed;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Class, Failure, Outcome, Stop};
use evenkeel_model::plugin::Kind;
use tokio::sync::watch;
use wasmtime::component::{Instance, ResourceTableError};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::bindings::exports::evenkeel::plugin::remedy;
use crate::engine::WASM_STACK;
use crate::halt::{Halt, size};
use crate::lift::{self, Answer};
use crate::loaded::Loaded;
use crate::redact::Redactor;
use crate::state::{Signals, State};
use crate::wait;
use crate::wasi::RANDOM_BYTES;

/// A cancelled plugin may clean up for so long.
const GRACE: Duration = Duration::from_secs(5);
/// An effect that was given up at the deadline may take so long to come to its end.
const SETTLE: Duration = Duration::from_secs(2);
/// Between tries to find room in the pool for an instance with many memories.
const ROOM: Duration = Duration::from_millis(5);

/// Never fails otherwise than by its outcome, and never panics.
pub async fn run(loaded: &Loaded, state: State) -> Outcome {
    let (outcome, state) = to_its_end(loaded, state).await;
    match state.replay {
        Some(replay) => replay.outcome(outcome),
        None => outcome,
    }
}

/// The same of a replay. What was ready at once then is ready at once now, so it has no deadline.
pub async fn replay(loaded: &Loaded, state: State) -> Option<Replayed> {
    let (outcome, state) = to_its_end(loaded, state).await;
    Some(state.replay?.conclude(outcome))
}

async fn to_its_end(loaded: &Loaded, state: State) -> (Outcome, State) {
    let mut store = store(loaded, state);
    let watch = Watch::over(&store);
    let called = watch.until_it_ends(call(loaded, &mut store)).await;
    if store.data().signals.is_in_effect() {
        // What is told and done next must not meet a thread that still changes something.
        let reach = Arc::clone(&store.data().ports.reach);
        reach.settled(SETTLE).await;
    }
    let mut state = store.into_data();
    state.hand_on_senses();
    state.log.close();
    let outcome = match (called, &state.undeclared) {
        (Ok(_), Some(reason)) => undeclared(reason),
        (Ok(answer), None) => lift::outcome(answer, &state.invocation.limits),
        (Err(error), _) => stopped(&error, &state).into(),
    };
    (redacted(outcome, &state.redactor), state)
}

/// Without the values of secrets that were used.
fn redacted(outcome: Outcome, redactor: &Redactor) -> Outcome {
    if redactor.is_idle() {
        return outcome;
    }
    let told = serde_json::to_value(&outcome).and_then(|mut told| {
        let changed = redactor.json(&mut told);
        changed.then(|| serde_json::from_value(told)).transpose()
    });
    match told {
        Ok(told) => told.unwrap_or(outcome),
        // It would have to be in a word of the contract's, or beside a number that JSON lacks.
        Err(_) => Halt::new(
            Stop::Limit,
            "its answer holds the value of a secret where none can be left out",
        )
        .into(),
    }
}

/// An action that tried more than was approved is not one to be believed.
fn undeclared(reason: &str) -> Outcome {
    Outcome::Failed(Failure {
        class: Class::Denied,
        code: "undeclared-effect".into(),
        message: reason.to_owned(),
        details: None,
    })
}

/// The schema of a kind's parameters, as the component itself says it.
pub async fn params_schema(loaded: &Loaded, kind: Kind, state: State) -> Result<Option<String>, Halt> {
    let mut store = store(loaded, state);
    let watch = Watch::over(&store);
    let called = watch.until_it_ends(async {
        let Some(describe) = &loaded.describe else {
            return Ok(None);
        };
        let instance = instantiate(loaded, &mut store).await?;
        let describe = describe.load(&mut store, &instance)?;
        describe.call_params_schema(&mut store, &kind.to_string()).await
    });
    let called = called.await;
    called.map_err(|error| stopped(&error, store.data()))
}

/// What ends an invocation from outside.
struct Watch {
    timeout: Duration,
    began: Instant,
    cancelled: watch::Receiver<bool>,
    signals: Arc<Signals>,
}

impl Watch {
    fn over(store: &Store<State>) -> Self {
        let state = store.data();
        Self {
            timeout: match (&state.replay, &state.invocation.resume) {
                (Some(_), None) => Duration::MAX,
                _ => state.invocation.timeout,
            },
            began: state.began(),
            cancelled: state.invocation.cancelled.clone(),
            signals: Arc::clone(&state.signals),
        }
    }

    async fn until_it_ends<T>(self, work: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        wait::unless(work, || self.end())
            .await
            .unwrap_or_else(|halt| Err(halt.into()))
    }

    async fn end(self) -> Halt {
        let left = self.timeout.saturating_sub(self.began.elapsed());
        tokio::select! {
            biased;
            () = given_up(self.cancelled, &self.signals) => Halt::cancelled(),
            () = tokio::time::sleep(left) => Halt::deadline(self.timeout),
        }
    }
}

fn store(loaded: &Loaded, state: State) -> Store<State> {
    let limits = &state.invocation.limits;
    let (crossing, handles) = (limits.crossing_bytes, limits.handles);
    let mut store = Store::new(loaded.pre.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(crossing);
    store.set_max_component_handles(handles);
    // Before anything of the component runs: it may have a start function.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| store.data_mut().tick());
    store
}

async fn call(loaded: &Loaded, store: &mut Store<State>) -> wasmtime::Result<Answer> {
    let params = store.data().invocation.params.to_string();
    let work = store.data().invocation.work.clone();
    let plugin = &store.data().invocation.plugin;
    let kind = kind(&work);
    if !loaded.has(kind) {
        let message = format!("`{plugin}` exports no `{kind}`");
        return Err(Halt::new(Stop::Load, message).into());
    }
    let instance = instantiate(loaded, store).await?;
    match (work, loaded) {
        (Work::Check, Loaded { check: Some(check), .. }) => {
            let check = check.load(&mut *store, &instance)?;
            Ok(Answer::Findings(check.call_run(store, &params).await?))
        }
        (
            Work::Collect,
            Loaded {
                monitor: Some(monitor), ..
            },
        ) => {
            let monitor = monitor.load(&mut *store, &instance)?;
            Ok(Answer::Samples(monitor.call_collect(store, &params).await?))
        }
        (
            Work::Send(notice),
            Loaded {
                notifier: Some(notifier),
                ..
            },
        ) => {
            let notifier = notifier.load(&mut *store, &instance)?;
            let notice = lift::lower_notice(&notice);
            Ok(Answer::Sent(notifier.call_send(store, &params, &notice).await?))
        }
        (
            work,
            Loaded {
                remedy: Some(remedy), ..
            },
        ) => {
            let remedy = remedy.load(&mut *store, &instance)?;
            call_remedy(&remedy, work, &params, store).await
        }
        _ => Err(Halt::new(Stop::Load, "the kind is not exported").into()),
    }
}

async fn call_remedy(
    remedy: &remedy::Guest,
    work: Work,
    params: &String,
    store: &mut Store<State>,
) -> wasmtime::Result<Answer> {
    match work {
        Work::Apply(action) => {
            let action = lift::lower_action(&action);
            Ok(Answer::Applied(remedy.call_apply(store, params, &action).await?))
        }
        Work::Rollback(action, done) => {
            let (action, done) = (lift::lower_action(&action), done.as_ref().map(lift::lower_applied));
            let undone = remedy.call_rollback(store, params, &action, done.as_ref());
            Ok(Answer::RolledBack(undone.await?))
        }
        _ => Ok(Answer::Plan(remedy.call_plan(store, params).await?)),
    }
}

fn kind(work: &Work) -> Kind {
    match work {
        Work::Check => Kind::Check,
        Work::Plan | Work::Apply(_) | Work::Rollback(..) => Kind::Remedy,
        Work::Collect => Kind::Monitor,
        Work::Send(_) => Kind::Notifier,
    }
}

/// Instances that take more than their share of the pool may have to wait for others to end.
async fn instantiate(loaded: &Loaded, store: &mut Store<State>) -> wasmtime::Result<Instance> {
    loop {
        match loaded.pre.instantiate_async(&mut *store).await {
            Err(error) if error.is::<PoolConcurrencyLimitError>() => tokio::time::sleep(ROOM).await,
            instantiated => return instantiated,
        }
    }
}

/// Returns when a cancelled run had its time. An effect that is under way is not torn.
async fn given_up(mut cancelled: watch::Receiver<bool>, signals: &Signals) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        // Nobody is left who could cancel it.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(GRACE).await;
    signals.stop();
    signals.no_effect().await;
}

/// What ended it, in words for the operator.
fn stopped(error: &wasmtime::Error, state: &State) -> Halt {
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return halt.clone();
    }
    if state.limiter.refused() {
        return Halt::memory(state.invocation.limits.memory_bytes);
    }
    if let Some(halt) = crossed(error, &state.invocation.limits) {
        return halt;
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Halt::new(Stop::Trap, format!("it ended itself with exit code {}", exit.0));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Halt::new(
            Stop::Trap,
            format!("it recursed until its stack of {} was full", size(WASM_STACK)),
        ),
        Some(trap) => {
            let words = state
                .log
                .panic()
                .map_or_else(|| format!("it trapped: {trap}"), |said| format!("it {said}"));
            Halt::new(Stop::Trap, words)
        }
        None => Halt::new(Stop::Trap, format!("it was stopped: {}", error.root_cause())),
    }
}

/// Limits that wasmtime keeps, and names in words of its own.
fn crossed(error: &wasmtime::Error, limits: &SandboxLimits) -> Option<Halt> {
    let words = error.root_cause().to_string();
    let handles = matches!(
        error.downcast_ref::<ResourceTableError>(),
        Some(ResourceTableError::Full)
    ) || words.contains("store handle limit exceeded");
    if words.contains("allocated for hostcalls") {
        let what = format!(
            "it passed or answered more than {} in one call",
            size(limits.crossing_bytes)
        );
        return Some(Halt::limit(what, "crossing"));
    }
    if words.starts_with("requested len ") && words.ends_with(&format!("exceeds limit {RANDOM_BYTES}")) {
        let message = "it asked for more than 64 KiB of random bytes in one call, which no setting raises";
        return Some(Halt::new(Stop::Limit, message));
    }
    let held = || format!("it held more than {} handles at once", limits.handles);
    handles.then(|| Halt::limit(held(), "handles"))
}

#[cfg(test)]
mod tests;
