//! A capability call as the journal keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grant::Capability;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub capability: Capability,
    pub operation: String,
    /// In the form that an effect names it by; `cap.wit` gives the form of each.
    pub subject: String,
    /// All arguments, as JSON; bytes are base64.
    pub request: Value,
    /// Lower-case hex SHA-256 of what the call carries, if it is an effect that carries something.
    pub content: Option<String>,
    /// It changes the world.
    pub effect: bool,
    /// Doing it twice is doing it once.
    pub repeatable: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// What the plugin got; bytes are base64.
    Ok(Value),
    /// The capability's own error: what the plugin got, and a sentence for people.
    Err {
        error: Value,
        message: String,
        /// The host can't tell whether the effect was made all the same.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
    },
    /// Refused by the host before anything was done, and why.
    Denied(String),
}

impl Call {
    /// What it is about, each file by itself if there are several.
    pub fn subjects(&self) -> Vec<String> {
        let paths = self.request.get("paths").and_then(Value::as_array);
        let paths: Vec<&str> = paths.into_iter().flatten().filter_map(Value::as_str).collect();
        let root = paths.first().and_then(|first| self.subject.strip_suffix(first));
        match root {
            Some(root) => paths.iter().map(|path| format!("{root}{path}")).collect(),
            None => vec![self.subject.clone()],
        }
    }

    /// Whether this answer leaves open if the effect was made. The host says so itself; journals of before that say it by
    /// the error alone.
    pub fn is_left_open_by(&self, answer: &Answer) -> bool {
        let Answer::Err { error, open, .. } = answer else {
            return false;
        };
        let by_error = match self.capability {
            Capability::Exec => error == "timed-out" || error == "output-limit",
            Capability::Http => error == "timed-out" || error.get("other").is_some(),
            _ => false,
        };
        *open || by_error
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}
