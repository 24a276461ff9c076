//! Who uses the board: visitors who leave a session each, and whoever measures.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::task::JoinSet;

use crate::rule::{Scrape, Window};

/// Visitors at once.
const AT_ONCE: usize = 4;

/// Requests that are measured at a look.
const MEASURED: usize = 5;

/// A board that is stuck is no slow one.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a task's title is made, in characters.
const TITLE: usize = 190;

#[derive(Clone)]
pub struct Traffic {
    http: reqwest::Client,
    /// The board's.
    url: String,
}

impl Traffic {
    pub fn to(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            // Without a cookie store, each request comes from a stranger.
            http: reqwest::Client::builder().timeout(PATIENCE).build()?,
            url: url.to_owned(),
        })
    }

    /// A project goes on, and its board fills with tasks.
    pub async fn write_tasks(&self, tasks: usize) -> anyhow::Result<()> {
        for n in 1..=tasks {
            let request = self.http.post(format!("{}/api/tasks", self.url));
            let answer = request.json(&json!({ "title": title(n) })).send().await;
            answer
                .and_then(reqwest::Response::error_for_status)
                .context("the board takes no task")?;
        }
        Ok(())
    }

    /// Lets that many new visitors follow a link to a task.
    pub async fn visit(&self, visitors: usize) -> anyhow::Result<()> {
        let mut under_way = JoinSet::new();
        for _ in 0..visitors {
            if under_way.len() == AT_ONCE {
                first(&mut under_way).await?;
            }
            let visitor = self.clone();
            under_way.spawn(async move { visitor.get("/tasks/1").await });
        }
        while !under_way.is_empty() {
            first(&mut under_way).await?;
        }
        Ok(())
    }

    /// Asks for the tasks a few times, one after the other and without leaving a session, and
    /// tells from the board's own metrics how that went.
    pub async fn look(&self) -> anyhow::Result<Window> {
        let before = self.scrape().await?;
        for _ in 0..MEASURED {
            self.get("/api/tasks").await?;
        }
        Ok(self.scrape().await?.since(&before))
    }

    async fn scrape(&self) -> anyhow::Result<Scrape> {
        Ok(Scrape::read(&self.get("/metrics").await?))
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        answer
            .context("the board does not answer")?
            .text()
            .await
            .context("the board breaks off")
    }
}

async fn first(under_way: &mut JoinSet<anyhow::Result<String>>) -> anyhow::Result<()> {
    match under_way.join_next().await {
        Some(ended) => ended?.map(drop),
        None => Ok(()),
    }
}

/// As wordy as people are.
fn title(n: usize) -> String {
    let text = format!("{n}: ask again about the delivery, write down what they say, and tell everybody. ");
    text.chars().cycle().take(TITLE).collect()
}
