//! Capabilities of the contract that this version links and does not provide yet. A call of one
//! is counted, denied and journaled like any other that is denied.

use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use serde_json::json;

use super::{FromJson, GuestError};
use crate::call::Admitted;
use crate::state::State;

impl State {
    pub(super) async fn absent<T: FromJson, E: GuestError>(
        &mut self,
        capability: Capability,
        operation: &str,
        name: &str,
    ) -> wasmtime::Result<Result<T, E>> {
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
        match self.admit(call, &[], Err::<(), _>(reason.clone())).await? {
            Admitted::Answered(answer) => Ok(answer),
            Admitted::Live((), _) => Ok(Err(E::denied(reason))),
        }
    }
}
