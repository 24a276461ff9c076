//! What this is, and what it holds.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use super::answer::{Answer, Error};
use super::params::Params;
use crate::state::Console;

/// The Prometheus whose answers are given here: readers choose by it what they may ask.
const LIKE: &str = "3.5.0";
/// Entries of a list of the largest.
const TOP: usize = 10;

/// `GET /api/v1/status/buildinfo`
pub async fn build(State(console): State<Arc<Console>>) -> Answer {
    let about = console.daemon.about();
    Answer::of(&json!({
        "version": LIKE,
        "revision": format!("evenkeel {}", about.version),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `GET /api/v1/status/tsdb`
pub async fn series(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    if params.scope.0.is_some() {
        return Err(Error::unauthorized(
            "this is about all customers, and the reader is one customer's",
        ));
    }
    let top = params.limit("limit")?;
    let top = if top == usize::MAX { TOP } else { top };
    let looked = tokio::task::spawn_blocking(move || console.watch.series().status(top));
    let status = looked.await.map_err(|error| Error::internal(error.to_string()))?;
    let named = |list: &[(String, usize)]| -> Vec<Value> {
        list.iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect()
    };
    Ok(Answer::of(&json!({
        "headStats": {
            "numSeries": status.series,
            "numLabelPairs": status.label_values,
            "chunkCount": 0,
            "minTime": 0,
            "maxTime": 0,
        },
        "samples": status.samples,
        "bytes": status.bytes,
        "seriesCountByMetricName": named(&status.by_metric),
        "labelValueCountByLabelName": named(&status.by_label),
    })))
}
