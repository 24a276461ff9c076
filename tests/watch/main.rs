//! The daemon watches by itself: it scrapes, judges by rules, repairs, and answers who asks.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod exporter;
mod kept;
mod like_prometheus;
mod nonsense;
mod readers;
mod repairs;
mod scrapes;

use anyhow::{Context as _, ensure};
use evenkeel_tests::evenkeel::{BOUND, Daemon, Home};
use evenkeel_tests::wait::wait_until;
use exporter::Exporter;
use serde_json::Value;

const ASSETS: &str = "[[asset]]\nid = \"local\"\nrole = \"host\"\n";

/// `evenkeel.toml` with one scrape of an exporter every second, and what else is said.
fn settings(exporter: &Exporter, besides: &str) -> String {
    format!(
        "[scrape.app]\nselect = 'asset=\"local\"'\nurl = \"http://{}/metrics\"\nevery = \"1s\"\n\n\
         [rules]\nevery = \"1s\"\n\n[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n\n{besides}\n",
        exporter.address
    )
}

/// What the daemon answers to an expression.
fn asked(daemon: &Daemon, expr: &str) -> anyhow::Result<Value> {
    let path = reqwest::Url::parse_with_params(&format!("{}/api/v1/query", daemon.url), [("query", expr)])?;
    let answered = daemon.get(&format!("{}?{}", path.path(), path.query().unwrap_or_default()))?;
    ensure!(answered.status == 200, "{answered:?}");
    let mut answer = answered.json()?;
    Ok(answer["data"]["result"].take())
}

/// Waits until the expression has this one value.
#[track_caller]
fn wait_for_value(daemon: &Daemon, expr: &str, wanted: &str) {
    wait_until(BOUND, &format!("`{expr}` is {wanted}"), || {
        let found = asked(daemon, expr)?;
        let value = found[0]["value"][1].as_str().context("there is no series")?;
        ensure!(
            value == wanted && found.as_array().is_some_and(|all| all.len() == 1),
            "it is {found}"
        );
        Ok(())
    });
}

/// The one target of a job.
fn target(daemon: &Daemon, job: &str) -> anyhow::Result<Value> {
    let answer = daemon.get("/api/v1/targets")?.json()?;
    let targets = answer["data"]["activeTargets"].as_array().context("no targets")?;
    let found = targets.iter().find(|target| target["labels"]["job"] == job);
    found
        .cloned()
        .with_context(|| format!("there is no job {job}: {targets:?}"))
}

fn served(exporter: &Exporter, besides: &str, rules: &str) -> anyhow::Result<(Home, Daemon)> {
    let home = Home::empty()?;
    home.write("evenkeel.toml", &settings(exporter, besides))?;
    home.write("assets.toml", ASSETS)?;
    home.write("rules/app.yml", rules)?;
    let daemon = home.serve()?;
    Ok((home, daemon))
}
