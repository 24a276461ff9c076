//! Plugins that are not called for a while because they trapped too often in a row.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::port::Circuit;
use crate::serve::Peer;
use crate::state::Console;

/// `GET /api/v1/circuits`: those that are open.
pub async fn list(State(console): State<Arc<Console>>) -> Json<Vec<Circuit>> {
    Json(console.daemon.circuits())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// None: every version.
    version: Option<String>,
}

/// `POST /api/v1/circuits/{plugin}/close`.
pub async fn close(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    plugin: Result<Path<String>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Error> {
    let Path(plugin) = plugin.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let Query(which) = which.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    match console
        .daemon
        .close_circuits(&plugin, which.version.as_deref(), &peer.user)
    {
        0 => Err(Error::new(
            StatusCode::NOT_FOUND,
            format!("no circuit of `{plugin}` is open; `evenkeel plugin list` shows those that are"),
        )),
        closed => Ok(Json(json!({ "closed": closed }))),
    }
}
