//! Which schedules come next, and what became of the last ticks.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use evenkeel_engine::schedule::{Filter, ListError, Listing, list as listing};
use evenkeel_model::name::RunbookName;
use serde::Deserialize;

use crate::error::Error;
use crate::state::Console;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    runbook: Option<RunbookName>,
    #[serde(default = "few")]
    ticks: usize,
    #[serde(default = "many")]
    limit: usize,
}

fn few() -> usize {
    3
}

fn many() -> usize {
    1_000
}

/// `GET /api/v1/schedules`.
pub async fn list(
    State(console): State<Arc<Console>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Listing>, Error> {
    let Query(wanted) = wanted.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let filter = Filter {
        runbook: wanted.runbook,
        ticks: wanted.ticks,
        limit: wanted.limit,
    };
    let home = console.engine.home();
    let now = console.clock.now();
    match listing(&*console.journal, &home, &filter, now).await {
        Ok(found) => Ok(Json(found)),
        Err(ListError::Journal(error)) => Err(error.into()),
        Err(error @ ListError::Unknown { .. }) => Err(Error::new(StatusCode::NOT_FOUND, error.to_string())),
    }
}
