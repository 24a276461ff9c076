//! Beside a real Prometheus that scrapes the same target and has the same rules, every path of the read API answers in the
//! same shape, and of what does not depend on the moment, the same.

use std::collections::BTreeSet;

use anyhow::ensure;
use evenkeel_tests::evenkeel::{BOUND, Daemon, Home};
use evenkeel_tests::process::free_port;
use evenkeel_tests::servers::Prometheus;
use evenkeel_tests::wait::wait_until;
use serde_json::Value;

use crate::ASSETS;
use crate::exporter::Exporter;

const TEXT: &str = "# HELP app_jobs How many wait.\n# TYPE app_jobs gauge\napp_jobs{queue=\"mail\"} 7\napp_jobs{queue=\"print\"} 0\n\
# HELP app_done_total Done.\n# TYPE app_done_total counter\napp_done_total 3\n\
# TYPE app_seconds histogram\napp_seconds_bucket{le=\"1\"} 1\napp_seconds_bucket{le=\"+Inf\"} 2\napp_seconds_sum 3\napp_seconds_count 2\n";

const RULES: &str = r#"groups:
- name: app
  interval: 1s
  limit: 10
  rules:
  - record: job:app_jobs:sum
    expr: sum by (job) (app_jobs)
    labels: {team: ops}
  - alert: Waiting
    expr: app_jobs > 5
    for: 1h
    keep_firing_for: 5m
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.queue }} has {{ $value }}'}
  - alert: Busy
    expr: app_jobs > 6
    labels: {severity: warning}
  - alert: Quiet
    expr: app_jobs > 100
- name: broken
  rules:
  - record: twice
    expr: label_replace(app_jobs, "queue", "", "", "")
"#;

fn ours(exporter: &Exporter) -> anyhow::Result<(Home, Daemon)> {
    let home = Home::empty()?;
    home.write(
        "evenkeel.toml",
        &format!(
            "[scrape.taskboard]\nselect = 'asset=\"local\"'\nurl = \"http://{}/metrics\"\nevery = \"1s\"\n[rules]\nevery = \"1s\"\n\
             [role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
            exporter.address
        ),
    )?;
    home.write("assets.toml", ASSETS)?;
    home.write("rules/rules.yml", RULES)?;
    let daemon = home.serve()?;
    Ok((home, daemon))
}

fn get(url: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let response = reqwest::blocking::get(format!("{url}{path}"))?;
    Ok((response.status().as_u16(), response.json()?))
}

/// Every key that an answer has, and what stands there: a path and a type. Keys of labels are data.
fn shape(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            let is_data = ["/labels", "/annotations", "/metric", "/discoveredLabels", "/data[]"]
                .iter()
                .any(|end| path.ends_with(end));
            for (key, value) in entries {
                let key = if is_data { "*" } else { key };
                shape(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            found.insert(format!("{path} array"));
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), found));
        }
        Value::String(_) => drop(found.insert(format!("{path} string"))),
        Value::Number(_) => drop(found.insert(format!("{path} number"))),
        Value::Bool(_) => drop(found.insert(format!("{path} bool"))),
        Value::Null => drop(found.insert(format!("{path} null"))),
    }
}

/// `NOW` and `START` are the second in which it is asked, and two before it.
const PATHS: [&str; 44] = [
    "/api/v1/query?query=app_jobs",
    "/api/v1/query?query=1.5&time=1700000000.25",
    "/api/v1/query?query=%22text%22&time=2024-01-01T00:00:00Z",
    "/api/v1/query?query=app_jobs%5B5s%5D",
    "/api/v1/query?query=sort(app_jobs)&limit=1",
    "/api/v1/query_range?query=app_jobs&start=START&end=NOW&step=1s",
    "/api/v1/query",
    "/api/v1/query?query=sum(",
    "/api/v1/query?query=up&time=never",
    "/api/v1/query?query=up&timeout=never",
    "/api/v1/query?query=up&limit=-1",
    "/api/v1/query?query=up%20%2B%20on()%20group_left()%20up",
    "/api/v1/query_range?query=up&start=1&end=0&step=1",
    "/api/v1/query_range?query=up&start=1&end=2&step=0",
    "/api/v1/query_range?query=up&start=1&end=2",
    "/api/v1/query_range?query=up&end=2&step=1",
    "/api/v1/query_range?query=up&start=1&end=20000&step=1",
    "/api/v1/query_range?query=%22text%22&start=1&end=2&step=1",
    "/api/v1/series?match%5B%5D=app_jobs",
    "/api/v1/series?match%5B%5D=app_jobs&match%5B%5D=up&limit=1",
    "/api/v1/series",
    "/api/v1/series?match%5B%5D=%7B%7D",
    "/api/v1/series?match%5B%5D=%7Ba%3D~%22.*%22%7D",
    "/api/v1/series?match%5B%5D=rate(a%5B5m%5D)",
    "/api/v1/series?match%5B%5D=up&start=5&end=4",
    "/api/v1/series?match%5B%5D=up&end=1000",
    "/api/v1/labels",
    "/api/v1/labels?match%5B%5D=app_jobs&limit=2",
    "/api/v1/label/queue/values",
    "/api/v1/label/queue/values?match%5B%5D=app_jobs%7Bqueue%3D%22mail%22%7D",
    "/api/v1/label/nothing/values",
    "/api/v1/metadata",
    "/api/v1/metadata?metric=app_jobs&limit_per_metric=1",
    "/api/v1/metadata?limit=x",
    "/api/v1/targets",
    "/api/v1/targets?state=dropped",
    "/api/v1/rules",
    "/api/v1/rules?type=alert&rule_name%5B%5D=Waiting",
    "/api/v1/rules?type=record",
    "/api/v1/rules?type=other",
    "/api/v1/rules?rule_group%5B%5D=broken&exclude_alerts=true",
    "/api/v1/alerts",
    "/api/v1/status/buildinfo",
    "/api/v1/query_exemplars?query=app_jobs&start=1&end=2",
];

/// What only one of the two has, on purpose.
fn is_known(difference: &str) -> bool {
    // Prometheus counts targets that relabelling has dropped; there is none here, and it says null.
    const KNOWN: [&str; 2] = ["/data/droppedTargetCounts", "/data/droppedTargets"];
    KNOWN.iter().any(|known| difference.starts_with(known))
}

#[test]
fn every_answer_has_the_shape_of_a_prometheus() -> anyhow::Result<()> {
    let exporter = Exporter::start(TEXT)?;
    let (home, daemon) = ours(&exporter)?;
    let nobody = format!("127.0.0.1:{}", free_port()?);
    let prometheus = Prometheus::start(home.path(), &[&exporter.address.to_string()], RULES, &nobody)?;
    for url in [&daemon.url, &prometheus.url] {
        wait_until(BOUND, "both kinds of alerts and the broken rule are there", || {
            let (_, rules) = get(url, "/api/v1/rules")?;
            let text = rules.to_string();
            for word in [
                "\"firing\"",
                "\"pending\"",
                "\"inactive\"",
                "lastError",
                "keepFiringFor",
            ] {
                ensure!(text.contains(word), "no {word} in {text}");
            }
            let (_, recorded) = get(url, "/api/v1/query?query=job:app_jobs:sum")?;
            ensure!(recorded["data"]["result"][0]["value"][1] == "7", "{recorded}");
            Ok(())
        });
    }
    // What was scraped within this second is there, too.
    let now = chrono::Utc::now().timestamp() + 1;
    let times = |path: &str| {
        path.replace("START", &(now - 2).to_string())
            .replace("NOW", &now.to_string())
    };
    let mut differences = Vec::new();
    for path in &PATHS.map(times) {
        let (own, other) = (get(&daemon.url, path)?, get(&prometheus.url, path)?);
        let mut shapes = [BTreeSet::new(), BTreeSet::new()];
        shape(&own.1, "", &mut shapes[0]);
        shape(&other.1, "", &mut shapes[1]);
        let [own_shape, other_shape] = shapes;
        let apart: Vec<_> = own_shape
            .symmetric_difference(&other_shape)
            .filter(|one| !is_known(one))
            .collect();
        if own.0 != other.0 || !apart.is_empty() || own.1["errorType"] != other.1["errorType"] {
            differences.push(format!(
                "{path}\n  ours {} {}\n  its  {} {}\n  {apart:?}",
                own.0, own.1, other.0, other.1
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

#[test]
fn values_labels_and_metadata_are_those_of_a_prometheus() -> anyhow::Result<()> {
    let exporter = Exporter::start(TEXT)?;
    let (home, daemon) = ours(&exporter)?;
    let nobody = format!("127.0.0.1:{}", free_port()?);
    let prometheus = Prometheus::start(home.path(), &[&exporter.address.to_string()], RULES, &nobody)?;
    for url in [&daemon.url, &prometheus.url] {
        wait_until(BOUND, "the series are there", || {
            let (_, answer) = get(
                url,
                "/api/v1/query?query=count(ALERTS)%20%2B%20scalar(job:app_jobs:sum)",
            )?;
            ensure!(answer["data"]["result"][0]["value"][1] == "9", "{answer}");
            Ok(())
        });
    }
    // Ours has two labels more on what is scraped.
    let own = |value: &Value| -> Value {
        let text = value.to_string();
        let text = text
            .replace("\"asset\":\"local\",", "")
            .replace("\"customer\":\"local\",", "");
        serde_json::from_str(&text.replace("\"asset\",", "").replace("\"customer\",", "")).unwrap_or_default()
    };
    for path in [
        "/api/v1/query?query=sort(app_jobs)&time=TIME",
        "/api/v1/query?query=app_jobs%20*%201e30&time=TIME",
        "/api/v1/query?query=histogram_quantile(0.5,app_seconds_bucket)&time=TIME",
        "/api/v1/query?query=ALERTS&time=TIME",
        "/api/v1/labels",
        "/api/v1/label/__name__/values",
        "/api/v1/label/le/values",
        "/api/v1/label/queue/values",
        "/api/v1/series?match%5B%5D=app_jobs",
        "/api/v1/metadata",
    ] {
        let path = path.replace("TIME", &(chrono::Utc::now().timestamp() + 1).to_string());
        let (ours, other) = (get(&daemon.url, &path)?, get(&prometheus.url, &path)?);
        let sorted = |mut answer: Value| {
            if let Some(items) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut) {
                items.sort_by_key(ToString::to_string);
            }
            if let Some(items) = answer.pointer_mut("/data").and_then(Value::as_array_mut) {
                items.sort_by_key(ToString::to_string);
            }
            answer
        };
        assert_eq!(sorted(own(&ours.1)), sorted(other.1), "{path}");
    }
    Ok(())
}
