//! Plans that wait for people.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use evenkeel_engine::{ApprovalError, Decision, Pending};
use evenkeel_model::name::{RoundId, RunId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::serve::Peer;
use crate::state::Console;

/// `GET /api/v1/approvals`: oldest first.
pub async fn list(State(console): State<Arc<Console>>) -> Json<Vec<Pending>> {
    Json(console.engine.pending())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    approve: bool,
    /// The plan's hash, or its beginning: refused if it is another one by now.
    plan: Option<String>,
    #[serde(default)]
    why: String,
}

/// `POST /api/v1/runs/{run}/approval`.
pub async fn of_run(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    run: Result<Path<RunId>, PathRejection>,
    body: Result<Json<Said>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    let Json(said) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let plan = said.plan.clone();
    console
        .engine
        .decide(run, plan.as_deref(), &decision(said, peer))
        .await?;
    Ok(Json(json!({ "runs": [run] })))
}

/// `POST /api/v1/rounds/{round}/approval`: of all its runs that wait.
pub async fn of_round(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    round: Result<Path<RoundId>, PathRejection>,
    body: Result<Json<Said>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Path(round) = round.map_err(|_| Error::bad_request("a round is named by its number"))?;
    let Json(said) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let plans = said.plan.clone();
    let said = decision(said, peer);
    let runs = console.engine.decide_round(round, plans.as_deref(), &said).await?;
    Ok(Json(json!({ "runs": runs })))
}

fn decision(said: Said, peer: Peer) -> Decision {
    Decision {
        approve: said.approve,
        who: peer.user,
        why: said.why,
    }
}

impl From<ApprovalError> for Error {
    fn from(error: ApprovalError) -> Self {
        let status = match error {
            ApprovalError::Journal(error) => return error.into(),
            ApprovalError::Unknown(_) => StatusCode::NOT_FOUND,
            ApprovalError::TooShort => StatusCode::UNPROCESSABLE_ENTITY,
            ApprovalError::OtherPlan(_)
            | ApprovalError::OtherPlans(_)
            | ApprovalError::Several(_)
            | ApprovalError::NothingAsked(_)
            | ApprovalError::NothingAskedOf(_)
            | ApprovalError::Again { .. } => StatusCode::CONFLICT,
            ApprovalError::Own { .. } | ApprovalError::NotAsked { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, error.to_string())
    }
}
