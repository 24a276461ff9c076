//! References: what stands for a secret until the host sends it where it may go.
//!
//! *Invariant:* the value is put in at the last moment; subjects, content hashes and the journal
//! hold the reference. What is no reference of this run and step is a text like any other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_model::grant::Capability;
use evenkeel_model::role::{Resource, Secret};
use evenkeel_model::secret::Value;

use crate::capability::asset;
use crate::state::State;

/// Letters, digits and `-`, so that no encoding of a path, a header or a document changes it.
const PREFIX: &str = "evenkeel-secret-";

/// A secret that a call refers to.
pub struct Held {
    pub name: String,
    pub definition: Secret,
    pub reference: String,
}

/// What is put in the place of references.
pub struct Values(Vec<(String, Value)>);

/// How a value is written where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Raw,
    /// All but the unreserved characters of RFC 3986.
    Percent,
    /// As within a string of JSON.
    Json,
}

impl State {
    /// The same for the whole of a run's step, whoever computes it with the home's key: approved
    /// bodies hold it.
    pub fn reference_to(&self, name: &str) -> String {
        let run = self.invocation.run.to_string();
        let parts = [run.as_str(), self.invocation.key.step.as_str(), name];
        format!("{PREFIX}{}", self.ports.seal.token("reference", &parts))
    }

    /// The secrets that may be used here and that one of the texts refers to.
    pub fn referred(&self, texts: &[&[u8]]) -> Vec<Held> {
        let any = texts.iter().any(|text| find(text, PREFIX.as_bytes()).is_some());
        if !any {
            return Vec::new();
        }
        let usable = self
            .invocation
            .access
            .entries
            .iter()
            .filter_map(|((capability, name), entry)| {
                let usable = *capability == Capability::Secrets && entry.verbs.iter().any(|verb| verb == "use");
                match &entry.resource {
                    Resource::Secret(definition) if usable => Some((name, definition)),
                    _ => None,
                }
            });
        let held = usable.map(|(name, definition)| Held {
            reference: self.reference_to(name),
            definition: definition.clone(),
            name: name.clone(),
        });
        held.filter(|held| texts.iter().any(|text| find(text, held.reference.as_bytes()).is_some()))
            .collect()
    }

    /// Whether what the texts refer to may go to this origin, or to this profile's stdin.
    pub fn destined(&self, capability: Capability, name: &str, texts: &[&[u8]]) -> Result<Vec<Held>, String> {
        let held = self.referred(texts);
        let target = &self.invocation.target.id;
        let bare = name.rsplit('/').next().unwrap_or(name);
        for one in &held {
            let (list, listed) = match capability {
                Capability::Exec => ("exec", &one.definition.exec),
                _ => ("origins", &one.definition.origins),
            };
            let there = listed.iter().any(|listed| listed == bare);
            if !there || asset(&one.name, target) != asset(name, target) {
                return Err(format!(
                    "the secret `{}` may not go to `{name}`: its `{list}` in evenkeel.toml do not list it",
                    one.name
                ));
            }
        }
        Ok(held)
    }

    /// The value, fetched once an invocation, and kept out of all that leaves it from now on.
    pub async fn value_of(&mut self, name: &str, definition: &Secret) -> Result<Option<Value>, String> {
        if let Some(value) = self.fetched.get(name) {
            return Ok(Some(value.clone()));
        }
        let vault = self.ports.vault.clone();
        let found = vault.value(definition).await;
        let found = found.map_err(|why| format!("the secret `{name}` can't be had: {why}"))?;
        if let Some(value) = &found {
            self.redactor.add(value);
            self.fetched.insert(name.to_owned(), value.clone());
        }
        Ok(found)
    }

    /// Fetches all secrets that it may have got to know before it was interrupted, so that they are
    /// kept out of what comes. One that can't be had now can't be used now either.
    pub async fn learn_secrets(&mut self) {
        let entries = self.invocation.access.entries.iter();
        let granted = entries.filter_map(|((_, name), entry)| match &entry.resource {
            Resource::Secret(definition) => Some((name.clone(), definition.clone())),
            _ => None,
        });
        for (name, definition) in granted.collect::<Vec<_>>() {
            let _ = self.value_of(&name, &definition).await;
        }
    }

    pub async fn values(&mut self, held: Vec<Held>) -> Result<Values, String> {
        let mut values = Vec::new();
        for one in held {
            match self.value_of(&one.name, &one.definition).await? {
                Some(value) => values.push((one.reference, value)),
                None => return Err(format!("the secret `{}` is missing", one.name)),
            }
        }
        Ok(Values(values))
    }
}

impl Values {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn fill(&self, text: String, form: Form) -> String {
        if self.is_empty() {
            return text;
        }
        String::from_utf8(self.fill_bytes(text.into_bytes(), form)).expect("texts are put into a text")
    }

    pub fn fill_bytes(&self, bytes: Vec<u8>, form: Form) -> Vec<u8> {
        self.0.iter().fold(bytes, |bytes, (reference, value)| {
            replaced(bytes, reference.as_bytes(), &written(value.expose(), form))
        })
    }

    /// A header's value; the user and password of `Basic` are looked into.
    pub fn fill_header(&self, name: &str, value: String) -> String {
        match basic(name, &value) {
            Some(plain) if !self.is_empty() => {
                format!("Basic {}", STANDARD.encode(self.fill_bytes(plain, Form::Raw)))
            }
            _ => self.fill(value, Form::Raw),
        }
    }
}

/// What `Authorization: Basic` (RFC 7617) holds.
pub fn basic(name: &str, value: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_once(' ')?;
    let is_basic = name.eq_ignore_ascii_case("authorization") && scheme.eq_ignore_ascii_case("basic");
    is_basic.then(|| STANDARD.decode(rest.trim()).ok()).flatten()
}

/// How a value is written in a body of this type.
pub fn form(content_type: Option<&str>) -> Form {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Form::Percent,
        json if json.ends_with("/json") || json.ends_with("+json") => Form::Json,
        _ => Form::Raw,
    }
}

/// Whether a text holds what looks like a reference of any run.
pub fn is_in(text: &str) -> bool {
    text.contains(PREFIX)
}

fn written(value: &str, form: Form) -> Vec<u8> {
    match form {
        Form::Raw => value.as_bytes().to_vec(),
        Form::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted.as_bytes()[1..quoted.len() - 1].to_vec()
        }
        Form::Percent => {
            let encoded = value.bytes().flat_map(|byte| match byte {
                b'-' | b'.' | b'_' | b'~' => vec![byte],
                byte if byte.is_ascii_alphanumeric() => vec![byte],
                byte => format!("%{byte:02X}").into_bytes(),
            });
            encoded.collect()
        }
    }
}

fn replaced(bytes: Vec<u8>, what: &[u8], with: &[u8]) -> Vec<u8> {
    let Some(mut at) = find(&bytes, what) else { return bytes };
    let mut filled = Vec::with_capacity(bytes.len() + with.len());
    let mut rest = bytes.as_slice();
    loop {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(with);
        rest = &rest[at + what.len()..];
        match find(rest, what) {
            Some(next) => at = next,
            None => break,
        }
    }
    filled.extend_from_slice(rest);
    filled
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values(vec![("evenkeel-secret-aa".into(), Value::new("p\"w/% 1"))])
    }

    #[test]
    fn a_value_is_written_as_its_place_needs_it() {
        let fill = |text: &str, form| values().fill(text.to_owned(), form);
        assert_eq!(
            fill("/hook/evenkeel-secret-aa?x", Form::Percent),
            "/hook/p%22w%2F%25%201?x"
        );
        assert_eq!(fill(r#"{"a":"evenkeel-secret-aa"}"#, Form::Json), r#"{"a":"p\"w/% 1"}"#);
        assert_eq!(
            fill("evenkeel-secret-aaevenkeel-secret-aa", Form::Raw),
            "p\"w/% 1p\"w/% 1"
        );
        assert_eq!(fill("evenkeel-secret-ab", Form::Raw), "evenkeel-secret-ab");
    }

    #[test]
    fn the_type_of_a_body_says_how() {
        assert_eq!(form(Some("application/json; charset=utf-8")), Form::Json);
        assert_eq!(form(Some("application/problem+JSON")), Form::Json);
        assert_eq!(form(Some("application/x-www-form-urlencoded")), Form::Percent);
        assert_eq!(form(Some("text/plain")), Form::Raw);
        assert_eq!(form(None), Form::Raw);
    }

    #[test]
    fn user_and_password_are_looked_into() {
        let header = format!("Basic {}", STANDARD.encode("bob:evenkeel-secret-aa"));
        let filled = values().fill_header("Authorization", header);
        assert_eq!(basic("authorization", &filled).unwrap(), b"bob:p\"w/% 1");
        assert_eq!(
            values().fill_header("x", "Bearer evenkeel-secret-aa".into()),
            "Bearer p\"w/% 1"
        );
    }
}
