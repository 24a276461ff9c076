//! Who may read, and what.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use evenkeel_alerting::promql::{Labels, Only};
use evenkeel_model::name::CustomerId;
use evenkeel_model::runbook::Matcher;

use super::answer::Error;
use crate::port::Credential;
use crate::state::Console;

use evenkeel_model::scrape::CUSTOMER;

/// Who may read over TCP.
#[derive(Clone)]
pub enum Readers {
    /// Whoever reaches a loopback listener.
    Anybody,
    /// The listener can be reached from elsewhere, and no reader is configured.
    Nobody,
    These(Arc<Vec<Credential>>),
}

/// What a request may see. None: all.
#[derive(Clone, Debug, Default)]
pub struct Scope(pub Option<CustomerId>);

pub async fn admit(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    match scope(&console.daemon.readers(), &request) {
        Ok(scope) => {
            request.extensions_mut().insert(scope);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn scope(readers: &Readers, request: &Request) -> Result<Scope, Error> {
    let readers = match readers {
        // A page that has its own name lead here reads nothing.
        Readers::Anybody if is_local(request) => return Ok(Scope(None)),
        Readers::Anybody => {
            let why = "without a reader, the daemon is asked by the name `localhost` or by its address: add a `[reader.NAME]`";
            return Err(Error::unauthorized(why));
        }
        Readers::Nobody => {
            return Err(Error::unauthorized(
                "nobody may read over this listener: add a `[reader.NAME]` to evenkeel.toml",
            ));
        }
        Readers::These(readers) => readers,
    };
    let presented = request.headers().get(header::AUTHORIZATION);
    let presented = presented.and_then(|value| value.to_str().ok());
    let token = presented.and_then(|value| value.strip_prefix("Bearer "));
    let reader = token.and_then(|token| readers.iter().find(|reader| reader.token.is(token.trim())));
    match reader {
        Some(reader) => Ok(Scope(reader.customer.clone())),
        None => Err(Error::unauthorized(
            "send the token of a `[reader]` of evenkeel.toml as `Authorization: Bearer TOKEN`",
        )),
    }
}

/// Whether the request names this machine, and not what somebody else calls it.
fn is_local(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<axum::http::uri::Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

impl Scope {
    /// Whether the labels are of what may be seen.
    pub fn sees(&self, labels: &Labels) -> bool {
        self.sees_customer(labels.get(CUSTOMER))
    }

    pub fn sees_customer(&self, customer: &str) -> bool {
        self.0.as_ref().is_none_or(|own| own.as_str() == customer)
    }

    /// What has to match besides.
    pub fn matcher(&self) -> Option<Matcher> {
        self.0.as_ref().map(|customer| Only::label(CUSTOMER, customer.as_str()))
    }
}
