use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::alert::{Alert, Grade, Labels};
use evenkeel_model::name::CustomerId;
use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn customer(labels: &Labels) -> CustomerId {
    CustomerId::new(labels.get("customer").map_or("local", String::as_str))
}

fn context() -> Context<'static> {
    Context {
        source: "prometheus",
        customer: &customer,
        now: now(),
        resolve_timeout: Duration::from_secs(300),
    }
}

fn read(body: &str) -> Batch {
    parse(body.as_bytes(), &context()).unwrap()
}

fn one(alert: &str) -> Alert {
    let mut batch = read(&format!("[{alert}]"));
    assert_eq!(batch.rejected, []);
    batch.alerts.remove(0)
}

fn why(alert: &str) -> String {
    let mut batch = read(&format!("[{alert}]"));
    assert!(batch.alerts.is_empty(), "{:?}", batch.alerts);
    batch.rejected.remove(0).why
}

fn malformed(body: impl AsRef<[u8]>) -> String {
    parse(body.as_ref(), &context()).unwrap_err().to_string()
}

/// As Prometheus 3.5 sends it.
#[test]
fn what_a_prometheus_pushes_is_read() {
    let alert = one(
        r#"{"annotations":{"summary":"board is slow"},"startsAt":"2026-03-01T09:58:12.123456789Z",
            "endsAt":"2026-03-01T10:03:12.123Z","generatorURL":"http://p:9090/graph?g0.expr=up&g0.tab=1",
            "labels":{"alertname":"BoardSlow","customer":"steel","instance":"localhost:9100","severity":"critical"}}"#,
    );
    assert_eq!(alert.name(), "BoardSlow");
    assert_eq!(alert.identity.customer, CustomerId::from("steel"));
    assert_eq!(
        alert.identity.fingerprint,
        evenkeel_model::alert::fingerprint(&alert.labels)
    );
    assert_eq!(alert.grade, Grade::High);
    assert_eq!(alert.starts_at.to_rfc3339(), "2026-03-01T09:58:12.123456+00:00");
    assert_eq!(alert.annotations["summary"], "board is slow");
    assert_eq!(alert.source, "prometheus");
    assert!(alert.firing(now()) && !alert.resolved);
}

#[test]
fn times_that_are_missing_zero_empty_or_null_are_supposed() {
    for times in [
        "",
        r#","startsAt":null,"endsAt":null"#,
        r#","startsAt":"","endsAt":"""#,
        r#","startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00.000Z""#,
    ] {
        let alert = one(&format!(r#"{{"labels":{{"a":"b"}}{times}}}"#));
        assert_eq!(alert.starts_at, now());
        assert_eq!(alert.ends_at, now() + TimeDelta::minutes(5));
        assert!(!alert.resolved);
    }
}

#[test]
fn an_end_in_the_past_is_a_resolve_even_without_a_start() {
    let alert = one(r#"{"labels":{"a":"b"},"endsAt":"2026-03-01T09:59:00Z"}"#);
    assert!(alert.resolved);
    assert_eq!(alert.starts_at, alert.ends_at);
    let now = one(r#"{"labels":{"a":"b"},"endsAt":"2026-03-01T10:00:00Z"}"#);
    assert!(now.resolved);
    let later = one(r#"{"labels":{"a":"b"},"endsAt":"2026-03-01T10:00:01Z"}"#);
    assert!(!later.resolved);
    assert_eq!(later.starts_at, self::now());
}

#[test]
fn times_of_any_zone_are_the_same_time() {
    let alert = one(r#"{"labels":{"a":"b"},"startsAt":"2026-03-01T17:30:00+08:00"}"#);
    assert_eq!(alert.starts_at.to_rfc3339(), "2026-03-01T09:30:00+00:00");
}

#[test]
fn empty_labels_are_none_and_empty_annotations_stay() {
    let alert = one(r#"{"labels":{"a":"b","c":"","d":null},"annotations":{"x":""}}"#);
    assert_eq!(alert.labels, Labels::from([("a".into(), "b".into())]));
    assert_eq!(alert.annotations, Labels::from([("x".into(), String::new())]));
    assert!(why(r#"{"labels":{"a":""}}"#).contains("no label with a value"));
    assert!(why("{}").contains("no label with a value"));
    assert!(why(r#"{"labels":null}"#).contains("no label with a value"));
}

#[test]
fn names_in_any_script_are_taken_and_empty_ones_are_not() {
    assert_eq!(
        one(r#"{"labels":{"größe.der-platte":"40"}}"#).labels["größe.der-platte"],
        "40"
    );
    assert!(why(r#"{"labels":{"":"x"}}"#).contains("one of its labels has no name"));
    assert!(why(r#"{"labels":{"a":"b"},"annotations":{"":"x"}}"#).contains("one of its annotations has no name"));
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let alert = one(r#"{"labels":{"a":"b"},"fingerprint":5,"status":{"state":"active"},"deep":[[[{"x":1e999}]]]}"#);
    assert_eq!(alert.labels.len(), 1);
}

#[test]
fn an_end_before_the_start_is_rejected_with_both() {
    assert_eq!(
        why(r#"{"labels":{"a":"b"},"startsAt":"2026-03-01T10:00:00Z","endsAt":"2026-03-01T09:00:00Z"}"#),
        "`[0]`: it ends before it starts: endsAt is 2026-03-01T09:00:00+00:00; startsAt is 2026-03-01T10:00:00+00:00"
    );
    let supposed = why(r#"{"labels":{"a":"b"},"startsAt":"2027-01-01T00:00:00Z"}"#);
    assert!(supposed.contains("supposed, for none was given"), "{supposed}");
}

#[test]
fn a_wrong_type_is_named_with_its_path() {
    for (alert, said) in [
        ("5", "`[0]` is a number, and must be an object"),
        ("null", "`[0]` is null, and must be an object"),
        (
            r#"{"labels":[]}"#,
            "`[0].labels` is an array, and must be an object of strings",
        ),
        (
            r#"{"labels":{"severity":3}}"#,
            "`[0].labels.severity` is a number, and must be a string",
        ),
        (
            r#"{"labels":{"a":"b"},"annotations":{"x":{}}}"#,
            "`[0].annotations.x` is an object, and must be a string",
        ),
        (
            r#"{"labels":{"a":"b"},"startsAt":5}"#,
            "`[0].startsAt` is a number, and must be a string",
        ),
        (
            r#"{"labels":{"a":"b"},"endsAt":"soon"}"#,
            "`[0].endsAt` is `soon`, and must be a time as in RFC 3339",
        ),
        (
            r#"{"labels":{"a":"b"},"generatorURL":true}"#,
            "`[0].generatorURL` is a boolean, and must be a string",
        ),
    ] {
        assert_eq!(why(alert), said);
    }
}

#[test]
fn the_good_ones_beside_a_wrong_one_are_kept() {
    let batch = read(r#"[{"labels":{"a":"1"}}, {"labels":{"a":2}}, {"labels":{}}, {"labels":{"a":"4"}}, "x"]"#);
    let kept: Vec<&str> = batch.alerts.iter().map(|alert| alert.labels["a"].as_str()).collect();
    assert_eq!(kept, ["1", "4"]);
    let rejected: Vec<usize> = batch.rejected.iter().map(|rejected| rejected.index).collect();
    assert_eq!(rejected, [1, 2, 4]);
    assert_eq!(
        batch.rejected[0].why,
        "`[1].labels.a` is a number, and must be a string"
    );
}

fn many(count: usize, value: &str) -> String {
    let pairs: Vec<String> = (0..count).map(|n| format!("\"l{n}\":\"{value}\"")).collect();
    pairs.join(",")
}

#[test]
fn ten_thousand_labels_are_too_many() {
    assert_eq!(
        why(&format!(r#"{{"labels":{{{}}}}}"#, many(10_000, "x"))),
        "`[0]`: it has 10000 labels; at most 128 are taken"
    );
    let annotations = why(&format!(
        r#"{{"labels":{{"a":"b"}},"annotations":{{{}}}}}"#,
        many(129, "x")
    ));
    assert!(annotations.contains("129 annotations"), "{annotations}");
    assert_eq!(
        one(&format!(r#"{{"labels":{{{}}}}}"#, many(128, "x"))).labels.len(),
        128
    );
}

#[test]
fn too_much_text_is_rejected_with_its_size() {
    let said = why(&format!(r#"{{"labels":{{{}}}}}"#, many(100, &"x".repeat(1_000))));
    assert!(said.contains("bytes; at most 65536 are taken"), "{said}");
}

#[test]
fn too_many_alerts_are_refused_as_a_whole() {
    let body = format!("[{}]", vec![r#"{"labels":{"a":"b"}}"#; intake::ALERTS + 1].join(","));
    assert_eq!(malformed(body), "10001 alerts in one request; at most 10000 are taken");
}

#[test]
fn what_is_no_array_is_said_to_be_none() {
    assert_eq!(malformed(""), "the body is empty, and must be a JSON array of alerts");
    assert_eq!(
        malformed(" \n"),
        "the body is empty, and must be a JSON array of alerts"
    );
    assert_eq!(malformed("not json"), "not JSON: expected ident (line 1, column 2)");
    let kind = "the body must be a JSON array of alerts, and is JSON of another kind";
    assert_eq!(malformed("{}"), kind);
    assert_eq!(malformed(r#"{"alerts":[]}"#), kind);
    assert_eq!(malformed("\"x\""), kind);
    assert_eq!(
        malformed("[{\"labels\":{\"a\":\"b\"}},\n  {\"labels\""),
        "not JSON: EOF while parsing an object (line 2, column 11)"
    );
    assert_eq!(malformed("[] []"), "not JSON: trailing characters (line 1, column 4)");
    assert!(malformed(b"[{\"labels\":{\"a\":\"\xff\"}}]").starts_with("not JSON: "));
}

#[test]
fn an_empty_array_is_fine() {
    assert_eq!(read(" [ ] ").alerts, []);
}

#[test]
fn a_deep_alert_is_rejected_and_breaks_nothing() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let batch = read(&format!(r#"[{{"labels":{deep}}}, {{"labels":{{"a":"b"}}}}]"#));
    assert_eq!((batch.alerts.len(), batch.rejected.len()), (1, 1));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body, &context());
    }

    /// Near misses: a body that is right, with bytes changed.
    #[test]
    fn damaged_bodies_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut body = br#"[{"labels":{"a":"b"},"startsAt":"2026-03-01T10:00:00Z","endsAt":"0001-01-01T00:00:00Z"},{"labels":{"c":"d"}}]"#.to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Ok(batch) = parse(&body, &context()) {
            prop_assert!(batch.alerts.iter().all(|alert| alert.ends_at >= alert.starts_at));
        }
    }

    #[test]
    fn labels_come_out_as_they_went_in(labels in prop::collection::btree_map(".{1,8}", ".{1,8}", 1..6)) {
        let body = serde_json::json!([{ "labels": labels }]).to_string();
        prop_assert_eq!(&read(&body).alerts[0].labels, &labels);
    }
}
