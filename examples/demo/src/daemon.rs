//! A running `evenkeel serve`, asked over its command line as a person would.

mod record;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::process::Command;

pub use self::record::{Cause, Recorded, Summary};
use crate::{patience::until, process::Process};

/// How long it may take to become ready, compiled plugins included.
const READY: Duration = Duration::from_secs(120);

/// How long it may take to end.
const STOPPED: Duration = Duration::from_secs(40);

/// The command line of one home.
pub struct Cli {
    pub program: PathBuf,
    pub home: PathBuf,
}

pub struct Daemon {
    /// `http://ADDRESS`
    pub url: String,
    pub cli: Cli,
    http: reqwest::Client,
    process: Process,
}

impl Cli {
    /// What a command says on standard output.
    ///
    /// # Errors
    /// When it ends badly, with its standard error.
    pub async fn say(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(arguments).kill_on_drop(true).output().await?;
        ensure!(
            output.status.success(),
            "`evenkeel {}` ended with {}:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// All runs, the newest first.
    pub async fn runs(&self) -> anyhow::Result<Vec<Summary>> {
        self.json(&["runs", "list", "--limit", "1000", "--json"]).await
    }

    /// A run with its events.
    pub async fn recorded(&self, run: u64) -> anyhow::Result<Recorded> {
        self.json(&["runs", "show", &run.to_string(), "--json"]).await
    }

    async fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let said = self.say(arguments).await?;
        serde_json::from_str(&said).with_context(|| format!("`evenkeel {}` said {said}", arguments.join(" ")))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home);
        command.env_remove("EVENKEEL_HOME").env_remove("EVENKEEL_LOG");
        command
    }
}

impl Daemon {
    /// Serves the home on that port of 127.0.0.1, 0 being any that is free.
    pub async fn start(cli: Cli, port: u16, logs: &Path) -> anyhow::Result<Self> {
        let mut command = cli.command();
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        let mut process = Process::spawn("evenkeel", &mut command, logs)?;
        let url = process
            .line(READY, |line| Some(format!("http://{}", address(line)?)))
            .await?;
        let daemon = Self {
            url,
            cli,
            http: reqwest::Client::new(),
            process,
        };
        until(READY, "evenkeel is healthy", async || daemon.is_healthy().await).await?;
        Ok(daemon)
    }

    /// Pushes alerts as a Prometheus does.
    pub async fn push(&self, alerts: &[Value]) -> anyhow::Result<()> {
        let request = self.http.post(format!("{}/api/v2/alerts", self.url));
        let answer = request
            .header("content-type", "application/json")
            .header("user-agent", "Prometheus/3.5.0")
            .json(alerts)
            .send()
            .await
            .context("evenkeel takes no alerts in")?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "evenkeel answered {status} to an alert: {}",
            answer.text().await?
        );
        Ok(())
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop(STOPPED).await
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    async fn is_healthy(&self) -> anyhow::Result<()> {
        let answer = self.http.get(format!("{}/healthz", self.url)).send().await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "/healthz answers {status}: {}",
            answer.text().await?
        );
        Ok(())
    }
}

/// The address in the line of the log that says that it serves.
fn address(line: &str) -> Option<&str> {
    let rest = line.split_once(" serving ")?.1;
    rest.split_whitespace().find_map(|field| field.strip_prefix("address="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log() {
        let line =
            "2026-11-23T14:00:00Z  INFO evenkeel::commands::serve: serving home=/h address=127.0.0.1:4711 pid=12";
        assert_eq!(address(line), Some("127.0.0.1:4711"));
        assert_eq!(address("2026-11-23T14:00:00Z  INFO evenkeel: stopped"), None);
    }
}
