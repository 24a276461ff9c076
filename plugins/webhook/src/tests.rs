use evenkeel_sdk::http::HttpError;
use evenkeel_sdk::serde_json::from_value;
use evenkeel_sdk::{MockHost, mock};

use super::*;

fn send(more: Value, host: &MockHost) -> Result<Option<String>> {
    let mut params = json!({ "origin": "hook", "path": "/in" });
    let object = params.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    host.allow_effects();
    webhook(from_value(params)?, notice(), host)
}

fn notice() -> Notice {
    let mut notice = Notice::new("run-7-3-duty", Severity::Critical, "disk needs a person", "What: …");
    notice.labels = vec![("customer".into(), "steel".into())];
    notice.details = Some(json!({ "run": 7 }));
    notice
}

fn host(reply: impl mock::Reply<Response, HttpError>) -> MockHost {
    MockHost::new()
        .with_http("POST", "hook", "/in", reply)
        .with_secret("key", "hush")
}

#[test]
fn a_success_is_a_receipt() {
    assert_eq!(
        send(json!({}), &host(Response::status(202))),
        Ok(Some("HTTP 202".into()))
    );
}

#[test]
fn what_is_posted_holds_the_whole_notice() {
    let body = body(&notice());
    let expected = json!({
        "version": 1, "id": "run-7-3-duty", "severity": "critical", "title": "disk needs a person", "text": "What: …",
        "labels": { "customer": "steel" }, "link": null, "details": { "run": 7 },
    });
    assert_eq!(body, expected);
}

#[test]
fn what_may_pass_is_transient_and_the_rest_is_not() {
    for (status, class) in [
        (408, Class::Transient),
        (429, Class::Transient),
        (500, Class::Transient),
        (503, Class::Transient),
        (301, Class::Permanent),
        (400, Class::Permanent),
        (404, Class::Permanent),
    ] {
        let answer = Response::status(status).with_body("no such thing");
        let error = send(json!({}), &host(answer)).expect_err("no success");
        assert_eq!(error.class(), class, "{status}");
        assert_eq!(
            error.message(),
            format!("the receiver answered {status}: no such thing")
        );
    }
    for cause in [HttpError::Connect, HttpError::TimedOut, HttpError::Dns] {
        let error = send(json!({}), &host(mock_error(cause))).expect_err("no answer");
        assert_eq!(error.class(), Class::Transient);
    }
}

fn mock_error(cause: HttpError) -> std::result::Result<Response, HttpError> {
    Err(cause)
}

#[test]
fn it_signs_with_a_secret_that_there_is() {
    let host = host(Response::status(200));
    assert!(send(json!({ "sign": "key" }), &host).is_ok());
    let asked: Vec<_> = host.calls().iter().map(|call| call.operation.to_string()).collect();
    assert!(asked.contains(&"hmac-sha256".to_owned()), "{asked:?}");
    let error = send(json!({ "sign": "other" }), &host).expect_err("no such secret");
    assert_eq!(error.code(), "secret-missing");
}

#[test]
fn a_token_is_given_once() {
    let twice = json!({ "bearer": "key", "headers": { "Authorization": "Basic x" } });
    let error = send(twice, &host(Response::status(200))).expect_err("twice");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "authorized-twice"));
}
