//! Asks an origin and judges its status, latency, body and certificate.

mod judge;
mod params;

use evenkeel_sdk::http::HttpError;
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Cause, Error, Finding, Host, Result};
use params::HttpProbe;

#[evenkeel_sdk::check]
fn http_probe(params: HttpProbe, host: &Host) -> Result<Vec<Finding>> {
    params.validate()?;
    let mut request = host.http(&params.origin).request(params.method.name(), &params.path);
    for (name, value) in &params.headers {
        request = request.header(name, value);
    }
    if let Some(secret) = &params.bearer {
        let reference = host.secrets().reference(secret)?;
        request = request.header("authorization", format!("Bearer {reference}"));
    }
    match request.send() {
        Ok(answer) => Ok(judge::answer(&params, &answer, host.now_ms())),
        // What the operator forbids, and what this plugin can't judge, says nothing about the service.
        Err(error) if matches!(error.cause, HttpError::Denied(_) | HttpError::TooLarge) => Err(Error::from(error)),
        Err(error) => Ok(vec![unreachable(&params, &error.cause)]),
    }
}

/// The service doesn't answer: that is what a probe is there to find, so it is a finding and not an error.
fn unreachable(params: &HttpProbe, cause: &HttpError) -> Finding {
    let (_, reason, words) = cause.verdict();
    let code = if matches!(cause, HttpError::Tls(_)) {
        "http-tls"
    } else {
        "http-unreachable"
    };
    params
        .label(Finding::critical(code, params.subject()))
        .summary(format!("`{}` can't be reached: {words}", params.subject()))
        .details(json!({ "reason": reason }))
}

#[cfg(test)]
mod tests;
