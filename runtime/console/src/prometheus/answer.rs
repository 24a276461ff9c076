//! The envelope of every answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// What went well: `data` is JSON already.
pub struct Answer {
    data: String,
    warnings: Vec<String>,
}

impl Answer {
    pub fn raw(data: String) -> Self {
        Self {
            data,
            warnings: Vec::new(),
        }
    }

    pub fn of(data: &impl Serialize) -> Self {
        Self::raw(serde_json::to_string(data).expect("what is answered has text for keys"))
    }

    /// Says that a limit cut something off.
    pub fn cut(mut self, is_cut: bool) -> Self {
        if is_cut {
            self.warnings.push("results truncated due to limit".to_owned());
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = format!("{{\"status\":\"success\",\"data\":{}", self.data);
        if !self.warnings.is_empty() {
            body.push_str(&format!(",\"warnings\":{}", json!(self.warnings)));
        }
        body.push('}');
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Error {
    /// A parameter is missing or wrong.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_data", message)
    }

    pub fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::bad(format!("invalid parameter \"{name}\": {why}"))
    }

    /// An expression has no answer.
    pub fn execution(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "execution", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "status": "error", "errorType": self.kind, "error": self.message });
        (self.status, axum::Json(body)).into_response()
    }
}
