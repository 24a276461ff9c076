//! A Prometheus that scrapes every second and sends its alerts on.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use serde_json::Value;

use super::{Installed, Wanted, installed, remote_write};
use crate::process::Process;

const WANTED: Wanted = Wanted {
    package: "prometheus",
    programs: &["prometheus"],
    since: (3, 0),
};

/// A running Prometheus.
pub struct Prometheus {
    /// `http://ADDRESS`
    pub url: String,
    process: Process,
}

impl Prometheus {
    /// Starts one that scrapes `targets` (`HOST:PORT`), evaluates `rules` (a rule file as YAML),
    /// and pushes to the Alertmanager, or what takes its place, at `alertmanager` (`HOST:PORT`).
    /// Its files are in `directory/prometheus`.
    ///
    /// # Errors
    /// When there is no Prometheus, or it doesn't become ready.
    pub fn start(directory: &Path, targets: &[&str], rules: &str, alertmanager: &str) -> anyhow::Result<Self> {
        fs::write(own(directory)?.join("rules.yml"), rules)?;
        Self::run(directory, &configuration(targets, alertmanager))
    }

    /// Starts one with this configuration, as JSON.
    ///
    /// # Errors
    /// When there is no Prometheus, or it doesn't become ready.
    pub fn configured(directory: &Path, configuration: &Value) -> anyhow::Result<Self> {
        Self::run(directory, &configuration.to_string())
    }

    /// Starts one that has `series` and gets no others: it scrapes nothing and evaluates no rules.
    ///
    /// # Errors
    /// When there is no Prometheus, it doesn't become ready, or doesn't take the series.
    pub fn with_series(directory: &Path, series: &[remote_write::Written]) -> anyhow::Result<Self> {
        let prometheus = Self::run(directory, "{}")?;
        remote_write::send(&prometheus.url, series)?;
        Ok(prometheus)
    }

    fn run(directory: &Path, configuration: &str) -> anyhow::Result<Self> {
        let program = installed(&WANTED)?;
        let own = own(directory)?;
        fs::write(own.join("prometheus.yml"), configuration)?;
        let mut process = spawn(&program, directory, &own)?;
        let address = process.wait_for_line(
            Duration::from_secs(60),
            "Prometheus listens",
            super::alertmanager::listening,
        )?;
        process.wait_for_line(Duration::from_secs(60), "Prometheus is ready", |line| {
            line.contains("Server is ready to receive web requests").then_some(())
        })?;
        Ok(Self {
            url: format!("http://{address}"),
            process,
        })
    }

    /// The `data` that its API answers to a GET with these parameters.
    ///
    /// # Errors
    /// When Prometheus doesn't answer, or with an error.
    pub fn data(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), parameters)?;
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()?;
        let mut answer: Value = client.get(url).send()?.json()?;
        anyhow::ensure!(answer["status"] == "success", "{path} {parameters:?}: {answer}");
        Ok(answer["data"].take())
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// When Prometheus doesn't answer.
    pub fn metrics(&self) -> anyhow::Result<String> {
        Ok(reqwest::blocking::get(format!("{}/metrics", self.url))?
            .error_for_status()?
            .text()?)
    }

    /// The state of the alert with that name, `pending` or `firing`; `None` when it is inactive.
    ///
    /// # Errors
    /// When Prometheus doesn't answer.
    pub fn alert_state(&self, name: &str) -> anyhow::Result<Option<String>> {
        let answer: Value = reqwest::blocking::get(format!("{}/api/v1/alerts", self.url))?
            .error_for_status()?
            .json()?;
        let alerts = answer["data"]["alerts"]
            .as_array()
            .context("an answer without alerts")?;
        Ok(alerts
            .iter()
            .find(|alert| alert["labels"]["alertname"] == name)
            .and_then(|alert| alert["state"].as_str())
            .map(str::to_owned))
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn own(directory: &Path) -> anyhow::Result<PathBuf> {
    let own = directory.join("prometheus");
    fs::create_dir_all(&own)?;
    Ok(own)
}

fn spawn(program: &Installed, directory: &Path, own: &Path) -> anyhow::Result<Process> {
    let mut command = program.command();
    command
        .arg("--config.file=prometheus.yml")
        .arg("--storage.tsdb.path=data")
        .arg("--web.listen-address=127.0.0.1:0")
        // Sent again every second, as it would be every minute: more chances to act on it twice.
        .arg("--web.enable-remote-write-receiver")
        .arg("--rules.alert.resend-delay=1s")
        .current_dir(own);
    Process::spawn("prometheus", &mut command, directory)
}

/// JSON is YAML, and needs no care with quotes.
fn configuration(targets: &[&str], alertmanager: &str) -> String {
    serde_json::json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
        "rule_files": ["rules.yml"],
        "scrape_configs": [{
            "job_name": "taskboard",
            "static_configs": [{ "targets": targets }],
        }],
        "alerting": { "alertmanagers": [{
            "api_version": "v2",
            "static_configs": [{ "targets": [alertmanager] }],
        }]},
    })
    .to_string()
}
