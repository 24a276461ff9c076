//! `process`: processes that a profile of the operator's selects.

use std::time::Duration;

use evenkeel_engine::port::reach::{Process, ProcessError, Signal};
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Processes, Resource};
use serde_json::{Value, json};

use super::{asset, granted};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::process;
use crate::state::State;

/// The longest that a look at the processes may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Left to the plugin of its time when that takes too long.
const MARGIN: Duration = Duration::from_millis(500);

impl process::Host for State {
    async fn select(&mut self, profile: String) -> wasmtime::Result<Result<Vec<process::Info>, process::ProcessError>> {
        let call = call("select", profile.clone(), json!({ "profile": profile }), false);
        let granted = self.processes("see", &profile);
        let ((at, selected), ticket) = admitted!(self.admit(call, &[], granted).await?, process::ProcessError);
        let patience = self.patience(PATIENCE, MARGIN);
        let reach = self.ports.reach.clone();
        let answer = in_time(patience, reach.processes(&at, &selected), ProcessError::Io).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer
            .map(|all| all.into_iter().map(Into::into).collect())
            .map_err(Into::into))
    }

    async fn send(
        &mut self,
        profile: String,
        pid: u32,
        started_ms: u64,
        signal: process::Signal,
    ) -> wasmtime::Result<Result<(), process::ProcessError>> {
        let signal = Signal::from(signal);
        let subject = format!("{} {profile}", signal.as_str());
        let request = json!({ "profile": profile, "pid": pid, "started-ms": started_ms, "signal": signal.as_str() });
        let call = call("send", subject.clone(), request, true);
        let granted = self.processes(signal.as_str(), &profile);
        let uses = [Use {
            capability: "process",
            operation: "send",
            subject,
            content: b"",
        }];
        let admitted = self.admit(call, &uses, granted).await?;
        let ((at, selected), mut ticket) = admitted!(admitted, process::ProcessError);
        self.intend(&mut ticket).await?;
        let patience = self.patience(PATIENCE, MARGIN);
        let reach = self.ports.reach.clone();
        let signalled = reach.signal(&at, &selected, pid, started_ms, signal);
        let answer = in_time(patience, signalled, ProcessError::Lost).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }
}

impl State {
    /// Where the processes are and which, if they may be seen or signalled so.
    fn processes(&self, verb: &str, name: &str) -> Result<(AssetId, Processes), String> {
        let resource = granted(&self.invocation.access, Capability::Process, verb, name)?;
        let Resource::Processes(processes) = resource else {
            return Err(format!("`{name}` is no process profile"));
        };
        Ok((asset(name, &self.invocation.target.id), processes.clone()))
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, ProcessError>>,
    late: fn(String) -> ProcessError,
) -> Result<T, ProcessError> {
    tokio::time::timeout(patience, work)
        .await
        .unwrap_or_else(|_| Err(late("it took too long".into())))
}

/// Subjects: `PROFILE`, and `SIGNAL PROFILE` of the effect.
fn call(operation: &str, subject: String, request: Value, effect: bool) -> Call {
    Call {
        capability: Capability::Process,
        operation: operation.to_owned(),
        subject,
        request,
        content: None,
        effect,
        repeatable: !effect,
    }
}

impl From<process::Signal> for Signal {
    fn from(signal: process::Signal) -> Self {
        match signal {
            process::Signal::Hangup => Self::Hangup,
            process::Signal::Interrupt => Self::Interrupt,
            process::Signal::Quit => Self::Quit,
            process::Signal::Terminate => Self::Terminate,
            process::Signal::Kill => Self::Kill,
            process::Signal::User1 => Self::User1,
            process::Signal::User2 => Self::User2,
        }
    }
}

impl From<Process> for process::Info {
    fn from(process: Process) -> Self {
        Self {
            pid: process.pid,
            name: process.name,
            command: process.command,
            user: process.user,
            state: process.state,
            started_ms: process.started_ms,
            cpu_ms: process.cpu_ms,
            resident_bytes: process.resident_bytes,
            threads: process.threads,
        }
    }
}

impl From<ProcessError> for process::ProcessError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Denied(why) => Self::Denied(why),
            ProcessError::Missing => Self::Missing,
            ProcessError::Io(why) | ProcessError::Lost(why) => Self::Io(why),
        }
    }
}
