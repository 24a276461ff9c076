//! Series, alerts and rules for reading, as the HTTP API of a Prometheus has them: Grafana's data source for Prometheus reads
//! it, and so does what was written for one. Shapes, error types and parameters are those of its page "HTTP API".
//!
//! *Invariant:* nothing here changes anything. A reader of one customer sees that customer's series and alerts alone.

mod access;
mod answer;
mod params;
mod query;
mod rules;
mod series;
mod status;
mod targets;
mod time;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};

use crate::state::Console;

pub use access::{Readers, Scope};

/// Over TCP: with the token of a reader, if there are any.
pub fn public(console: Arc<Console>) -> Router<Arc<Console>> {
    routes().layer(axum::middleware::from_fn_with_state(console, access::admit))
}

/// Over the socket: all of it.
pub fn private() -> Router<Arc<Console>> {
    routes().layer(axum::Extension(Scope::default()))
}

fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/api/v1/query", both(query::instant))
        .route("/api/v1/query_range", both(query::range))
        .route("/api/v1/query_exemplars", both(query::exemplars))
        .route("/api/v1/series", both(series::list))
        .route("/api/v1/labels", both(series::labels))
        .route("/api/v1/label/{name}/values", get(series::values))
        .route("/api/v1/metadata", get(targets::metadata))
        .route("/api/v1/targets", get(targets::list))
        .route("/api/v1/rules", get(rules::list))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/status/buildinfo", get(status::build))
        .route("/api/v1/status/tsdb", get(status::series))
}

/// What may be long is also sent as a form.
fn both<H, T>(handler: H) -> MethodRouter<Arc<Console>>
where
    H: axum::handler::Handler<T, Arc<Console>>,
    T: 'static,
{
    get(handler.clone()).post(handler)
}
