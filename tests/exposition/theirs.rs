//! What Prometheus stores, and what it says of its targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, ensure};
use evenkeel_tests::{servers::Prometheus, wait::wait_until};
use serde_json::{Value, json};

use crate::{
    bodies::{AHEAD_MS, Body, now_ms},
    served::serve,
    verdict::{Labels, Verdict},
};

const BOUND: Duration = Duration::from_secs(120);
/// Which text a series is of.
const NUMBER: &str = "text_number";
const JOB: &str = "texts";
const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Everything of one text: its series with their samples.
type Stored = Vec<(Labels, Vec<(i64, f64)>)>;

pub fn scraped(bodies: &[Body]) -> anyhow::Result<Vec<Verdict>> {
    let address = serve(bodies)?.to_string();
    let directory = tempfile::tempdir()?;
    let prometheus = Prometheus::configured(directory.path(), &configuration(&address, bodies.len()))?;
    let errors = errors(&prometheus, bodies.len());
    // A scrape is told of before its samples are there.
    let mut stored = wait_until(BOUND, "every scrape is stored", || {
        let stored = stored(&prometheus)?;
        ensure!(
            stored.len() == bodies.len(),
            "there are {} of {}",
            stored.len(),
            bodies.len()
        );
        Ok(stored)
    });
    let verdict = |(n, error): (usize, Option<String>)| {
        let stored = stored.remove(&n).context("a text of which nothing is reported")?;
        verdict(stored, error, &address)
    };
    errors.into_iter().enumerate().map(verdict).collect()
}

/// What a text says of its own labels holds, and times may be as old as they like.
fn configuration(address: &str, texts: usize) -> Value {
    let targets: Vec<_> = (0..texts)
        .map(|n| {
            json!({
                "targets": [address],
                "labels": { "__metrics_path__": format!("/{n}"), NUMBER: n.to_string() },
            })
        })
        .collect();
    json!({
        "global": { "scrape_interval": "5s", "scrape_timeout": "5s" },
        "storage": { "tsdb": { "out_of_order_time_window": "100y" } },
        "scrape_configs": [{ "job_name": JOB, "honor_labels": true, "static_configs": targets }],
    })
}

/// The last error of each target, now that all were scraped.
fn errors(prometheus: &Prometheus, texts: usize) -> Vec<Option<String>> {
    wait_until(BOUND, "every text is scraped", || {
        let data = prometheus.data("/api/v1/targets", &[("state", "active")])?;
        let targets = data["activeTargets"].as_array().context("targets")?;
        ensure!(targets.len() == texts, "there are {} targets", targets.len());
        let mut errors = vec![None; texts];
        for target in targets {
            ensure!(target["health"] != "unknown", "{} waits", target["scrapeUrl"]);
            let n: usize = target["labels"][NUMBER].as_str().context("a number")?.parse()?;
            let error = target["lastError"].as_str().context("an error")?;
            errors[n] = (!error.is_empty()).then(|| error.to_owned());
        }
        Ok(errors)
    })
}

fn stored(prometheus: &Prometheus) -> anyhow::Result<BTreeMap<usize, Stored>> {
    let time = (now_ms() + 2 * AHEAD_MS) / 1000;
    let data = prometheus.data(
        "/api/v1/query",
        &[
            ("query", &format!("{{{NUMBER}!=\"\"}}[110y]")),
            ("time", &time.to_string()),
        ],
    )?;
    let mut stored: BTreeMap<usize, Stored> = BTreeMap::new();
    for series in data["result"].as_array().context("series")? {
        let mut labels: Labels = serde_json::from_value(series["metric"].clone())?;
        let n = labels.remove(NUMBER).context("a number")?.parse()?;
        let samples: Vec<(f64, String)> = serde_json::from_value(series["values"].clone())?;
        let sample = |(time, value): (f64, String)| Ok(((time * 1000.0).round() as i64, value.parse()?));
        let samples = samples.into_iter().map(sample).collect::<anyhow::Result<_>>()?;
        stored.entry(n).or_default().push((labels, samples));
    }
    Ok(stored)
}

fn verdict(stored: Stored, error: Option<String>, address: &str) -> anyhow::Result<Verdict> {
    let (reports, series): (Stored, Stored) = stored.into_iter().partition(|(labels, _)| {
        labels
            .get("__name__")
            .is_some_and(|name| REPORTS.contains(&name.as_str()))
    });
    let scraped = reports
        .iter()
        .find(|(labels, _)| labels["__name__"] == "scrape_samples_scraped");
    let (_, scraped) = scraped.context("no report")?;
    let times: BTreeSet<_> = scraped.iter().map(|(time, _)| *time).collect();
    let mut verdict = Verdict {
        error,
        scraped: scraped.last().map_or(0, |(_, scraped)| *scraped as usize),
        samples: BTreeMap::new(),
    };
    for (mut labels, samples) in series {
        for (name, of_target) in [("job", JOB), ("instance", address)] {
            if labels.get(name).is_some_and(|value| value == of_target) {
                labels.remove(name);
            }
        }
        for (time, value) in samples {
            let time = Some(time).filter(|time| !times.contains(time));
            verdict.samples.insert((labels.clone(), time), value);
        }
    }
    Ok(verdict)
}
