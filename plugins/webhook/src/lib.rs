//! Posts a notice as JSON to an origin.

use std::collections::BTreeMap;

use evenkeel_sdk::http::Response;
use evenkeel_sdk::serde_json::{Value, json, to_vec};
use evenkeel_sdk::{Class, Context, Error, Host, Notice, Params, Result, Severity, ensure};

/// Characters of an answer that are told.
const EXCERPT: usize = 200;

/// Where to post, and with what.
#[derive(Params)]
pub struct Webhook {
    /// The origin to post to.
    pub origin: String,
    /// Relative to the origin's base.
    #[serde(default = "root")]
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A secret to send as a bearer token.
    pub bearer: Option<String>,
    /// A secret to sign with; its `hmac` must be true.
    pub sign: Option<String>,
}

fn root() -> String {
    "/".into()
}

#[evenkeel_sdk::notifier]
fn webhook(params: Webhook, notice: Notice, host: &Host) -> Result<Option<String>> {
    let given = |name: &str| params.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
    ensure!(
        usize::from(params.bearer.is_some()) + usize::from(params.sign.is_some()) + usize::from(given("authorization"))
            <= 1,
        invalid,
        "authorized-twice",
        "`bearer`, `sign` and the header `authorization` exclude each other"
    );
    let body = to_vec(&body(&notice)).context("the notice")?;
    let mut request = host.http(&params.origin).post(&params.path);
    for (name, value) in &params.headers {
        request = request.header(name, value);
    }
    request = request
        .header("content-type", "application/json")
        .header("idempotency-key", &notice.id);
    if let Some(secret) = &params.bearer {
        let reference = host.secrets().reference(secret)?;
        request = request.header("authorization", format!("Bearer {reference}"));
    }
    if let Some(secret) = &params.sign {
        let reference = host.secrets().reference(secret)?;
        let timestamp = host.now_ms() / 1_000;
        let signed = format!("{timestamp}.{}", String::from_utf8_lossy(&body));
        let signature = host.secrets().hmac_sha256(&reference, &signed)?;
        request = request.header(
            "authorization",
            format!("HMAC-SHA256 timestamp={timestamp}, signature={signature}"),
        );
    }
    receipt(&request.body(body).send()?)
}

fn body(notice: &Notice) -> Value {
    let labels: BTreeMap<&str, &str> = notice
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    json!({
        "version": 1,
        "id": notice.id,
        "severity": severity(notice.severity),
        "title": notice.title,
        "text": notice.text,
        "labels": labels,
        "link": notice.link,
        "details": notice.details,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn receipt(answer: &Response) -> Result<Option<String>> {
    if answer.is_success() {
        return Ok(Some(format!("HTTP {}", answer.status)));
    }
    let class = match answer.status {
        408 | 425 | 429 | 500..=599 => Class::Transient,
        _ => Class::Permanent,
    };
    let text = answer.text();
    let excerpt: String = text.chars().take(EXCERPT).collect();
    let said = if excerpt.is_empty() {
        String::new()
    } else {
        format!(": {excerpt}")
    };
    Err(Error::new(
        class,
        "http-status",
        format!("the receiver answered {}{said}", answer.status),
    ))
}

#[cfg(test)]
mod tests;
