//! `process`: processes that a profile of the operator's selects.

use evenkeel_model::grant::Capability;

use crate::bindings::evenkeel::cap::process;
use crate::state::State;

impl process::Host for State {
    async fn select(&mut self, profile: String) -> wasmtime::Result<Result<Vec<process::Info>, process::ProcessError>> {
        self.absent(Capability::Process, "select", &profile).await
    }

    async fn send(
        &mut self,
        profile: String,
        _: u32,
        _: u64,
        _: process::Signal,
    ) -> wasmtime::Result<Result<(), process::ProcessError>> {
        self.absent(Capability::Process, "send", &profile).await
    }
}
