//! `state`: what a plugin remembers for one runbook, step and target.

mod overlay;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::Work;
use evenkeel_engine::port::memory::{Memory, MemoryError, Owner, Put, Remembered, Usage};
use evenkeel_model::call::{Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::run::Mode;
use serde_json::{Value, json};

use super::journal;
use crate::bindings::evenkeel::cap::state;
use crate::call::Admitted;
use crate::state::{State, patience};
use crate::wait;

pub use overlay::Overlay;

/// Of a key, in bytes. Not empty.
const KEY: usize = 256;
/// Of a value, in bytes.
const VALUE: usize = 64 << 10;
/// Keys of one answer.
const PAGE: u32 = 1_000;
/// The longest that the journal's disk may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Left to the plugin of its time when that disk takes too long.
const MARGIN: Duration = Duration::from_millis(500);

type Answer<T> = wasmtime::Result<Result<T, state::StateError>>;

impl state::Host for State {
    async fn get(&mut self, key: String) -> Answer<Option<state::Entry>> {
        let call = call("get", &key, json!({ "key": key }));
        let ((), ticket) = admitted!(self.admit(call, &[], Ok(())).await?, state::StateError);
        let (memory, owner) = (self.memory(), self.owner());
        let got = async {
            fits(&key, 0)?;
            memory.get(&owner, &key).await
        };
        let answer = self.in_time(got).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(|entry| entry.map(Into::into)).map_err(Into::into))
    }

    async fn put(&mut self, key: String, value: Vec<u8>, if_version: Option<u64>) -> Answer<u64> {
        let request = json!({ "key": key, "value": journal::bytes(&value), "if-version": if_version });
        let call = call("put", &key, request);
        let allowed = self.holds_no_secret(&key, &value);
        let ticket = match self.admit(call, &[], allowed).await? {
            Admitted::Live((), ticket) => ticket,
            Admitted::Answered(answer) => {
                let put = |version: &u64| {
                    Some(Remembered {
                        value,
                        version: *version,
                    })
                };
                self.recall(&key, answer.as_ref().map(put)).await;
                return Ok(answer);
            }
        };
        self.discard_if_planning();
        let put = Put {
            write: self.write(ticket.number()),
            if_version,
            quota: self.quota(),
            value,
        };
        let (memory, owner) = (self.memory(), self.owner());
        let written = async {
            fits(&key, put.value.len())?;
            memory.put(&owner, &key, put).await
        };
        let answer = self.in_time(written).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        let call = call("delete", &key, json!({ "key": key }));
        let ticket = match self.admit(call, &[], Ok(())).await? {
            Admitted::Live((), ticket) => ticket,
            Admitted::Answered(answer) => {
                self.recall(&key, answer.as_ref().map(|()| None)).await;
                return Ok(answer);
            }
        };
        self.discard_if_planning();
        let (memory, owner) = (self.memory(), self.owner());
        let deleted = async {
            fits(&key, 0)?;
            memory.delete(&owner, &key).await
        };
        let answer = self.in_time(deleted).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn keys(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<Vec<String>> {
        let request = json!({ "prefix": prefix, "after": after, "limit": limit });
        let call = call("keys", &prefix, request);
        let ((), ticket) = admitted!(self.admit(call, &[], Ok(())).await?, state::StateError);
        let page = limit.min(PAGE);
        let (memory, owner) = (self.memory(), self.owner());
        let listed = memory.keys(&owner, &prefix, after.as_deref(), page);
        let answer = self.in_time(listed).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }
}

impl State {
    /// A later invocation would read it, and not know that it is one.
    fn holds_no_secret(&self, key: &str, value: &[u8]) -> Result<(), String> {
        let is_held = self.redactor.bytes(key.as_bytes()).is_some() || self.redactor.bytes(value).is_some();
        match is_held {
            true => Err("what a plugin remembers may not hold the value of a secret".into()),
            false => Ok(()),
        }
    }

    /// While planning and in a dry run, what is put is seen by this invocation alone.
    fn discard_if_planning(&mut self) {
        let planning = matches!(self.invocation.work, Work::Plan) || self.invocation.mode == Mode::DryRun;
        if planning && self.overlay.is_none() {
            self.overlay = Some(Arc::new(Overlay::over(Arc::clone(&self.ports.memory))));
            let phase = self.invocation.key.phase;
            let note =
                format!("what this {phase} puts into its memory is discarded: a plan and a dry run keep nothing");
            self.log.write(Level::Info, &note, Vec::new());
        }
    }

    /// What was put before an interruption is there again, if it was kept in this process alone.
    async fn recall(&mut self, key: &str, entry: Result<Option<Remembered>, &state::StateError>) {
        // A denial is answered in this form, too; it came before anything was discarded.
        if matches!(entry, Err(state::StateError::Io(_))) {
            return;
        }
        self.discard_if_planning();
        if let (Some(overlay), Ok(entry)) = (self.overlay.clone(), entry) {
            overlay.recall(&self.owner(), key, entry).await;
        }
    }

    /// What to write to.
    fn memory(&self) -> Arc<dyn Memory> {
        match &self.overlay {
            Some(overlay) => overlay.clone(),
            None => self.ports.memory.clone(),
        }
    }

    fn owner(&mut self) -> Arc<Owner> {
        let invocation = &self.invocation;
        let owner = self.owner.get_or_insert_with(|| {
            Arc::new(Owner {
                plugin: invocation.plugin.name.clone(),
                runbook: invocation.runbook.clone(),
                step: invocation.key.step.clone(),
                target: invocation.target.id.clone(),
            })
        });
        Arc::clone(owner)
    }

    /// The invocation is not kept waiting for longer than it has patience.
    fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, MemoryError>>,
    ) -> impl Future<Output = Result<T, MemoryError>> {
        let (began, timeout) = (self.began(), self.invocation.timeout);
        let time = move || patience(timeout.saturating_sub(began.elapsed()), PATIENCE, MARGIN);
        async move {
            let done = wait::within(work, time).await;
            done.unwrap_or_else(|| Err(MemoryError::Io("it took too long".into())))
        }
    }

    fn quota(&self) -> Usage {
        Usage {
            keys: self.invocation.limits.state_keys,
            bytes: self.invocation.limits.state_bytes,
        }
    }

    /// The same when the call is made again after a crash, and of no other call.
    fn write(&self, n: u32) -> String {
        let key = &self.invocation.key;
        let action = key.action.as_deref().unwrap_or_default();
        let (run, step, phase, attempt) = (self.invocation.run, &key.step, key.phase, key.attempt);
        format!("{run}/{step}/{phase}/{attempt}/{n}/{action}")
    }
}

fn fits(key: &str, value: usize) -> Result<(), MemoryError> {
    match key.is_empty() || key.len() > KEY || value > VALUE {
        true => Err(MemoryError::TooLarge),
        false => Ok(()),
    }
}

/// Subject: the key.
fn call(operation: &str, key: &str, request: Value) -> Call {
    Call {
        capability: Capability::State,
        operation: operation.to_owned(),
        subject: key.to_owned(),
        request,
        content: None,
        effect: false,
        repeatable: true,
    }
}

impl From<Remembered> for state::Entry {
    fn from(remembered: Remembered) -> Self {
        Self {
            value: remembered.value,
            version: remembered.version,
        }
    }
}

impl From<MemoryError> for state::StateError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Quota => Self::Quota,
            MemoryError::TooLarge => Self::TooLarge,
            MemoryError::Conflict => Self::Conflict,
            MemoryError::Io(why) => Self::Io(why),
        }
    }
}
