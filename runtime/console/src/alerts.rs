//! Alerts in: as a Prometheus pushes them to an Alertmanager, and as an Alertmanager's webhook.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use evenkeel_alerting::intake::{Batch, Context, Malformed};
use evenkeel_alerting::{v2, webhook};
use evenkeel_model::alert::{Alert, Labels};
use evenkeel_model::home::Home;
use evenkeel_model::name::CustomerId;
use evenkeel_model::target;
use serde_json::{Value, json};

use crate::body;
use crate::error::Error;
use crate::port::Credential;
use crate::state::{Console, Counters};

/// Who pushes while no `[source]` is configured.
const ANYBODY: &str = "anybody";

/// `POST /api/v2/alerts`.
pub async fn prometheus(State(console): State<Arc<Console>>, request: Request) -> Result<Json<Value>, Error> {
    take(&console, request, v2::parse).await
}

/// `POST /api/v1/alertmanager`.
pub async fn alertmanager(State(console): State<Arc<Console>>, request: Request) -> Result<Json<Value>, Error> {
    let parse = |body: &[u8], context: &Context<'_>| {
        let notification = webhook::parse(body, context)?;
        if notification.truncated > 0 {
            tracing::warn!(
                source = context.source,
                truncated = notification.truncated,
                "the Alertmanager left out alerts: raise its `max_alerts`"
            );
        }
        Ok(notification.batch)
    };
    take(&console, request, parse).await
}

/// `GET /api/v1/firing`.
pub async fn firing(State(console): State<Arc<Console>>) -> Result<Json<Vec<Alert>>, Error> {
    Ok(Json(console.memory.firing(console.clock.now()).await?))
}

async fn take(
    console: &Console,
    request: Request,
    parse: impl Fn(&[u8], &Context<'_>) -> Result<Batch, Malformed>,
) -> Result<Json<Value>, Error> {
    let sources = console.daemon.sources();
    let (head, body) = request.into_parts();
    let source = match admit(&sources, &head.headers) {
        Ok(source) => source,
        Err(refusal) => {
            body::discard(body).await;
            return Err(refusal);
        }
    };
    let held = body::read(body).await?;
    Counters::add(&console.counters.pushes, 1);
    let home = console.engine.home();
    let now = console.clock.now();
    let customer = |labels: &Labels| whose(&home, source, labels);
    let context = Context {
        source: source.map_or(ANYBODY, |source| &source.name),
        customer: &customer,
        now,
        resolve_timeout: home.settings.resolve_timeout,
    };
    let batch = parse(&held.bytes, &context).map_err(|malformed| Error::bad_request(malformed.to_string()))?;
    let taken = batch.alerts.len();
    let edges = console.memory.accept_as(batch.manner, batch.alerts, now).await?;
    Counters::add(&console.counters.received, taken);
    Counters::add(&console.counters.rejected, batch.rejected.len());
    Counters::add(&console.counters.edges, edges.len());
    if batch.rejected.is_empty() {
        return Ok(Json(json!({ "accepted": taken })));
    }
    tracing::warn!(source = context.source, rejected = batch.rejected.len(), first = %batch.rejected[0].why, "alerts rejected");
    Err(Error::rejected(taken, batch.rejected))
}

/// The source whose token the request carries; none if none is needed.
fn admit<'s>(sources: &'s [Credential], headers: &HeaderMap) -> Result<Option<&'s Credential>, Error> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "alerts are pushed by programs, not by pages in a browser",
        ));
    }
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body without a content encoding",
        ));
    }
    if sources.is_empty() {
        return Ok(None);
    }
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = presented.and_then(|value| value.strip_prefix("Bearer "));
    let source = token.and_then(|token| sources.iter().find(|source| source.token.is(token.trim())));
    source.map(Some).ok_or_else(|| {
        Error::new(
            StatusCode::UNAUTHORIZED,
            "send the token of a `[source]` of evenkeel.toml as `Authorization: Bearer TOKEN`",
        )
    })
}

/// The source's customer; else the owner of the asset that the labels name.
fn whose(home: &Home, source: Option<&Credential>, labels: &Labels) -> CustomerId {
    let of_source = source.and_then(|source| source.customer.clone());
    of_source.unwrap_or_else(|| target::owner(labels, home))
}
