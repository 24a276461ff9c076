//! Requests to an origin that the operator named.

mod statuses;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use statuses::Statuses;

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::http::{Certificate, HttpError, Request, Response};
use crate::{CallError, Cause, Class, Context, Effect, Result, subject};

/// An origin. Paths start with one slash and are relative to its base.
#[derive(Clone, Copy)]
pub struct Origin<'h> {
    host: &'h Host,
    name: &'h str,
}

impl<'h> Origin<'h> {
    pub(super) fn new(host: &'h Host, name: &'h str) -> Self {
        Self { host, name }
    }

    /// Reads.
    pub fn get(&self, path: impl Into<String>) -> Send<'h> {
        self.request("GET", path)
    }

    /// Reads without the body.
    pub fn head(&self, path: impl Into<String>) -> Send<'h> {
        self.request("HEAD", path)
    }

    /// An effect that is not made again after a crash.
    pub fn post(&self, path: impl Into<String>) -> Send<'h> {
        self.request("POST", path)
    }

    /// An effect that may be made twice.
    pub fn put(&self, path: impl Into<String>) -> Send<'h> {
        self.request("PUT", path)
    }

    /// An effect that may be made twice.
    pub fn delete(&self, path: impl Into<String>) -> Send<'h> {
        self.request("DELETE", path)
    }

    /// Any method, in capitals.
    pub fn request(&self, method: impl Into<String>, path: impl Into<String>) -> Send<'h> {
        let request = Request {
            origin: self.name.to_owned(),
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        Send {
            host: self.host,
            request,
        }
    }
}

/// A request about to be sent.
#[must_use]
pub struct Send<'h> {
    host: &'h Host,
    request: Request,
}

impl Send<'_> {
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets the body and its type.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self> {
        let body = serde_json::to_vec(body).context("the body of a request")?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// The effect that this very call is, for the plan.
    pub fn effect(&self) -> Effect {
        let Request {
            origin,
            method,
            path,
            body,
            ..
        } = &self.request;
        Effect::http(method, origin, path).content(body)
    }

    /// Sends it and waits for the whole answer. A 404 or 500 is an answer, not an error.
    pub fn send(self) -> Result<Response, CallError<HttpError>> {
        let Request {
            origin, method, path, ..
        } = &self.request;
        let about = CallError::about(subject::http(method, origin, path));
        self.host.backend.http(&self.request).map_err(about)
    }
}

impl Response {
    /// What a mock origin answers.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            elapsed_ms: 0,
            certificate: None,
        }
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// After so long.
    #[must_use]
    pub fn with_elapsed_ms(mut self, elapsed_ms: u32) -> Self {
        self.elapsed_ms = elapsed_ms;
        self
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; what isn't UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).context("the body of the answer")
    }
}

impl Cause for HttpError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "http-denied", why.clone()),
            Self::Dns => (Class::Transient, "http-dns", "the name can't be resolved".into()),
            Self::Connect => (Class::Transient, "http-connect", "the connection failed".into()),
            Self::Tls(why) => (Class::Permanent, "http-tls", format!("no secure connection: {why}")),
            Self::TimedOut => (Class::Transient, "http-timed-out", "no answer in time".into()),
            Self::TooLarge => (
                Class::Permanent,
                "http-too-large",
                "the answer is larger than the limit".into(),
            ),
            Self::Other(why) => (Class::Transient, "http-failed", why.clone()),
        }
    }
}
