//! Bodies that are wrong, by themselves and beside good ones.

use evenkeel_tests::{
    alerts::{Alert, notification},
    evenkeel::{Answered, Daemon},
};
use serde_json::{Value, json};

const PUSH: &str = "/api/v2/alerts";
const WEBHOOK: &str = "/api/v1/alertmanager";

#[track_caller]
fn assert_refused(answered: &Answered, words: &[&str]) {
    assert!((400..500).contains(&answered.status), "{words:?}: {answered:#?}");
    let said = answered.json().expect("a refusal is JSON");
    let why = said["error"].as_str().expect("a refusal says why, in `error`");
    for word in words {
        assert!(answered.body.contains(word), "no {word:?} in {why:?} of {answered:#?}");
    }
}

#[track_caller]
fn assert_healthy(daemon: &Daemon) {
    let answered = daemon.get("/healthz").expect("the daemon answers");
    assert_eq!(answered.status, 200, "{answered:#?}");
}

#[test]
fn what_is_no_list_of_alerts_is_refused_with_the_reason() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let cases: [(&[u8], &[&str]); 10] = [
        (b"", &["empty"]),
        (b"alert: Full", &["not JSON", "line 1"]),
        (b"[{\"labels\": {\"alertname\": \"Full\"}", &["not JSON"]),
        (b"{}", &["array"]),
        (b"\"Full\"", &["array"]),
        (b"null", &["array"]),
        (b"\xff\xfe[]", &["not JSON"]),
        (b"[42]", &["[0]"]),
        (b"[{\"labels\": [\"alertname\"]}]", &["labels"]),
        (b"[{\"labels\": {\"alertname\": 42}}]", &["labels", "alertname"]),
    ];
    for (body, words) in cases {
        assert_refused(&daemon.post(PUSH, body)?, words);
    }
    assert_healthy(&daemon);
    assert!(home.runs()?.is_empty());
    Ok(())
}

#[test]
fn what_is_no_notification_is_refused_with_the_reason() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let with = |field: &str, value: Value| {
        let mut body = notification(&[Alert::new("Full").notified("firing")]);
        body[field] = value;
        body
    };
    let without_version = {
        let mut body = notification(&[]);
        body.as_object_mut().expect("it is an object").remove("version");
        body
    };
    let cases: [(Value, &[&str]); 7] = [
        (json!([]), &["array", "object"]),
        (without_version, &["version"]),
        (with("version", json!("3")), &["version", "3"]),
        (with("version", json!(4)), &["version", "4"]),
        (with("alerts", json!("Full")), &["alerts", "string"]),
        (
            with(
                "alerts",
                json!([{ "status": "maybe", "labels": { "alertname": "Full" } }]),
            ),
            &["status"],
        ),
        (with("truncatedAlerts", json!(-1)), &["truncatedAlerts"]),
    ];
    for (body, words) in cases {
        assert_refused(&daemon.post(WEBHOOK, body.to_string())?, words);
    }
    assert_refused(&daemon.post(WEBHOOK, "version 4")?, &["not JSON"]);
    assert_healthy(&daemon);
    assert!(home.runs()?.is_empty());
    Ok(())
}

/// What can be wrong with one alert, and what has to be said of it.
fn wrong_alerts() -> Vec<(Value, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut alert = Alert::new("Full").label("instance", "wrong").firing();
        alert[field] = value;
        alert
    };
    let many: Value = (0..10_000).map(|n| (format!("label_{n}"), json!("x"))).collect();
    vec![
        (with("endsAt", json!("2001-01-01T00:00:00Z")), "ends before it starts"),
        (with("startsAt", json!("yesterday")), "startsAt"),
        (with("startsAt", json!(1_700_000_000)), "startsAt"),
        (with("labels", many), "10000 labels"),
        (with("labels", json!({})), "no label"),
        (with("labels", json!({ "alertname": "" })), "no label"),
        (with("labels", json!({ "": "Full" })), "no name"),
        (with("labels", json!({ "alertname": "x".repeat(1 << 20) })), "bytes"),
        (with("annotations", json!({ "summary": 3 })), "annotations"),
        (json!("Full"), "[1]"),
        (json!(null), "[1]"),
    ]
}

#[test]
fn a_wrong_alert_spoils_none_beside_it() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    for (n, (wrong, words)) in wrong_alerts().into_iter().enumerate() {
        let good = |side: &str| Alert::new("Full").label("side", &format!("{side} {n}")).firing();
        let body = json!([good("left"), wrong, good("right")]).to_string();
        let answered = daemon.post(PUSH, body)?;
        assert_refused(&answered, &[words]);
        let runs = home.finished(2 * (n + 1));
        assert_eq!(runs.len(), 2 * (n + 1), "both of {answered:#?}");
    }
    assert_healthy(&daemon);
    Ok(())
}

#[test]
fn a_wrong_alert_of_a_notification_spoils_none_beside_it() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let good = |side: &str| Alert::new("Full").label("side", side).notified("firing");
    let mut wrong = Alert::new("Full").notified("resolved");
    wrong["endsAt"] = json!("2001-01-01T00:00:00Z");
    let body = notification(&[good("left"), wrong, good("right")]);

    let answered = daemon.post(WEBHOOK, body.to_string())?;

    assert_refused(&answered, &["alerts[1]", "ends before it starts"]);
    assert_eq!(home.finished(2).len(), 2);
    assert_healthy(&daemon);
    Ok(())
}

/// Alertmanager does the same, and a Prometheus gives up on a batch with 400.
#[test]
fn an_empty_list_is_no_mistake() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    assert_eq!(daemon.post(PUSH, "[]")?.status, 200);
    assert_eq!(daemon.post(WEBHOOK, notification(&[]).to_string())?.status, 200);
    assert!(home.runs()?.is_empty());
    Ok(())
}

#[test]
fn ten_megabytes_are_refused_and_the_limit_is_said() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let huge = format!("[{{\"labels\": {{\"alertname\": \"{}\"}}}}]", "x".repeat(10 << 20));
    for path in [PUSH, WEBHOOK] {
        let answered = daemon.post(path, huge.clone())?;
        assert_eq!(answered.status, 413, "{path}");
        assert_refused(&answered, &["MiB"]);
    }
    assert_healthy(&daemon);
    assert!(home.runs()?.is_empty());
    Ok(())
}

#[test]
fn nesting_without_end_is_refused() -> anyhow::Result<()> {
    let (_home, daemon) = super::served()?;
    let deep = format!("[{{\"labels\": {}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_refused(&daemon.post(PUSH, deep)?, &[]);
    assert_healthy(&daemon);
    Ok(())
}

/// No such text may steer the terminal of whoever reads the runs.
#[test]
fn labels_from_hell_are_taken_in_and_shown_escaped() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let hostile = "a\u{1b}[2J\u{202e}\r\nrefused by `target`\u{7}";
    let alert = Alert::new("Full").label("instance", hostile).label("x y\u{1b}z", "1");
    daemon.push(&[alert.firing()])?;

    home.finished(1);

    for said in [home.done(&["runs", "show", "1"])?, home.done(&["runs", "list"])?] {
        let wild = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!said.stdout.contains(wild), "{:?}", said.stdout);
        assert!(!said.stdout.contains("\nrefused by"), "{:?}", said.stdout);
    }
    Ok(())
}
