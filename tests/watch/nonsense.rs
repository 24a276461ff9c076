//! Whatever is asked, the daemon answers in the envelope of a Prometheus, and goes on.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use evenkeel_tests::dice::Dice;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::exporter::Exporter;
use crate::{served, wait_for_value};

/// Requests of the short form; `EVENKEEL_REQUESTS` says more.
const SHORT: usize = 3_000;

const PATHS: [&str; 13] = [
    "query",
    "query_range",
    "query_exemplars",
    "series",
    "labels",
    "label/job/values",
    "label/U__a_2e_/values",
    "metadata",
    "targets",
    "rules",
    "alerts",
    "status/buildinfo",
    "status/tsdb",
];
const NAMES: [&str; 17] = [
    "query",
    "time",
    "start",
    "end",
    "step",
    "timeout",
    "limit",
    "lookback_delta",
    "match[]",
    "metric",
    "limit_per_metric",
    "state",
    "scrapePool",
    "type",
    "rule_name[]",
    "file[]",
    "exclude_alerts",
];
/// Pieces of what is meant, and of what nobody means.
const PIECES: [&str; 40] = [
    "up",
    "{",
    "}",
    "(",
    ")",
    "[5m]",
    "[5m:1s]",
    "rate",
    "sum by (job)",
    "=",
    "=~",
    "!~",
    "\".*\"",
    "\"",
    "'",
    ",",
    " ",
    "+",
    "/",
    "on",
    "ignoring",
    "@",
    "offset",
    "-",
    "1",
    "0",
    "1e309",
    "NaN",
    "Inf",
    "5m",
    "99999999999999999999",
    "2024-01-01T00:00:00Z",
    "\u{0}",
    "\u{ffff}",
    "é",
    "%",
    "&",
    "#",
    "\\x",
    "true",
];

fn value(dice: &mut Dice) -> String {
    let pieces = dice.below(8);
    (0..pieces).map(|_| dice.pick(&PIECES)).collect()
}

#[test]
fn no_request_is_answered_with_anything_but_the_envelope() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let requests = variable("EVENKEEL_REQUESTS").map_or(SHORT, |requests: u64| requests as usize);
    let seed = variable("EVENKEEL_SEED").unwrap_or_else(|| u64::from(std::process::id()) + 1);
    eprintln!("EVENKEEL_SEED={seed} EVENKEEL_REQUESTS={requests}");
    let exporter = Exporter::start("a_metric{job2=\"x\"} 1\n")?;
    let (_home, daemon) = served(
        &exporter,
        "",
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 1\n",
    )?;
    wait_for_value(&daemon, "a_metric", "1");
    let client = Client::builder().timeout(Duration::from_secs(60)).build()?;
    let mut dice = Dice::new(seed);
    let mut well = 0;
    for number in 0..requests {
        let url = format!("{}/api/v1/{}", daemon.url, dice.pick(&PATHS));
        let pairs: Vec<(&str, String)> = (0..dice.below(6))
            .map(|_| (dice.pick(&NAMES), value(&mut dice)))
            .collect();
        let url = reqwest::Url::parse_with_params(&url, &pairs)?;
        let request = match dice.below(4) {
            0 => {
                let body = url.query().unwrap_or_default().to_owned();
                let mut bare = url.clone();
                bare.set_query(None);
                let form = client
                    .post(bare)
                    .header("content-type", "application/x-www-form-urlencoded");
                form.body(body)
            }
            _ => client.get(url.clone()),
        };
        let response = request.send().with_context(|| format!("request {number}: {url}"))?;
        let status = response.status().as_u16();
        let text = response.text()?;
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("{url} said {text}"))?;
        let sound = match status {
            200 => answer["status"] == "success" && answer.get("data").is_some(),
            400 | 422 => answer["status"] == "error" && answer["errorType"].is_string() && answer["error"].is_string(),
            // A path that takes no form.
            405 => answer["error"].is_string(),
            _ => false,
        };
        ensure!(sound, "request {number}: {url} was answered {status} {text}");
        well += usize::from(status == 200);
    }
    ensure!(
        well > requests / 20,
        "only {well} of {requests} were answered: the test asks too little"
    );
    wait_for_value(&daemon, "up", "1");
    Ok(())
}
