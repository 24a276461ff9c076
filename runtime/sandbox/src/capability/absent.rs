//! Capabilities of the contract that this version links and does not provide yet. A call of one
//! is counted, denied and journaled like any other that is denied.

use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use serde_json::json;

use crate::bindings::evenkeel::cap::{metrics, process, secrets, sql, state};
use crate::state::State;

impl State {
    /// The reason.
    async fn absent(&mut self, capability: Capability, operation: &str, name: &str) -> wasmtime::Result<String> {
        let call = Call {
            capability,
            operation: operation.to_owned(),
            subject: name.to_owned(),
            request: json!({ "name": name }),
            content: None,
            effect: false,
            repeatable: true,
        };
        let reason = format!("this version of evenkeel does not provide `{capability}` yet");
        let denied = self.admit(call, &[], Err::<(), _>(reason.clone())).await?;
        Ok(denied.err().unwrap_or(reason))
    }
}

impl metrics::Host for State {
    async fn query(
        &mut self,
        source: String,
        _: String,
        _: Option<u64>,
    ) -> wasmtime::Result<Result<Vec<metrics::Series>, metrics::MetricsError>> {
        Ok(Err(metrics::MetricsError::Denied(
            self.absent(Capability::Metrics, "query", &source).await?,
        )))
    }

    async fn query_range(
        &mut self,
        source: String,
        _: String,
        _: u64,
        _: u64,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<metrics::Series>, metrics::MetricsError>> {
        Ok(Err(metrics::MetricsError::Denied(
            self.absent(Capability::Metrics, "query-range", &source).await?,
        )))
    }
}

impl process::Host for State {
    async fn select(&mut self, profile: String) -> wasmtime::Result<Result<Vec<process::Info>, process::ProcessError>> {
        Ok(Err(process::ProcessError::Denied(
            self.absent(Capability::Process, "select", &profile).await?,
        )))
    }

    async fn send(
        &mut self,
        profile: String,
        _: u32,
        _: u64,
        _: process::Signal,
    ) -> wasmtime::Result<Result<(), process::ProcessError>> {
        Ok(Err(process::ProcessError::Denied(
            self.absent(Capability::Process, "send", &profile).await?,
        )))
    }
}

impl secrets::Host for State {
    async fn reference(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        Ok(Err(secrets::SecretError::Denied(
            self.absent(Capability::Secrets, "reference", &name).await?,
        )))
    }

    // Neither argument is journaled: what a plugin signs may be a secret already.
    async fn hmac_sha256(&mut self, _: String, _: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        Ok(Err(secrets::SecretError::Denied(
            self.absent(Capability::Secrets, "hmac-sha256", "").await?,
        )))
    }

    async fn reveal(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        Ok(Err(secrets::SecretError::Denied(
            self.absent(Capability::Secrets, "reveal", &name).await?,
        )))
    }
}

impl sql::Host for State {
    async fn query(
        &mut self,
        database: String,
        _: String,
        _: Vec<sql::Value>,
        _: u32,
    ) -> wasmtime::Result<Result<sql::Rows, sql::SqlError>> {
        Ok(Err(sql::SqlError::Denied(
            self.absent(Capability::Sql, "query", &database).await?,
        )))
    }

    async fn execute(
        &mut self,
        database: String,
        _: String,
        _: Vec<sql::Value>,
    ) -> wasmtime::Result<Result<u64, sql::SqlError>> {
        Ok(Err(sql::SqlError::Denied(
            self.absent(Capability::Sql, "execute", &database).await?,
        )))
    }
}

impl state::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<state::Entry>, state::StateError>> {
        Ok(Err(state::StateError::Io(
            self.absent(Capability::State, "get", &key).await?,
        )))
    }

    async fn put(
        &mut self,
        key: String,
        _: Vec<u8>,
        _: Option<u64>,
    ) -> wasmtime::Result<Result<u64, state::StateError>> {
        Ok(Err(state::StateError::Io(
            self.absent(Capability::State, "put", &key).await?,
        )))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::StateError>> {
        Ok(Err(state::StateError::Io(
            self.absent(Capability::State, "delete", &key).await?,
        )))
    }

    async fn keys(
        &mut self,
        prefix: String,
        _: Option<String>,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<String>, state::StateError>> {
        Ok(Err(state::StateError::Io(
            self.absent(Capability::State, "keys", &prefix).await?,
        )))
    }
}
