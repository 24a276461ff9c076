//! The daemon, from its start to its death, and its socket.

use std::{thread, time::Duration, time::Instant};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    process::{Process, free_port},
};
use nix::sys::signal::Signal;
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// How often the daemon is asked whether it is there.
const LOOK: Duration = Duration::from_millis(5);

pub struct Desk {
    process: Process,
    client: Client,
    /// Without what the HTTP listener says it can't be asked.
    url: String,
    pub born: DateTime<Utc>,
}

impl Desk {
    /// It is starting when this returns. `setting` has a last word about the command.
    pub fn start(home: &Home, setting: impl FnOnce(&mut std::process::Command)) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = home.command()?;
        command.args(["serve", "--listen", &address]);
        setting(&mut command);
        let born = Utc::now();
        let process = Process::spawn("evenkeel", &mut command, home.path())?;
        let socket = home.path().join("data/evenkeel.sock");
        let client = Client::builder().unix_socket(socket).timeout(BOUND).build()?;
        let url = format!("http://{address}");
        Ok(Self {
            process,
            client,
            url,
            born,
        })
    }

    pub fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + BOUND;
        while reqwest::blocking::get(format!("{}/healthz", self.url)).is_err() {
            let ended = self.process.ended()?;
            ensure!(ended.is_none(), "it ended ({ended:?}):\n{}", self.process.log());
            ensure!(Instant::now() < until, "it is not ready:\n{}", self.process.log());
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends it as the power would, and says when.
    pub fn kill(self) -> anyhow::Result<DateTime<Utc>> {
        let at = Utc::now();
        self.process.signal(Signal::SIGKILL)?;
        Ok(at)
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Status and reasons of `/healthz`.
    pub fn health(&self) -> anyhow::Result<(u16, String)> {
        let response = reqwest::blocking::get(format!("{}/healthz", self.url))?;
        Ok((response.status().as_u16(), response.text()?))
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.client.get(format!("http://evenkeel{path}")).send()?;
        let status = response.status();
        let text = response.text()?;
        ensure!(status.is_success(), "GET {path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The status; an error only if there was no answer.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<u16> {
        let request = self.client.post(format!("http://evenkeel{path}")).json(body);
        Ok(request.send()?.status().as_u16())
    }

    /// Runs with a number of at least `from`, the oldest first.
    pub fn runs(&self, from: u64) -> anyhow::Result<Vec<Value>> {
        let mut runs: Vec<Value> = Vec::new();
        loop {
            let before = runs.last().and_then(|run| run["run"].as_u64());
            let before = before.map_or(String::new(), |run| format!("&before={run}"));
            let page = self.get(&format!("/api/v1/runs?limit=200{before}"))?;
            let page = page.as_array().context("no array")?;
            runs.extend(page.iter().cloned());
            let number = |run: &Value| run["run"].as_u64().unwrap_or_default();
            if page.len() < 200 || runs.last().is_some_and(|run| number(run) < from) {
                runs.retain(|run| number(run) >= from);
                runs.reverse();
                return Ok(runs);
            }
        }
    }

    pub fn events(&self, run: u64) -> anyhow::Result<Vec<Value>> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event["seq"].as_u64().unwrap_or(0));
            let mut told = self.get(&format!("/api/v1/runs/{run}?after={after}"))?;
            events.extend(told["events"].as_array_mut().map(std::mem::take).unwrap_or_default());
            if told["more"] == false {
                return Ok(events);
            }
        }
    }

    /// Says yes to every plan that waits.
    pub fn approve(&self) -> anyhow::Result<u64> {
        let mut approved = 0;
        for asked in self.get("/api/v1/approvals")?.as_array().into_iter().flatten() {
            // It may have been decided, or have gone, meanwhile.
            let path = format!("/api/v1/runs/{}/approval", asked["run"]);
            approved += u64::from(self.post(&path, &json!({ "approve": true }))? < 300);
        }
        Ok(approved)
    }
}
