use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Labels;
use evenkeel_model::name::CustomerId;
use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn customer(_: &Labels) -> CustomerId {
    "steel".into()
}

fn context() -> Context<'static> {
    Context {
        source: "alertmanager",
        customer: &customer,
        now: now(),
        resolve_timeout: Duration::from_secs(300),
    }
}

fn read(body: &str) -> Notification {
    parse(body.as_bytes(), &context()).unwrap()
}

fn refused(body: &str) -> String {
    parse(body.as_bytes(), &context()).unwrap_err().to_string()
}

/// As Alertmanager 0.33 sends it.
const NOTIFICATION: &str = r#"{"receiver":"evenkeel","status":"firing","alerts":[
    {"status":"firing","labels":{"alertname":"BoardSlow","instance":"board:3000","severity":"warning"},
     "annotations":{"summary":"slow"},"startsAt":"2026-03-01T09:55:00.5Z","endsAt":"0001-01-01T00:00:00Z",
     "generatorURL":"http://p:9090/graph","fingerprint":"4cb3ac7e2d2eb2ca"},
    {"status":"resolved","labels":{"alertname":"DiskFull"},"annotations":{},
     "startsAt":"2026-03-01T09:00:00Z","endsAt":"2026-03-01T09:59:00Z","generatorURL":"","fingerprint":"0"}],
    "notification_reason":"first","groupLabels":{},"commonLabels":{},"commonAnnotations":{},
    "externalURL":"http://am:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":2,"routeLabels":{}}"#;

#[test]
fn a_notification_is_read() {
    let notification = read(NOTIFICATION);
    assert_eq!(notification.truncated, 2);
    assert_eq!(notification.batch.manner, Manner::Tells);
    let [firing, resolved] = &notification.batch.alerts[..] else {
        panic!("{:?}", notification.batch);
    };
    assert_eq!((firing.name(), firing.resolved), ("BoardSlow", false));
    assert_eq!(firing.starts_at.to_rfc3339(), "2026-03-01T09:55:00.500+00:00");
    assert!(
        firing.firing(now() + SILENCE - Duration::from_secs(1)),
        "an Alertmanager may be silent for days"
    );
    assert!(!firing.firing(now() + SILENCE));
    assert_eq!(
        firing.identity.fingerprint,
        evenkeel_model::alert::fingerprint(&firing.labels)
    );
    assert_eq!((resolved.name(), resolved.resolved), ("DiskFull", true));
    assert_eq!(resolved.ends_at.to_rfc3339(), "2026-03-01T09:59:00+00:00");
}

#[test]
fn resolved_is_resolved_although_its_clock_goes_before_ours() {
    let body = r#"{"version":"4","alerts":[{"status":"resolved","labels":{"a":"b"},
        "startsAt":"2026-03-01T09:00:00Z","endsAt":"2026-03-01T10:00:30Z"}]}"#;
    assert!(read(body).batch.alerts[0].resolved);
}

#[test]
fn other_versions_are_refused() {
    assert_eq!(
        refused(r#"{"version":"5","alerts":[]}"#),
        "`version` is \"5\"; this is for version \"4\" of an Alertmanager's webhook"
    );
    assert!(refused(r#"{"version":4,"alerts":[]}"#).starts_with("`version` is 4;"));
    assert!(refused(r#"{"alerts":[]}"#).starts_with("`version` is missing"));
}

#[test]
fn what_is_no_notification_is_said_to_be_none() {
    assert_eq!(
        refused(""),
        "the body is empty, and must be an Alertmanager's notification"
    );
    assert_eq!(
        refused("[]"),
        "the body is an array, and must be an Alertmanager's notification: an object"
    );
    assert_eq!(refused(r#"{"version":"4"}"#), "`alerts` is missing");
    assert_eq!(
        refused(r#"{"version":"4","alerts":{}}"#),
        "`alerts` is an object, and must be an array"
    );
    assert_eq!(refused("{"), "not JSON: EOF while parsing an object (line 1, column 1)");
    assert_eq!(
        refused(r#"{"version":"4","alerts":[],"truncatedAlerts":-1}"#),
        "`truncatedAlerts` is a number, and must be a number from 0"
    );
}

#[test]
fn a_wrong_alert_spoils_none_beside_it() {
    let batch = read(
        r#"{"version":"4","alerts":[{"status":"firing","labels":{"a":"1"}},{"status":"firing","labels":{"a":1}},
            {"status":"?","labels":{"a":"3"}},{"labels":{"a":"4"}},{"status":"firing","labels":{}}]}"#,
    )
    .batch;
    assert_eq!(batch.alerts.len(), 1);
    let why: Vec<&str> = batch.rejected.iter().map(|rejected| rejected.why.as_str()).collect();
    assert_eq!(
        why,
        [
            "`alerts[1].labels.a` is a number, and must be a string",
            "`alerts[2].status` must be `firing` or `resolved`",
            "`alerts[3].status` must be `firing` or `resolved`",
            "`alerts[4]`: it has no label with a value; at least one is needed",
        ]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body, &context());
    }

    #[test]
    fn damaged_notifications_never_panic(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = NOTIFICATION.as_bytes().to_vec();
        let place = place.index(body.len());
        body[place] = byte;
        let _ = parse(&body, &context());
    }
}
