//! The HTTP API: alerts in, series out, and probes, over TCP; runs and what a person asks for over the
//! Unix socket of the home.
//!
//! *Invariant:* over TCP nothing of a run can be read and nothing but alerts can be said: until
//! people can sign in, the socket's permissions are who may. What [`prometheus`] answers can be read
//! there with a reader's token.

mod alerts;
mod approvals;
mod body;
mod changes;
mod circuits;
mod daemon;
mod error;
mod gates;
mod metrics;
mod outbox;
pub mod port;
pub mod prometheus;
mod runs;
mod schedules;
mod serve;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use metrics::{Metric, MetricKind};
pub use serve::{Peer, serve_tcp, serve_unix};
pub use state::Console;

/// Of a request. A Prometheus sends 256 alerts at a time, some 300 KiB.
pub const BODY_BYTES: usize = 4 << 20;

/// What is served over TCP.
pub fn public(console: Arc<Console>) -> Router {
    let routes = open().merge(prometheus::public(console.clone()));
    within_bounds(routes).with_state(console)
}

/// What is served over the Unix socket: all.
pub fn private(console: Arc<Console>) -> Router {
    let routes = open()
        .merge(prometheus::private())
        .route("/api/v1/daemon", get(daemon::show))
        .route("/api/v1/reload", post(daemon::reload))
        .route("/api/v1/rounds", post(runs::start))
        .route("/api/v1/runs", get(runs::list))
        .route("/api/v1/runs/{run}", get(runs::show))
        .route("/api/v1/runs/{run}/cancel", post(runs::cancel))
        .route("/api/v1/runs/{run}/kill", post(runs::kill))
        .route("/api/v1/runs/{run}/resolve", post(runs::resolve))
        .route("/api/v1/runs/{run}/undo", post(runs::undo))
        .route("/api/v1/runs/{run}/approval", post(approvals::of_run))
        .route("/api/v1/rounds/{round}/after", get(runs::after))
        .route("/api/v1/rounds/{round}/approval", post(approvals::of_round))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/schedules", get(schedules::list))
        .route("/api/v1/changes", get(changes::list))
        .route("/api/v1/outbox", get(outbox::list))
        .route("/api/v1/notifiers/{name}/test", post(outbox::test))
        .route("/api/v1/firing", get(alerts::firing))
        .route("/api/v1/holds", get(gates::list).post(gates::hold))
        .route("/api/v1/holds/{hold}/end", post(gates::end))
        .route("/api/v1/strikes/clear", post(gates::clear_strikes))
        .route("/api/v1/why", get(gates::why))
        .route("/api/v1/simulate", post(gates::simulate))
        .route("/api/v1/circuits", get(circuits::list))
        .route("/api/v1/circuits/{plugin}/close", post(circuits::close));
    within_bounds(routes).with_state(console)
}

fn open() -> Router<Arc<Console>> {
    Router::new()
        .route("/api/v2/alerts", post(alerts::prometheus))
        .route("/api/v1/alertmanager", post(alerts::alertmanager))
        .route("/healthz", get(daemon::healthz))
        .route("/metrics", get(daemon::metrics))
}

/// What holds for all routes, so it comes when all are there.
fn within_bounds(routes: Router<Arc<Console>>) -> Router<Arc<Console>> {
    routes
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(axum::middleware::from_fn(error::in_time))
}
