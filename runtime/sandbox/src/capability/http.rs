//! `http`: requests to an origin that the operator named.

mod address;
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

use super::{asset, granted, journal};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::http;
use crate::state::State;
use target::Target;

/// Left to the plugin of its time when an origin takes too long.
const MARGIN: Duration = Duration::from_millis(500);
/// Headers of a request.
const HEADERS: usize = 64;
/// All names and values of them.
const HEADERS_BYTES: usize = 32 << 10;
/// Headers that say where a request goes or where it ends: the host writes them.
const STRIPPED: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "forwarded",
];

impl http::Host for State {
    async fn send(&mut self, wanted: http::Request) -> wasmtime::Result<Result<http::Response, http::HttpError>> {
        let granted = self.origin(&wanted);
        let read_only = granted
            .as_ref()
            .is_ok_and(|origin| target::read_only(origin, &wanted.method, &wanted.path));
        let call = call(&wanted, read_only);
        let uses = [Use {
            capability: "http",
            operation: "send",
            subject: call.subject.clone(),
            content: &wanted.body,
        }];
        let (origin, mut ticket) = admitted!(self.admit(call, &uses, granted).await?, http::HttpError);
        let at = asset(&wanted.origin, &self.invocation.target.id);
        let answer = match self.prepare(&at, &origin, wanted).await {
            Ok(request) => {
                self.intend(&mut ticket).await?;
                self.reach.clone().send(&at, &origin, request).await
            }
            Err(error) => Err(error),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

impl State {
    /// The operator's definition, if it may be asked so.
    fn origin(&self, wanted: &http::Request) -> Result<Origin, String> {
        let http::Request {
            origin: name,
            method,
            path,
            headers,
            ..
        } = wanted;
        let resource = granted(&self.invocation.access, Capability::Http, method, name)?;
        let Resource::Origin(origin) = resource else {
            return Err(format!("`{name}` is no origin"));
        };
        target::method(method)?;
        target::path(path)?;
        checked_headers(headers)?;
        Ok(origin.clone())
    }

    /// Finds out where the request goes. Nothing is sent yet.
    async fn prepare(&mut self, at: &AssetId, origin: &Origin, wanted: http::Request) -> Result<Request, HttpError> {
        let began = Instant::now();
        let patience = self.patience(origin.timeout, MARGIN);
        let target = Target::of(&origin.url).map_err(HttpError::Other)?;
        let to = tokio::time::timeout(
            patience,
            addresses(self.reach.clone(), at, origin, &wanted.origin, &target),
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
            headers: wanted.headers.into_iter().filter(|(name, _)| !stripped(name)).collect(),
            body: wanted.body,
            timeout: patience.saturating_sub(began.elapsed()),
            limit: self.invocation.limits.answer_bytes,
        })
    }
}

/// All of them are checked, and then dialled as they are: a name that changes its address
/// meanwhile changes nothing.
async fn addresses(
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
        subject: format!("{method} {origin}:{path}"),
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

fn checked_headers(headers: &[(String, String)]) -> Result<(), String> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS || bytes > HEADERS_BYTES {
        return Err(format!(
            "a request has at most {HEADERS} headers of {} KiB together",
            HEADERS_BYTES >> 10
        ));
    }
    headers.iter().try_for_each(|(name, value)| {
        let name_is_plain = !name.is_empty() && name.bytes().all(target::is_token);
        let value_is_plain = value
            .bytes()
            .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
        if name_is_plain && value_is_plain {
            return Ok(());
        }
        Err(format!(
            "the header `{}` holds characters that no header may hold",
            name.escape_debug()
        ))
    })
}

fn stripped(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    STRIPPED.contains(&name.as_str()) || name.starts_with("proxy-") || name.starts_with("x-forwarded-")
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

    fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn headers_that_say_where_it_goes_are_the_hosts() {
        for name in [
            "Host",
            "HOST",
            "Connection",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "Transfer-Encoding",
            "TE",
        ] {
            assert!(stripped(name), "{name}");
        }
        assert!(!stripped("Authorization") && !stripped("Accept"));
    }

    #[test]
    fn headers_that_carry_line_breaks_are_refused() {
        assert_eq!(checked_headers(&headers(&[("accept", "*/*"), ("x-a", "é")])), Ok(()));
        assert!(checked_headers(&headers(&[("a", "b\r\nHost: evil")])).is_err());
        assert!(checked_headers(&headers(&[("a: b\r\nc", "d")])).is_err());
        assert!(checked_headers(&headers(&[("", "d")])).is_err());
        assert!(checked_headers(&headers(&[("a", "b"); 65])).is_err());
        assert!(checked_headers(&headers(&[("a", &"b".repeat(40_000))])).is_err());
    }

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
