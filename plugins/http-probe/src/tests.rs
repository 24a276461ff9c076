use evenkeel_sdk::http::{Certificate, Response};
use evenkeel_sdk::serde_json::{Value, from_value};
use evenkeel_sdk::{Class, Duration, MockHost, Severity};

use super::*;

fn params(more: Value) -> Result<HttpProbe> {
    let mut params = json!({ "origin": "app", "path": "/health" });
    params
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    Ok(from_value(params)?)
}

fn probe(more: Value, reply: impl evenkeel_sdk::mock::Reply<Response, HttpError>) -> Result<Vec<Finding>> {
    http_probe(
        params(more)?,
        &MockHost::new().with_http("GET", "app", "/health", reply),
    )
}

fn told(findings: &[Finding]) -> Vec<(&str, Severity, &str)> {
    findings
        .iter()
        .map(|f| (f.code.as_str(), f.severity, f.summary.as_str()))
        .collect()
}

#[test]
fn a_good_answer_is_told_with_its_latency() -> Result<()> {
    let findings = probe(json!({}), Response::status(204).with_elapsed_ms(12))?;
    assert_eq!(
        told(&findings),
        [("http-status", Severity::Ok, "`app:/health` answered 204 after 12 ms")]
    );
    Ok(())
}

#[test]
fn an_unexpected_status_shows_the_beginning_of_the_body() -> Result<()> {
    let findings = probe(json!({}), Response::status(502).with_body("Bad Gateway".repeat(100)))?;
    assert_eq!(
        told(&findings),
        [(
            "http-status",
            Severity::Critical,
            "`app:/health` answered 502, expected 200-299"
        )]
    );
    let excerpt = findings[0]
        .details
        .as_ref()
        .and_then(|details| details["excerpt"].as_str());
    assert_eq!(excerpt.map(str::len), Some(200));
    Ok(())
}

#[test]
fn an_expected_redirect_is_well() -> Result<()> {
    let findings = probe(json!({ "status": [200, "301-302"] }), Response::status(302))?;
    assert_eq!(findings[0].severity, Severity::Ok);
    Ok(())
}

#[test]
fn no_connection_is_a_finding_and_not_an_error() -> Result<()> {
    for (error, code, reason) in [
        (HttpError::Dns, "http-unreachable", "http-dns"),
        (HttpError::Connect, "http-unreachable", "http-connect"),
        (HttpError::TimedOut, "http-unreachable", "http-timed-out"),
        (HttpError::Other("reset".into()), "http-unreachable", "http-failed"),
        (HttpError::Tls("expired".into()), "http-tls", "http-tls"),
    ] {
        let findings = probe(json!({}), error)?;
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].code.as_str(), findings[0].severity),
            (code, Severity::Critical)
        );
        assert_eq!(findings[0].details, Some(json!({ "reason": reason })));
    }
    Ok(())
}

#[test]
fn what_the_operator_forbids_says_nothing_about_the_service() {
    let error = probe(json!({}), HttpError::Denied("not granted".into())).expect_err("denied");
    assert_eq!((error.class(), error.code()), (Class::Denied, "http-denied"));
    assert_eq!(
        probe(json!({}), HttpError::TooLarge).expect_err("too large").code(),
        "http-too-large"
    );
}

#[test]
fn latency_has_two_levels() -> Result<()> {
    let levels = json!({ "latency_warn": "500ms", "latency_critical": "2s" });
    for (elapsed, severity, words) in [
        (499, Severity::Ok, "`app:/health` answered after 499ms, within 500ms"),
        (
            500,
            Severity::Warning,
            "`app:/health` answered after 500ms, not within 500ms",
        ),
        (
            2_000,
            Severity::Critical,
            "`app:/health` answered after 2s, not within 2s",
        ),
    ] {
        let findings = probe(levels.clone(), Response::status(200).with_elapsed_ms(elapsed))?;
        assert_eq!(told(&findings)[1], ("http-slow", severity, words));
    }
    Ok(())
}

#[test]
fn the_body_has_to_contain_and_to_lack() -> Result<()> {
    let expected = json!({ "contains": ["queue: ok", "db: ok"], "lacks": ["degraded"] });
    let findings = probe(expected.clone(), Response::status(200).with_body("queue: ok, db: ok"))?;
    assert_eq!(
        told(&findings)[1],
        ("http-body", Severity::Ok, "the body of `app:/health` is as expected")
    );
    let findings = probe(expected, Response::status(200).with_body("queue: ok, degraded"))?;
    let words = "the body of `app:/health` lacks `db: ok` and contains `degraded`";
    assert_eq!(told(&findings)[1], ("http-body", Severity::Critical, words));
    Ok(())
}

#[test]
fn a_certificate_is_warned_of_before_it_ends() -> Result<()> {
    let now = MockHost::new().now_ms();
    let hour = 3_600_000;
    for (left_ms, severity, when) in [
        (Duration::days(30).as_ms(), Severity::Ok, "ends in 30 days"),
        (Duration::days(21).as_ms() - 1, Severity::Warning, "ends in 20 days"),
        (Duration::days(7).as_ms() - 1, Severity::Critical, "ends in 6 days"),
        (hour, Severity::Critical, "ends today"),
        (0, Severity::Critical, "has ended"),
    ] {
        let certificate = Certificate {
            subject: "CN=app".into(),
            issuer: "CN=ca".into(),
            not_after_ms: now + left_ms,
        };
        let answer = Response {
            certificate: Some(certificate),
            ..Response::status(200)
        };
        let findings = probe(json!({}), answer)?;
        let words = format!("the certificate of `app` (CN=app) {when}");
        assert_eq!(told(&findings)[1], ("certificate-expiring", severity, words.as_str()));
    }
    Ok(())
}

#[test]
fn head_is_sent_and_has_no_body_to_judge() -> Result<()> {
    let host = MockHost::new().with_http("HEAD", "app", "/health", Response::status(200));
    let findings = http_probe(params(json!({ "method": "HEAD" }))?, &host)?;
    assert_eq!(findings[0].severity, Severity::Ok);
    let error = http_probe(params(json!({ "method": "HEAD", "contains": ["ok"] }))?, &host).expect_err("no body");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "no-body"));
    assert!(params(json!({ "method": "POST" })).is_err());
    Ok(())
}

#[test]
fn levels_in_the_wrong_order_are_refused() -> Result<()> {
    for levels in [
        json!({ "latency_warn": "2s", "latency_critical": "1s" }),
        json!({ "certificate_warn": "7d", "certificate_critical": "21d" }),
    ] {
        let error = http_probe(params(levels)?, &MockHost::new()).expect_err("wrong order");
        assert_eq!(error.class(), Class::Invalid);
    }
    Ok(())
}

#[test]
fn every_finding_names_origin_and_path() -> Result<()> {
    let findings = probe(json!({ "latency_warn": "1s", "lacks": ["x"] }), Response::status(200))?;
    let labels = [
        ("origin".to_owned(), "app".to_owned()),
        ("path".to_owned(), "/health".to_owned()),
    ];
    assert!(findings.len() == 3 && findings.iter().all(|finding| finding.labels == labels));
    Ok(())
}

#[test]
fn a_bearer_token_is_a_secret_that_has_to_be_granted() -> Result<()> {
    let bearer = || params(json!({ "bearer": "token" }));
    let host = || MockHost::new().with_http("GET", "app", "/health", Response::status(200));
    let findings = http_probe(bearer()?, &host().with_secret("token", "the-value"))?;
    assert_eq!(findings[0].severity, Severity::Ok);
    let error = http_probe(bearer()?, &host()).expect_err("there is no such secret");
    assert_eq!(error.code(), "secret-missing");
    let twice = params(json!({ "bearer": "token", "headers": { "Authorization": "Basic eA==" } }))?;
    let error = http_probe(twice, &host()).expect_err("which of them?");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "authorized-twice"));
    Ok(())
}
