//! What people are told, and the notifiers that tell them.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use evenkeel_engine::notify::NotifyError;
use evenkeel_engine::port::outbox::{NoticeState, OutboxFilter, Posted, Tried};
use serde::Deserialize;

use crate::error::Error;
use crate::serve::Peer;
use crate::state::Console;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    state: Option<NoticeState>,
    notifier: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/v1/outbox`: newest first.
pub async fn list(
    State(console): State<Arc<Console>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Vec<Posted>>, Error> {
    let Query(which) = which.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let filter = OutboxFilter {
        state: which.state,
        notifier: which.notifier,
        before: which.before,
        limit: which.limit.unwrap_or(0),
    };
    Ok(Json(console.outbox.notices(filter).await?))
}

/// `POST /api/v1/notifiers/{name}/test`.
pub async fn test(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Tried>, Error> {
    let Path(name) = name.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    Ok(Json(console.engine.test_notifier(&name, &peer.user).await?))
}

impl From<NotifyError> for Error {
    fn from(error: NotifyError) -> Self {
        Self::new(StatusCode::NOT_FOUND, error.to_string())
    }
}
