//! `secrets`: values that stay with the host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::role::{Resource, Secret};
use evenkeel_model::secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::granted;
use super::journal::{CapabilityError, FromJson, Json, Unreadable};
use crate::bindings::evenkeel::cap::secrets;
use crate::call::Admitted;
use crate::halt::Halt;
use crate::references::{Form, Held};
use crate::state::State;

/// Of a key, and of a message.
const LARGEST: usize = 64 << 10;

impl secrets::Host for State {
    async fn reference(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        let granted = self.granted_secret("use", &name);
        let call = call("reference", &name, json!({ "name": name }));
        let (definition, ticket) = admitted!(self.admit(call, &[], granted).await?, secrets::SecretError);
        // Fetched now, so that what is missing is known before anything is planned with it.
        let answer = match self.value_of(&name, &definition).await {
            Ok(Some(_)) => Ok(self.reference_to(&name)),
            Ok(None) => Err(SecretError::Missing),
            Err(why) => Err(SecretError::Denied(why)),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn hmac_sha256(
        &mut self,
        key: String,
        message: String,
    ) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        let granted = self.signing(&key, &message);
        let call = call("hmac-sha256", "", json!({ "key": key, "message": message }));
        let (held, ticket) = admitted!(self.admit(call, &[], granted).await?, secrets::SecretError);
        let answer = match self.values(held).await {
            Ok(values) => Ok(signature(
                &values.fill(key, Form::Raw),
                &values.fill(message, Form::Raw),
            )),
            Err(why) => Err(SecretError::Denied(why)),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn reveal(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::SecretError>> {
        let granted = self.granted_secret("reveal", &name);
        let call = call("reveal", &name, json!({ "name": name }));
        let (definition, ticket) = match self.admit(call, &[], granted).await? {
            Admitted::Live(definition, ticket) => (definition, ticket),
            Admitted::Answered(Ok(sealed)) => return Ok(Ok(self.opened(&name, &sealed)?)),
            Admitted::Answered(Err(error)) => return Ok(Err(error)),
        };
        let answer = match self.value_of(&name, &definition).await {
            Ok(Some(value)) => Ok(self.revealed(&name, value.expose())),
            Ok(None) => Err(SecretError::Missing),
            Err(why) => Err(SecretError::Denied(why)),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(|revealed| revealed.value).map_err(Into::into))
    }
}

impl State {
    fn granted_secret(&self, verb: &str, name: &str) -> Result<Secret, String> {
        match granted(&self.invocation.access, Capability::Secrets, verb, name)? {
            Resource::Secret(definition) => Ok(definition.clone()),
            _ => Err(format!("`{name}` is no secret")),
        }
    }

    /// The secrets that are signed with, or signed.
    fn signing(&self, key: &str, message: &str) -> Result<Vec<Held>, String> {
        if key.len() > LARGEST || message.len() > LARGEST {
            return Err(format!("a key and a message have at most {} KiB each", LARGEST >> 10));
        }
        let held = self.referred(&[key.as_bytes(), message.as_bytes()]);
        if held.is_empty() {
            return Err("neither the key nor the message holds the reference of a secret that is granted".into());
        }
        match held.iter().find(|held| !held.definition.hmac) {
            Some(held) => Err(format!(
                "the secret `{}` may not be signed with: it has no `hmac = true` in evenkeel.toml",
                held.name
            )),
            None => Ok(held),
        }
    }

    fn revealed(&self, name: &str, value: &str) -> Revealed {
        let sealed = self.ports.seal.seal(&self.place(name), value.as_bytes());
        Revealed {
            value: value.to_owned(),
            sealed: STANDARD.encode(sealed),
        }
    }

    /// The value of then, which a replay keeps out of all that it tells, as the invocation did.
    fn opened(&mut self, name: &str, sealed: &Sealed) -> Result<String, Halt> {
        let place = self.place(name);
        let opened = self.ports.seal.open(&place, &sealed.0).ok();
        let Some(value) = opened.and_then(|value| String::from_utf8(value).ok()) else {
            let replay = self.replay.as_mut().expect("only a replay opens");
            return Err(replay.withheld());
        };
        self.redactor.add(&secret::Value::new(value.clone()));
        Ok(value)
    }

    /// What is sealed for one name in one step opens for no other.
    fn place(&self, name: &str) -> String {
        format!("reveal {} {} {name}", self.invocation.run, self.invocation.key.step)
    }
}

fn call(operation: &str, subject: &str, request: Value) -> Call {
    Call {
        capability: Capability::Secrets,
        operation: operation.to_owned(),
        subject: subject.to_owned(),
        request,
        content: None,
        effect: false,
        repeatable: true,
    }
}

fn signature(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A value that the plugin gets, and how the journal keeps it.
struct Revealed {
    value: String,
    sealed: String,
}

impl Json for Revealed {
    fn json(&self) -> Value {
        json!({ "sealed": self.sealed })
    }
}

/// What [`Revealed`] left in the journal.
struct Sealed(Vec<u8>);

impl FromJson for Sealed {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        let sealed = value.get("sealed").and_then(Value::as_str);
        let sealed = sealed.and_then(|sealed| STANDARD.decode(sealed).ok());
        sealed
            .map(Self)
            .ok_or_else(|| Unreadable("it is no sealed value".into()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SecretError {
    #[error("{0}")]
    Denied(String),
    #[error("there is no such secret")]
    Missing,
}

impl Json for SecretError {
    fn json(&self) -> Value {
        match self {
            Self::Denied(why) => json!({ "denied": why }),
            Self::Missing => json!("missing"),
        }
    }
}

impl CapabilityError for SecretError {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Denied(why) => Some(why),
            Self::Missing => None,
        }
    }
}

impl From<SecretError> for secrets::SecretError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Denied(why) => Self::Denied(why),
            SecretError::Missing => Self::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation: `openssl dgst -sha256 -hmac KEY -binary | base64`.
    #[test]
    fn the_signatures_of_chat_robots_are_the_ones_that_they_expect() {
        let dingtalk = signature("SECtest", "1600000000000\nSECtest");
        assert_eq!(dingtalk, "J1ROuI0lRhdAs5lXpASksT0u9NwWl4DNkvcHISJRBoY=");
        let feishu = signature("1600000000\nSECtest", "");
        assert_eq!(feishu, "mhieWnSyoErxMnitRpWy7WiXUgvrgNLx3EOjdVNMVC8=");
    }
}
