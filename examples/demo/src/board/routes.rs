//! What is answered to which request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Form, Json, Router,
    extract::{MatchedPath, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};

use super::{
    Board, metrics, page,
    tasks::{Refused, Task},
};

pub(super) fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/tasks", post(create_by_form))
        .route("/tasks/{id}", get(show_task))
        .route("/tasks/{id}/close", post(close_by_form))
        .route("/api/tasks", get(list).post(create))
        .route("/api/tasks/{id}/close", post(close))
        .route_layer(middleware::from_fn_with_state(board.clone(), measure))
        .route("/health", get(|| async { "ok\n" }))
        .route("/metrics", get(exposition))
        .with_state(board)
}

#[derive(Deserialize)]
struct NewTask {
    title: String,
}

#[derive(Serialize)]
struct Listing {
    tasks: Vec<Task>,
    visitors: usize,
}

/// Why a request was not served, as its answer.
struct Failure(StatusCode, String);

async fn show(State(board): State<Arc<Board>>, headers: HeaderMap) -> Result<Response, Failure> {
    let cookie = session_cookie(&headers).map(str::to_owned);
    on_disk(move || {
        let now = super::now();
        let tasks = board.tasks.list();
        let session = board.sessions.visit(cookie.as_deref(), now, &tasks)?;
        let visitors = board.sessions.visitors(now)?;
        Ok(in_session(&session, page::render(&tasks, visitors)))
    })
    .await
}

/// Whoever follows a link to a task gets a session too; only nobody counts the visitors here.
async fn show_task(
    State(board): State<Arc<Board>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let cookie = session_cookie(&headers).map(str::to_owned);
    on_disk(move || {
        let tasks = board.tasks.list();
        let task = tasks.iter().find(|task| task.id == id).ok_or_else(|| no_task(id))?;
        let session = board.sessions.visit(cookie.as_deref(), super::now(), &tasks)?;
        Ok(in_session(&session, page::render_task(task)))
    })
    .await
}

fn in_session(session: &str, page: String) -> Response {
    let cookie = format!("session={session}; HttpOnly; SameSite=Lax; Path=/");
    ([(header::SET_COOKIE, cookie)], Html(page)).into_response()
}

async fn list(State(board): State<Arc<Board>>) -> Result<Json<Listing>, Failure> {
    on_disk(move || {
        Ok(Json(Listing {
            tasks: board.tasks.list(),
            visitors: board.sessions.visitors(super::now())?,
        }))
    })
    .await
}

async fn create(
    State(board): State<Arc<Board>>,
    Json(new): Json<NewTask>,
) -> Result<(StatusCode, Json<Task>), Failure> {
    let task = on_disk(move || Ok(board.tasks.create(&new.title)?)).await?;
    Ok((StatusCode::CREATED, Json(task)))
}

async fn close(State(board): State<Arc<Board>>, Path(id): Path<u64>) -> Result<Json<Task>, Failure> {
    on_disk(move || Ok(board.tasks.close(id)?))
        .await?
        .map_or_else(|| Err(no_task(id)), |task| Ok(Json(task)))
}

fn no_task(id: u64) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is no task {id}"))
}

async fn create_by_form(board: State<Arc<Board>>, Form(new): Form<NewTask>) -> Result<Redirect, Failure> {
    create(board, Json(new)).await.map(|_| Redirect::to("/"))
}

async fn close_by_form(board: State<Arc<Board>>, id: Path<u64>) -> Result<Redirect, Failure> {
    close(board, id).await.map(|_| Redirect::to("/"))
}

async fn exposition(State(board): State<Arc<Board>>) -> Result<Response, Failure> {
    on_disk(move || {
        let text = board.metrics.exposition(&board.sessions.size()?, &board.tasks.list());
        let format = "text/plain; version=0.0.4; charset=utf-8";
        Ok(([(header::CONTENT_TYPE, format)], text).into_response())
    })
    .await
}

async fn measure(State(board): State<Arc<Board>>, route: MatchedPath, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let started = Instant::now();
    let answer = next.run(request).await;
    let took: Duration = started.elapsed();
    let request = metrics::Request {
        method,
        route: route.as_str().to_owned(),
        status: answer.status().as_u16(),
    };
    board.metrics.observe(request, took);
    answer
}

/// Reading and writing files would hold up every other request on the same thread.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string())))
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix("session="))
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NoTitle | Refused::TitleTooLong => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::NotSaved(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, refused.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        (status, Json(serde_json::json!({ "error": why }))).into_response()
    }
}
