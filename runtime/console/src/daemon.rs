//! How the daemon itself is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::error::Error;
use crate::metrics::{self, Metric, MetricKind};
use crate::port::About;
use crate::state::Console;

/// `GET /healthz`: 200, or 503 with every reason why no run could be started or recorded.
pub async fn healthz(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let ailments = console.daemon.ailments().await;
    let status = if ailments.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "healthy": ailments.is_empty(), "reasons": ailments })),
    )
}

/// `GET /metrics`.
pub async fn metrics(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let mut all = console.daemon.metrics();
    all.extend(console.counters.metrics());
    let under_way = console.engine.under_way().len();
    all.push(
        Metric::new(
            "evenkeel_runs_under_way",
            "Runs that wait or are at work.",
            MetricKind::Gauge,
        )
        .value(under_way as f64),
    );
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics::text(&all),
    )
}

/// `GET /api/v1/daemon`.
pub async fn show(State(console): State<Arc<Console>>) -> Json<About> {
    Json(console.daemon.about())
}

/// `POST /api/v1/reload`.
pub async fn reload(State(console): State<Arc<Console>>) -> Result<Json<Value>, Error> {
    console
        .daemon
        .reload()
        .await
        .map_err(|problems| Error::new(StatusCode::CONFLICT, problems))?;
    Ok(Json(json!({ "reloaded": true })))
}
