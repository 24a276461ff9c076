//! `secrets`: values that stay with the host.

use evenkeel_model::grant::Capability;

use crate::bindings::evenkeel::cap::secrets;
use crate::state::State;

impl secrets::Host for State {
    async fn reference(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        self.absent(Capability::Secrets, "reference", &name).await
    }

    // Neither argument is journaled: what a plugin signs may be a secret already.
    async fn hmac_sha256(&mut self, _: String, _: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        self.absent(Capability::Secrets, "hmac-sha256", "").await
    }

    async fn reveal(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        self.absent(Capability::Secrets, "reveal", &name).await
    }
}
