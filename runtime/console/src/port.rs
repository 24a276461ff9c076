//! What the console needs of the daemon that it is part of. Implemented by `cli`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_model::change::{ChangeFilter, Recorded};
use evenkeel_model::name::{CustomerId, RunId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::metrics::Metric;
use crate::prometheus::Readers;

#[async_trait]
pub trait Daemon: Send + Sync {
    fn about(&self) -> About;
    /// Who may push alerts; none: anybody who reaches the listener.
    fn sources(&self) -> Arc<Vec<Credential>>;
    /// Who may read series and alerts over TCP.
    fn readers(&self) -> Readers;
    /// Takes over the home as it is on disk now, if it checks clean; otherwise its problems,
    /// rendered for people.
    async fn reload(&self) -> Result<(), String>;
    /// Why no run could be started or recorded now; none: all is well.
    async fn ailments(&self) -> Vec<String>;
    fn metrics(&self) -> Vec<Metric>;
    /// Those that are open.
    fn circuits(&self) -> Vec<Circuit>;
    /// Has a plugin called again, in one version or in all, because `who` asked for it; answers how
    /// many circuits were open.
    fn close_circuits(&self, plugin: &str, version: Option<&str>, who: &str) -> usize;
    /// What was done to the world, the newest first.
    async fn changes(&self, filter: ChangeFilter) -> Result<Vec<Recorded>, String>;
    /// Runs that got new events, once these can be read.
    fn appended(&self) -> broadcast::Receiver<RunId>;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    pub home: PathBuf,
    pub pid: u32,
    pub version: String,
    pub listen: String,
    pub since: DateTime<Utc>,
}

/// A plugin that a customer's runs don't call for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Circuit {
    pub plugin: String,
    pub version: String,
    pub digest: String,
    pub customer: CustomerId,
    pub since: DateTime<Utc>,
    /// When one call is let through to try; in the past: the next one is.
    pub retry: DateTime<Utc>,
    /// What ended the last call.
    pub why: String,
}

/// A source of alerts, and what it must show.
pub struct Credential {
    pub name: String,
    pub token: Token,
    /// None: the customer of the asset that an alert's labels name.
    pub customer: Option<CustomerId>,
}

/// Never shown: `Debug` prints `***`.
pub struct Token([u8; 32]);

impl Token {
    pub fn new(token: &str) -> Self {
        Self(digest(token))
    }

    /// Whether it is the same as another one.
    pub fn equals(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Compares digests, so that the time it takes tells nothing of the token.
    pub fn is(&self, presented: &str) -> bool {
        self.0 == digest(presented)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}
