//! Secrets: values that stay with the host.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a secret comes from, and what it may go to. The value itself is in no type of this room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    pub from: SecretFrom,
    /// Of `use`, `reveal`.
    pub allow: Vec<String>,
    /// Origins of the same role that it may be sent to.
    pub origins: Vec<String>,
    /// Exec profiles of the same role that may read it on stdin.
    pub exec: Vec<String>,
    /// It may be the key or a part of the message of `hmac-sha256`, whose digest the plugin gets.
    pub hmac: bool,
}

/// A line break at the end of what is read is no part of the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretFrom {
    /// Relative to the home. May hold the same templates as a root's path.
    File(PathBuf),
    /// A variable of the host's environment.
    Env(String),
    /// What a command of the operator's prints, such as one that asks a vault. May hold the same
    /// templates; no shell.
    Command { line: Vec<String>, timeout: Duration },
}
