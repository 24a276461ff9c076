//! Plugins that trapped too often to be called.

use std::path::Path;

use anyhow::Result;
use evenkeel_console::port::Circuit;
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use super::url::encode;
use crate::client::Client;
use crate::home;

#[derive(Deserialize)]
struct Closed {
    closed: usize,
}

impl Desk {
    /// Plugins that the daemon of this home does not call for now. A circuit is a daemon's: without
    /// one there are none.
    pub async fn open_circuits(dir: &Path) -> Result<Vec<Circuit>> {
        let home = home::locate(dir)?;
        match Client::connect(&home).await? {
            Some(mut client) => client.get("/api/v1/circuits").await,
            None => Ok(Vec::new()),
        }
    }

    /// `plugin` is a name, or a name and a version.
    pub async fn close_circuits(dir: &Path, plugin: &str) -> Result<usize> {
        let home = home::locate(dir)?;
        let Some(mut client) = Client::connect(&home).await? else {
            anyhow::bail!("no daemon serves this home, so no circuit is open");
        };
        let path = match plugin.split_once('@') {
            Some((name, version)) => format!("/api/v1/circuits/{}/close?version={}", encode(name), encode(version)),
            None => format!("/api/v1/circuits/{}/close", encode(plugin)),
        };
        Ok(client.post::<Closed>(&path, &Value::Null).await?.closed)
    }
}
