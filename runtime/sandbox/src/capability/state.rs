//! `state`: what a plugin remembers.

use evenkeel_model::grant::Capability;

use crate::bindings::evenkeel::cap::state;
use crate::state::State;

impl state::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<state::Entry>, state::StateError>> {
        self.absent(Capability::State, "get", &key).await
    }

    async fn put(
        &mut self,
        key: String,
        _: Vec<u8>,
        _: Option<u64>,
    ) -> wasmtime::Result<Result<u64, state::StateError>> {
        self.absent(Capability::State, "put", &key).await
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::StateError>> {
        self.absent(Capability::State, "delete", &key).await
    }

    async fn keys(
        &mut self,
        prefix: String,
        _: Option<String>,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<String>, state::StateError>> {
        self.absent(Capability::State, "keys", &prefix).await
    }
}
