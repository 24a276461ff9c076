//! `http`: requests to an origin that the operator named.

mod address;
mod headers;
mod target;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel_engine::port::reach::{HttpError, Reach, Request, Response};
use evenkeel_model::action::hex;
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Origin, Resource};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{asset, granted, journal, subject};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::http;
use crate::references::{self, Form, Held, Values};
use crate::state::State;
pub use target::Target;

/// Left to the plugin of its time when an origin takes too long.
const MARGIN: Duration = Duration::from_millis(500);

impl http::Host for State {
    async fn send(&mut self, wanted: http::Request) -> wasmtime::Result<Result<http::Response, http::HttpError>> {
        let granted = self.origin(&wanted);
        let read_only = granted
            .as_ref()
            .is_ok_and(|(origin, _)| target::read_only(origin, &wanted.method, &wanted.path));
        let call = call(&wanted, read_only);
        let uses = [Use {
            capability: "http",
            operation: "send",
            subject: call.subject.clone(),
            content: &wanted.body,
        }];
        let ((origin, held), mut ticket) = admitted!(self.admit(call, &uses, granted).await?, http::HttpError);
        let at = asset(&wanted.origin, &self.invocation.target.id);
        let answer = match self.prepare(&at, &origin, held, wanted).await {
            Ok(request) => {
                self.intend(&mut ticket).await?;
                self.ports.reach.clone().send(&at, &origin, request).await
            }
            Err(error) => Err(error),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

impl State {
    /// The operator's definition, if it may be asked so, and the secrets that are sent along.
    fn origin(&self, wanted: &http::Request) -> Result<(Origin, Vec<Held>), String> {
        let http::Request {
            origin: name,
            method,
            path,
            headers: wanted_headers,
            body,
        } = wanted;
        let resource = granted(&self.invocation.access, Capability::Http, method, name)?;
        let Resource::Origin(origin) = resource else {
            return Err(format!("`{name}` is no origin"));
        };
        target::method(method)?;
        target::path(path)?;
        headers::check(wanted_headers)?;
        if !target::read_only(origin, method, path) {
            headers::check_effect(wanted_headers)?;
        }
        let basics: Vec<Vec<u8>> = wanted_headers
            .iter()
            .filter_map(|(name, value)| references::basic(name, value))
            .collect();
        let mut texts = vec![path.as_bytes(), body.as_slice()];
        texts.extend(wanted_headers.iter().map(|(_, value)| value.as_bytes()));
        texts.extend(basics.iter().map(Vec::as_slice));
        let held = self.destined(Capability::Http, name, &texts)?;
        Ok((origin.clone(), held))
    }

    /// Finds out where the request goes. Nothing is sent yet.
    async fn prepare(
        &mut self,
        at: &AssetId,
        origin: &Origin,
        held: Vec<Held>,
        wanted: http::Request,
    ) -> Result<Request, HttpError> {
        let values = self.values(held).await.map_err(HttpError::Denied)?;
        let wanted = filled(wanted, &values).map_err(HttpError::Denied)?;
        let began = Instant::now();
        let patience = self.patience(origin.timeout, MARGIN);
        let target = Target::of(&origin.url).map_err(HttpError::Other)?;
        let to = tokio::time::timeout(
            patience,
            addresses(self.ports.reach.clone(), at, origin, &wanted.origin, &target),
        )
        .await
        .unwrap_or(Err(HttpError::TimedOut))?;
        let path = target.join(&wanted.path);
        Ok(Request {
            to,
            tls: target.tls,
            host: target.host,
            authority: target.authority,
            method: wanted.method,
            path,
            headers: headers::sent(wanted.headers),
            body: wanted.body,
            timeout: patience.saturating_sub(began.elapsed()),
            limit: self.invocation.limits.answer_bytes,
        })
    }
}

/// With the values of secrets where their references are. None of them may make it another request.
fn filled(mut wanted: http::Request, values: &Values) -> Result<http::Request, String> {
    if values.is_empty() {
        return Ok(wanted);
    }
    let content_type = wanted
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let form = references::form(content_type.map(|(_, value)| value.as_str()));
    wanted.path = values.fill(wanted.path, Form::Percent);
    wanted.body = values.fill_bytes(wanted.body, form);
    for (name, value) in &mut wanted.headers {
        *value = values.fill_header(name, std::mem::take(value));
    }
    // Their own words would show what they are about.
    target::path(&wanted.path).map_err(|_| "with a secret's value in it, the path is none that may be sent")?;
    headers::check(&wanted.headers)
        .map_err(|_| "the value of a secret holds characters that no header may hold, or is too long for one")?;
    Ok(wanted)
}

/// All of them are checked, and then dialled as they are: a name that changes its address
/// meanwhile changes nothing. `name` is what the operator calls the origin, in words.
pub async fn addresses(
    reach: Arc<dyn Reach>,
    at: &AssetId,
    origin: &Origin,
    name: &str,
    target: &Target,
) -> Result<Vec<SocketAddr>, HttpError> {
    let literal: Option<IpAddr> = target.host.parse().ok();
    let addresses = match literal {
        Some(address) => vec![SocketAddr::new(address, target.port)],
        None => reach.resolve(at, &target.host, target.port).await?,
    };
    if addresses.is_empty() {
        return Err(HttpError::Dns);
    }
    for address in &addresses {
        address::check(address.ip(), literal.is_some(), origin.private)
            .map_err(|what| HttpError::Denied(refusal(name, address.ip(), what)))?;
    }
    Ok(addresses)
}

fn refusal(name: &str, address: IpAddr, what: &str) -> String {
    format!("`{name}` is at {address}, {what}: only an origin with `private = true` in evenkeel.toml may be there")
}

fn call(wanted: &http::Request, read_only: bool) -> Call {
    let http::Request {
        origin,
        method,
        path,
        headers,
        body,
    } = wanted;
    Call {
        capability: Capability::Http,
        operation: "send".into(),
        subject: subject::http(method, origin, path),
        request: json!({
            "origin": origin,
            "method": method,
            "path": path,
            "headers": headers,
            "body": journal::bytes(body),
        }),
        content: (!body.is_empty()).then(|| hex(&Sha256::digest(body))),
        effect: !read_only,
        repeatable: read_only || matches!(method.as_str(), "PUT" | "DELETE"),
    }
}

impl From<Response> for http::Response {
    fn from(response: Response) -> Self {
        Self {
            status: response.status,
            headers: response.headers,
            body: response.body,
            elapsed_ms: u32::try_from(response.elapsed.as_millis()).unwrap_or(u32::MAX),
            certificate: response.certificate.map(|certificate| http::Certificate {
                subject: certificate.subject,
                issuer: certificate.issuer,
                not_after_ms: certificate.not_after_ms,
            }),
        }
    }
}

impl From<HttpError> for http::HttpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(why) => Self::Denied(why),
            HttpError::Dns => Self::Dns,
            HttpError::Connect => Self::Connect,
            HttpError::Tls(why) => Self::Tls(why),
            HttpError::TimedOut => Self::TimedOut,
            HttpError::TooLarge => Self::TooLarge,
            HttpError::Other(why) => Self::Other(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_effect_unless_it_only_reads() {
        let wanted = |method: &str| http::Request {
            origin: "app".into(),
            method: method.into(),
            path: "/x?y=1".into(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let put = call(&wanted("PUT"), false);
        assert_eq!(
            (put.subject.as_str(), put.effect, put.repeatable),
            ("PUT app:/x?y=1", true, true)
        );
        let post = call(&wanted("POST"), false);
        assert_eq!((post.effect, post.repeatable), (true, false));
        let search = call(&wanted("POST"), true);
        assert_eq!((search.effect, search.repeatable), (false, true));
    }
}
