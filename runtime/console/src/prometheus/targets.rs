//! `targets` and `metadata`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use evenkeel_alerting::exposition::Kind;
use evenkeel_alerting::rules::written;
use evenkeel_alerting::watch::TargetState;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, Error};
use super::params::Params;
use super::time;
use crate::state::Console;

/// `GET /api/v1/targets`
pub async fn list(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let state = params.get("state").unwrap_or("any");
    let active: Vec<Value> = match state {
        "any" | "active" => seen(&console, &params).iter().map(|target| shown(target)).collect(),
        "dropped" => Vec::new(),
        other => {
            return Err(Error::parameter(
                "state",
                format!("\"{other}\" is none of any, active and dropped"),
            ));
        }
    };
    Ok(Answer::of(&json!({
        "activeTargets": active,
        "droppedTargets": [],
        "droppedTargetCounts": {},
    })))
}

fn seen(console: &Console, params: &Params) -> Vec<Arc<TargetState>> {
    let pool = params.get("scrapePool");
    let mut targets = console.watch.targets();
    targets.retain(|state| {
        let target = &state.target;
        params.scope.sees_customer(target.customer.as_str()) && pool.is_none_or(|pool| pool == target.scrape.name)
    });
    targets
}

fn shown(state: &TargetState) -> Value {
    let target = &state.target;
    let milliseconds = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    json!({
        "discoveredLabels": { "__address__": target.instance, "asset": target.asset, "job": target.scrape.name },
        "labels": target.labels(),
        "scrapePool": target.scrape.name,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": state.last_error,
        "lastScrape": state.last_scrape_ms.map_or(time::NEVER.to_owned(), time::shown),
        "lastScrapeDuration": state.took.as_secs_f64(),
        "health": state.health.as_str(),
        "scrapeInterval": written(milliseconds(target.scrape.every)),
        "scrapeTimeout": written(milliseconds(target.scrape.timeout)),
    })
}

#[derive(Serialize, PartialEq, Eq)]
struct Said<'s> {
    r#type: &'static str,
    help: &'s str,
    unit: &'s str,
}

/// `GET /api/v1/metadata`
pub async fn metadata(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let (limit, per_metric) = (params.limit("limit")?, params.limit("limit_per_metric")?);
    let wanted = params.get("metric");
    let targets = seen(&console, &params);
    let mut families: BTreeMap<&str, Vec<Said<'_>>> = BTreeMap::new();
    for said in targets.iter().flat_map(|target| target.metadata.iter()) {
        if wanted.is_some_and(|wanted| wanted != said.family) {
            continue;
        }
        if families.len() >= limit && !families.contains_key(said.family.as_str()) {
            continue;
        }
        let known = families.entry(&said.family).or_default();
        let said = Said {
            r#type: kind(said.kind),
            help: &said.help,
            unit: &said.unit,
        };
        if known.len() < per_metric && !known.contains(&said) {
            known.push(said);
        }
    }
    Ok(Answer::of(&families))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::GaugeHistogram => "gaugehistogram",
        Kind::Summary => "summary",
        Kind::Info => "info",
        Kind::StateSet => "stateset",
        Kind::Unknown => "unknown",
    }
}
