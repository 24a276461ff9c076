//! The daemon's Unix socket, as the command line uses it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use evenkeel_tests::evenkeel::{BOUND, Home};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};

/// A connection that asks for runs.
pub struct Desk(Client);

/// A run that has come to its end.
#[derive(Debug)]
pub struct Story {
    pub run: u64,
    pub summary: Value,
    pub events: Vec<Value>,
    /// From the request to the answer that it has ended.
    pub took: Duration,
}

impl Desk {
    pub fn of(home: &Home) -> anyhow::Result<Self> {
        let socket = home.path().join("data/evenkeel.sock");
        Ok(Self(Client::builder().unix_socket(socket).timeout(BOUND).build()?))
    }

    /// Starts a runbook, and gives its only run's number.
    pub fn start(&self, runbook: &str) -> anyhow::Result<u64> {
        static REQUESTS: AtomicU64 = AtomicU64::new(0);
        let request = format!("request {}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        let body = json!({ "runbook": runbook, "request": request });
        let accepted = ask(self.0.post("http://evenkeel/api/v1/rounds").json(&body))?;
        accepted["runs"][0].as_u64().context("no run was started")
    }

    pub fn cancel(&self, run: u64) -> anyhow::Result<()> {
        let response = self
            .0
            .post(format!("http://evenkeel/api/v1/runs/{run}/cancel"))
            .send()?;
        ensure!(response.status().is_success(), "{}", response.text()?);
        Ok(())
    }

    /// Runs a runbook to its end.
    pub fn run(&self, runbook: &str) -> anyhow::Result<Story> {
        let began = Instant::now();
        let run = self.start(runbook)?;
        self.follow(run, began)
    }

    pub fn follow(&self, run: u64, began: Instant) -> anyhow::Result<Story> {
        let mut events: Vec<Value> = Vec::new();
        while began.elapsed() < BOUND {
            let after = events.last().map_or(0, |event| event["seq"].as_u64().unwrap_or(0));
            let url = format!("http://evenkeel/api/v1/runs/{run}?after={after}&wait=20");
            let mut told = ask(self.0.get(url))?;
            events.extend(told["events"].as_array_mut().map(std::mem::take).unwrap_or_default());
            if !told["summary"]["finished_at"].is_null() && told["more"] == false {
                let (summary, took) = (told["summary"].take(), began.elapsed());
                return Ok(Story {
                    run,
                    summary,
                    events,
                    took,
                });
            }
        }
        bail!("run {run} has not ended after {BOUND:?}: {events:#?}")
    }
}

fn ask(request: RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send()?;
    let status = response.status();
    let text = response.text()?;
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

impl Story {
    pub fn verdict(&self) -> &str {
        self.summary["verdict"].as_str().unwrap_or_default()
    }

    /// Every line that the host or the plugin said in the course of the run. What went into the plugin is none of it.
    pub fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        for event in &self.events {
            let body = &event["body"];
            if body["requested"].is_null() && body["invoked"].is_null() {
                collect(body, &mut said);
            }
        }
        said
    }
}

fn collect(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::String(text) => said.extend(text.lines().map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, said)),
        Value::Object(fields) => {
            let told = fields.iter().filter(|(name, _)| *name != "call" && *name != "key");
            told.for_each(|(_, value)| collect(value, said));
        }
        _ => {}
    }
}
