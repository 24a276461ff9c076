//! Runs: asked for, listed, followed, cancelled.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use evenkeel_engine::port::{After, RunFilter};
use evenkeel_engine::{CancelError, PersonRequest, RequestError, Resolution, ResolveError, UndoError, UndoRequest};
use evenkeel_model::alert::Alert;
use evenkeel_model::name::{AssetId, CustomerId, RoundId, RunId, RunbookName};
use evenkeel_model::run::{Event, Mode, Summary, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::error::Error;
use crate::serve::Peer;
use crate::state::Console;

/// The longest that a follower waits for an answer without news.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Events in one answer.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    runbook: RunbookName,
    target: Option<AssetId>,
    #[serde(default)]
    all: bool,
    #[serde(default = "live")]
    mode: Mode,
    alert: Option<Alert>,
    #[serde(default)]
    input: Map<String, Value>,
    /// Why it is to change something although that is frozen.
    override_freeze: Option<String>,
    /// Unique; asking again with the same starts nothing new.
    request: String,
}

fn live() -> Mode {
    Mode::Live
}

/// `POST /api/v1/rounds`.
pub async fn start(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Error> {
    let Json(start) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let request = PersonRequest {
        runbook: start.runbook,
        target: start.target,
        all: start.all,
        mode: start.mode,
        alert: start.alert,
        input: start.input,
        override_freeze: start.override_freeze,
        who: peer.user,
        request: start.request,
    };
    let accepted = console.engine.request(request).await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "round": accepted.round, "runs": accepted.runs })),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    runbook: Option<RunbookName>,
    target: Option<AssetId>,
    customer: Option<CustomerId>,
    verdict: Option<Verdict>,
    round: Option<RoundId>,
    before: Option<RunId>,
    #[serde(default)]
    limit: usize,
}

/// `GET /api/v1/runs`.
pub async fn list(
    State(console): State<Arc<Console>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Vec<Summary>>, Error> {
    let Query(filter) = filter.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let filter = RunFilter {
        runbook: filter.runbook,
        target: filter.target,
        customer: filter.customer,
        verdict: filter.verdict,
        round: filter.round,
        before: filter.before,
        limit: filter.limit,
        ..RunFilter::default()
    };
    Ok(Json(console.journal.runs(filter).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Only events with a higher number.
    #[serde(default)]
    after: u64,
    /// Seconds to wait for such an event if there is none yet.
    #[serde(default)]
    wait: u64,
}

#[derive(Serialize)]
pub struct Story {
    summary: Summary,
    events: Vec<Event>,
    /// There are later events already: ask again after the last of these.
    more: bool,
}

/// `GET /api/v1/runs/{run}`.
pub async fn show(
    State(console): State<Arc<Console>>,
    run: Result<Path<RunId>, PathRejection>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Json<Story>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    let Query(since) = since.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let until = Instant::now() + Duration::from_secs(since.wait).min(LONGEST_WAIT);
    let mut appended = console.daemon.appended();
    loop {
        let story = story(&console, run, since.after).await?;
        if !story.events.is_empty() || story.summary.finished_at.is_some() {
            return Ok(Json(story));
        }
        let news = async {
            loop {
                match appended.recv().await {
                    Ok(of) if of != run => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        if tokio::time::timeout_at(until, news).await.is_err() {
            return Ok(Json(story));
        }
    }
}

async fn story(console: &Console, run: RunId, after: u64) -> Result<Story, Error> {
    let unknown = || Error::new(StatusCode::NOT_FOUND, format!("there is no run {run}"));
    // The summary first: once it says that the run is finished, the events are all there.
    let summary = console.journal.run(run).await?.ok_or_else(unknown)?;
    let events = console.journal.events_after(run, after, PAGE).await?;
    let more = events.len() == PAGE;
    Ok(Story { summary, events, more })
}

/// `GET /api/v1/rounds/{round}/after`: the runs of its `[[after]]`.
pub async fn after(
    State(console): State<Arc<Console>>,
    round: Result<Path<RoundId>, PathRejection>,
) -> Result<Json<After>, Error> {
    let Path(round) = round.map_err(|_| Error::bad_request("a round is named by its number"))?;
    let after = console.journal.after(round).await?;
    let none = || Error::new(StatusCode::NOT_FOUND, format!("there is no round {round}"));
    after.map(Json).ok_or_else(none)
}

/// `POST /api/v1/runs/{run}/cancel`.
pub async fn cancel(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    run: Result<Path<RunId>, PathRejection>,
) -> Result<Json<Value>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    console
        .engine
        .cancel(run, &format!("cancelled by {}", peer.user))
        .await?;
    Ok(Json(json!({ "cancelling": run })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    #[serde(default)]
    why: String,
}

/// `POST /api/v1/runs/{run}/kill`.
pub async fn kill(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    run: Result<Path<RunId>, PathRejection>,
    body: Result<Json<Kill>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    let Json(said) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    console.engine.kill(run, &peer.user, &said.why).await?;
    Ok(Json(json!({ "killed": run })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The action is done as a whole. Otherwise the effect was not made.
    done: bool,
    #[serde(default)]
    why: String,
    /// `STEP/ACTION`.
    #[serde(default)]
    of: Option<String>,
}

/// `POST /api/v1/runs/{run}/resolve`.
pub async fn resolve(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    run: Result<Path<RunId>, PathRejection>,
    body: Result<Json<Resolve>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    let Json(said) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let resolution = Resolution {
        done: said.done,
        who: peer.user,
        why: said.why,
        of: said.of,
    };
    console.engine.resolve(run, resolution).await?;
    Ok(Json(json!({ "resolved": run })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    #[serde(default)]
    why: String,
    override_freeze: Option<String>,
    #[serde(default)]
    despite_later: bool,
    /// Answers what it would roll back, and does nothing.
    #[serde(default)]
    dry_run: bool,
}

/// `POST /api/v1/runs/{run}/undo`.
pub async fn undo(
    State(console): State<Arc<Console>>,
    Extension(peer): Extension<Peer>,
    run: Result<Path<RunId>, PathRejection>,
    body: Result<Json<Undo>, JsonRejection>,
) -> Result<Json<Value>, Error> {
    let Path(run) = run.map_err(|_| Error::bad_request("a run is named by its number"))?;
    let Json(said) = body.map_err(|rejection| Error::new(rejection.status(), rejection.body_text()))?;
    let asked = UndoRequest {
        who: peer.user,
        why: said.why,
        override_freeze: said.override_freeze,
        despite_later: said.despite_later,
    };
    let actions = console.engine.undoable(run, &asked).await?;
    if !said.dry_run {
        console.engine.undo(run, asked).await?;
    }
    Ok(Json(json!({ "run": run, "actions": actions })))
}

impl From<UndoError> for Error {
    fn from(error: UndoError) -> Self {
        let status = match error {
            UndoError::Journal(error) => return error.into(),
            UndoError::Unknown(_) => StatusCode::NOT_FOUND,
            UndoError::Draining => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Journal(error) => error.into(),
            RequestError::Draining => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            RequestError::UnknownRunbook { .. } | RequestError::UnknownTarget { .. } => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        let status = match error {
            ResolveError::Journal(error) => return error.into(),
            ResolveError::Unknown(_) => StatusCode::NOT_FOUND,
            ResolveError::UnderWay(_)
            | ResolveError::Known { .. }
            | ResolveError::Several { .. }
            | ResolveError::NotAsked { .. }
            | ResolveError::Below { .. } => StatusCode::CONFLICT,
            ResolveError::Draining => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<CancelError> for Error {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Journal(error) => error.into(),
            CancelError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            CancelError::Finished(_) | CancelError::NotUnderWay(_) => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
        }
    }
}
