//! What holds runs back, and why they did not start.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::HoldError;
use evenkeel_engine::why::simulate::Simulated;
use evenkeel_engine::why::{MOST, Question, Told};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Hold, What, Wish};
use evenkeel_model::name::{AssetId, RunbookName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::serve::Peer;
use crate::state::Console;

/// `GET /api/v1/holds`: pauses and silences in force.
pub async fn list(State(console): State<Arc<Console>>) -> Result<Json<Vec<Hold>>, Error> {
    Ok(Json(console.engine.holds().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    what: What,
    why: String,
    until: Option<DateTime<Utc>>,
}

/// `POST /api/v1/holds`.
pub async fn hold(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Hold>), Error> {
    let Json(asked) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let wish = Wish {
        what: asked.what,
        why: asked.why,
        who: peer.user,
        until: asked.until,
    };
    Ok((StatusCode::CREATED, Json(console.engine.hold(wish).await?)))
}

/// `POST /api/v1/holds/{hold}/end`.
pub async fn end(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    hold: Result<Path<u64>, PathRejection>,
) -> Result<Json<Hold>, Error> {
    let Path(hold) = hold.map_err(|_| Error::bad_request("a pause or a silence is named by its number"))?;
    let released = console.engine.release(vec![hold], &peer.user).await?;
    let released = released.into_iter().next();
    released
        .map(Json)
        .ok_or_else(|| Error::new(StatusCode::NOT_FOUND, format!("no pause or silence {hold} is in force")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    runbook: RunbookName,
    target: AssetId,
}

/// `POST /api/v1/strikes/clear`.
pub async fn clear_strikes(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    body: Result<Json<Place>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Json(place) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    console
        .engine
        .clear_strikes(&place.runbook, &place.target, &peer.user)
        .await?;
    Ok(Json(json!({ "runbook": place.runbook, "target": place.target })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    runbook: Option<RunbookName>,
    asset: Option<AssetId>,
    alert: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    limit: Option<usize>,
}

/// `GET /api/v1/why`.
pub async fn why(
    State(console): State<Arc<Console>>,
    why: Result<Query<Why>, QueryRejection>,
) -> Result<Json<Told>, Error> {
    let Query(why) = why.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let to = why.to.unwrap_or_else(|| console.clock.now());
    let question = Question {
        runbook: why.runbook,
        asset: why.asset,
        alert: why.alert,
        from: why.from.unwrap_or(to - TimeDelta::hours(24)),
        to,
        limit: why.limit.unwrap_or(MOST),
    };
    Ok(Json(console.engine.why(&question).await?))
}

/// One of the two.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tried {
    Alert(Box<Alert>),
    /// `FINGERPRINT`, or `CUSTOMER/FINGERPRINT`.
    Stored(String),
}

/// `POST /api/v1/simulate`.
pub async fn simulate(
    State(console): State<Arc<Console>>,
    body: Result<Json<Tried>, JsonRejection>,
) -> Result<Json<Simulated>, Error> {
    let Json(tried) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let alert = match tried {
        Tried::Alert(alert) => *alert,
        Tried::Stored(name) => console.engine.stored_alert(&name).await?,
    };
    Ok(Json(console.engine.simulate(alert).await?))
}

impl From<HoldError> for Error {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Journal(error) => error.into(),
            HoldError::Unknown(why) => Self::new(StatusCode::NOT_FOUND, why),
            HoldError::Wrong(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why),
            HoldError::TooMany => Self::new(StatusCode::CONFLICT, error.to_string()),
        }
    }
}
