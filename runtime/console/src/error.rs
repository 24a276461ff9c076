//! What is answered when something is wrong: JSON with a sentence for people.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use evenkeel_alerting::intake::Rejected;
use evenkeel_alerting::port::MemoryError;
use evenkeel_engine::port::JournalError;
use serde_json::json;

/// The longest that a request may take, its body included.
const IN_TIME: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    message: String,
    rejected: Vec<Rejected>,
}

impl Error {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            rejected: Vec::new(),
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Some alerts of a push were refused; those beside them were taken in.
    pub fn rejected(taken: usize, rejected: Vec<Rejected>) -> Self {
        let why = rejected.first().map_or("", |first| first.why.as_str());
        let message = format!(
            "{} of {} alerts rejected; the first: {why}",
            rejected.len(),
            taken + rejected.len()
        );
        Self {
            status: StatusCode::BAD_REQUEST,
            message,
            rejected,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.message });
        if !self.rejected.is_empty() {
            body["rejected"] = json!(self.rejected);
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

/// What can't be written now may be sent again.
impl From<MemoryError> for Error {
    fn from(error: MemoryError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

pub async fn no_such_path(uri: Uri) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("there is nothing at `{}`", uri.path()))
}

pub async fn wrong_method(method: Method, uri: Uri) -> Error {
    Error::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("`{}` does not take {method}", uri.path()),
    )
}

/// Ends a request that takes too long, such as one whose body trickles in.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(IN_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error::new(StatusCode::REQUEST_TIMEOUT, "the request took longer than 30 s").into_response(),
    }
}
