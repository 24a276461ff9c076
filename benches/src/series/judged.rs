//! Rules evaluated over the series of a large cluster, beside a real Prometheus that scrapes the same series and evaluates
//! the same rules: a scrape a second for two minutes, rates over one.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use evenkeel_alerting::promql::{Labels, Options, Sample, Series, Source, SourceError};
use evenkeel_alerting::rules::{self, Externals, Group, Resend, Settings};
use evenkeel_alerting::series::{Limits, Store};
use evenkeel_model::problem::File;
use evenkeel_model::runbook::Matcher;
use evenkeel_tests::servers::Prometheus;

use super::made::{EACH, Target};
use super::peer::{metrics, serve_all};
use crate::Setting;
use crate::figures::{Figures, say, table};

/// Rules of each family of series.
const RULES: [&str; 12] = [
    "sum by (namespace) (rate(mF_requests_bucket{le=\"+Inf\"}[1m]))",
    "histogram_quantile(0.99, sum by (le, namespace) (rate(mF_requests_bucket[1m])))",
    "sum by (team) (rate(mF_requests_bucket{le=\"0.5\"}[1m])) / sum by (team) (rate(mF_requests_bucket{le=\"+Inf\"}[1m])) < 0.01",
    "max by (node) (mF_things_total{kind=\"kind-0\"}) > 1e12",
    "absent(mF_things_total{kind=~\"kind-.*\"})",
    "count by (team) (mF_things_total) < 1",
    "increase(mF_things_total{kind=\"kind-2\"}[1m]) > 1e9",
    "predict_linear(mF_things_total{kind=\"kind-3\"}[1m], 3600) < -1e15",
    "mF_things_total{kind=\"kind-0\"} * on (node) group_left () m0_up < -1",
    "topk(3, sum by (pod) (mF_things_total))",
    "avg_over_time(mF_things_total{kind=\"kind-6\"}[1m]) - mF_things_total{kind=\"kind-6\"} > 1e12",
    "changes(mF_things_total{kind=\"kind-8\"}[1m]) > 600",
];
const FAMILIES: usize = 28;
/// A rate of a minute, and as much before it.
const SCRAPES: i64 = 120;
const BEGIN_MS: i64 = 1_767_571_200_000;

pub fn run(setting: &Setting) -> Result<()> {
    let targets = setting.scale.series.div_ceil(EACH);
    let (ours, samples) = ours(targets, setting.scale.selects.min(21))?;
    let title = format!(
        "{} rules over {} series, all groups once",
        RULES.len() * FAMILIES,
        targets * EACH
    );
    if setting.scale.peer_scrapes == 0 {
        table(&title, &[("evenkeel", &ours)]);
        return Ok(());
    }
    let (its, given) = its(targets)?;
    table(
        &title,
        &[("evenkeel", &ours), ("Prometheus, the sum of its groups", &its)],
    );
    let ratio = its.quantile(0.5).as_secs_f64() / ours.quantile(0.5).as_secs_f64();
    say(&format!(
        "  evenkeel is {ratio:.1} times as fast; it gives {samples} series, Prometheus {given}"
    ));
    Ok(())
}

/// A group a family.
fn text() -> String {
    let mut text = String::from("groups:\n");
    for family in 1..=FAMILIES {
        let _ = writeln!(text, "- name: family-{family}\n  interval: 5s\n  rules:");
        for (number, rule) in RULES.iter().enumerate() {
            let expr = rule.replace("mF_", &format!("m{family}_"));
            let _ = match rule.contains(['<', '>']) || rule.starts_with("absent") {
                true => writeln!(
                    text,
                    "  - alert: Family{family}Rule{number}\n    for: 5m\n    expr: '{expr}'"
                ),
                false => writeln!(text, "  - record: family{family}:rule{number}\n    expr: '{expr}'"),
            };
        }
    }
    text
}

fn ours(targets: usize, times: usize) -> Result<(Figures, usize)> {
    let store = Store::new(Limits {
        bytes: 1 << 34,
        ..Limits::default()
    });
    let mut targets: Vec<Target> = (0..targets).map(Target::new).collect();
    let mut handles = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let all: Vec<Labels> = target.labels(&format!("10.0.0.{number}:9100")).collect();
        let made: Result<Vec<_>, _> = store.all_series(&all).into_iter().collect();
        handles.push(made?);
    }
    let mut at_ms = BEGIN_MS;
    let mut scrape = |at_ms: i64| {
        for (target, handles) in targets.iter_mut().zip(&handles) {
            target.tick();
            let samples = target.values().iter().map(|value| (at_ms, *value));
            let batch: Vec<_> = handles.iter().copied().zip(samples).collect();
            store.append_all(&batch);
        }
    };
    for _ in 0..SCRAPES {
        at_ms += 1_000;
        scrape(at_ms);
    }
    let text = text();
    let read = rules::read(File {
        path: "bench.yml",
        text: &text,
    });
    ensure!(read.problems.is_empty(), "{:?}", read.problems.first());
    let mut groups: Vec<Group> = read.groups.into_iter().map(Group::new).collect();
    let began = Instant::now();
    let settings = Settings {
        externals: &Externals::default(),
        options: &Options::default(),
        interval_ms: 5_000,
        query_offset_ms: 0,
        resend: Resend::default(),
        stopwatch: &|| began.elapsed(),
    };
    let mut figures = Figures::default();
    for _ in 0..times {
        for _ in 0..5 {
            at_ms += 1_000;
            scrape(at_ms);
        }
        let start = Instant::now();
        for group in &mut groups {
            group.evaluate(at_ms, &mut Into(&store), &settings);
        }
        figures.add(start.elapsed());
    }
    let rules = groups.iter().flat_map(Group::rules);
    let failed = rules.clone().find_map(|rule| rule.fared.last_error.as_ref());
    ensure!(failed.is_none(), "{failed:?}");
    Ok((figures, rules.map(|rule| rule.fared.series).sum()))
}

struct Into<'s>(&'s Store);

impl Source for Into<'_> {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        self.0.select(matchers, start_ms, end_ms)
    }

    fn latest(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<(Labels, Sample)>, SourceError> {
        self.0.latest(matchers, start_ms, end_ms)
    }
}

impl rules::Sink for Into<'_> {
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError> {
        let handle = self.0.series(labels);
        let appended = handle.and_then(|handle| self.0.append(handle, at_ms, value));
        appended.map_err(|refused| SourceError(refused.to_string()))
    }
}

/// What its groups say that they took last, summed, every five seconds.
fn its(targets: usize) -> Result<(Figures, usize)> {
    let directory = tempfile::tempdir()?;
    let (addresses, _stop) = serve_all(targets)?;
    let listed: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let prometheus = Prometheus::start(directory.path(), &listed, &text(), "127.0.0.1:9")?;
    let sum = |name: &str| metrics(&prometheus.url, name).map(|all| all.iter().sum::<f64>());
    let scrapes = SCRAPES as f64 * (targets * EACH) as f64;
    let start = Instant::now();
    while sum("prometheus_tsdb_head_samples_appended_total{type=\"float\"}").unwrap_or_default() < scrapes {
        ensure!(
            start.elapsed() < Duration::from_secs(900),
            "Prometheus is too slow for this"
        );
        thread::sleep(Duration::from_millis(500));
    }
    let mut figures = Figures::default();
    for _ in 0..9 {
        thread::sleep(Duration::from_secs(5));
        figures.add(Duration::from_secs_f64(sum(
            "prometheus_rule_group_last_duration_seconds",
        )?));
    }
    let failed = sum("prometheus_rule_evaluation_failures_total")?;
    ensure!(failed == 0.0, "{failed} evaluations failed");
    let samples = sum("prometheus_rule_group_last_evaluation_samples")?;
    Ok((figures, samples as usize))
}
