//! What `evenkeel metrics` says.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::Context;
use evenkeel_tests::programs;
use serde_json::Value;

use crate::{
    bodies::{AHEAD_MS, Body, Format, now_ms},
    verdict::Verdict,
};

pub fn read(bodies: &[Body]) -> anyhow::Result<Vec<Verdict>> {
    let directory = tempfile::tempdir()?;
    let mut said = BTreeMap::new();
    for (option, is_openmetrics) in [("text", false), ("openmetrics", true)] {
        let mut files = Vec::new();
        for (n, body) in bodies.iter().enumerate() {
            if (body.format == Format::OpenMetrics) == is_openmetrics {
                fs::write(directory.path().join(n.to_string()), &body.text)?;
                files.push(n.to_string());
            }
        }
        if files.is_empty() {
            continue;
        }
        let output = Command::new(programs::program("evenkeel")?)
            .args(["metrics", "--json", "--format", option])
            .args(&files)
            .current_dir(directory.path())
            .output()?;
        let reports: Vec<Value> = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let verdicts = reports.iter().map(verdict).collect::<anyhow::Result<Vec<_>>>()?;
        said.extend(files.into_iter().zip(verdicts));
    }
    let verdicts = (0..bodies.len()).map(|n| said.remove(&n.to_string()).context("a text without a verdict"));
    verdicts.collect()
}

fn verdict(report: &Value) -> anyhow::Result<Verdict> {
    let problem = &report["problem"];
    let error =
        (!problem.is_null()).then(|| format!("{}:{}: {}", problem["line"], problem["column"], problem["message"]));
    let scraped = report["samples"].as_u64().context("a count")?.try_into()?;
    let mut samples = BTreeMap::new();
    for stored in report["stored"].as_array().context("what is stored")? {
        let labels = serde_json::from_value(stored["labels"].clone())?;
        let value = stored["value"].as_str().context("a value")?.parse()?;
        let time = stored["timestamp_ms"].as_i64();
        // A scrape drops it, and a file has no scrape.
        if time.is_none_or(|time| time <= now_ms() + AHEAD_MS) {
            samples.insert((labels, time), value);
        }
    }
    Ok(Verdict {
        error,
        scraped,
        samples,
    })
}
