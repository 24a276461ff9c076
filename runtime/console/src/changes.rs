//! What was done to the world.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use evenkeel_model::change::{ChangeFilter, Recorded};
use evenkeel_model::name::{AssetId, CustomerId, RunbookName};
use serde::Deserialize;

use crate::error::Error;
use crate::state::Console;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    runbook: Option<RunbookName>,
    target: Option<AssetId>,
    customer: Option<CustomerId>,
    #[serde(default)]
    limit: usize,
}

/// `GET /api/v1/changes`.
pub async fn list(
    State(console): State<Arc<Console>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<Recorded>>, Error> {
    let Query(wanted) = wanted.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let filter = ChangeFilter {
        runbook: wanted.runbook,
        target: wanted.target,
        customer: wanted.customer,
        limit: wanted.limit,
    };
    let found = console.daemon.changes(filter).await;
    found
        .map(Json)
        .map_err(|why| Error::new(StatusCode::INTERNAL_SERVER_ERROR, why))
}
