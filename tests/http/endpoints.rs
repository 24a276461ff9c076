//! Paths, methods, and what monitoring reads.

use evenkeel_tests::alerts::Alert;
use reqwest::Method;

#[test]
fn a_wrong_path_is_not_found_and_a_wrong_method_not_allowed() -> anyhow::Result<()> {
    let (_home, daemon) = super::served()?;
    let client = reqwest::blocking::Client::new();
    let cases = [
        (Method::GET, "/api/v1/alertmanager", 405),
        (Method::PUT, "/api/v2/alerts", 405),
        (Method::DELETE, "/api/v2/alerts", 405),
        (Method::POST, "/healthz", 405),
        (Method::POST, "/metrics", 405),
        (Method::POST, "/api/v1/alerts", 405),
        (Method::POST, "/api/v1/firing", 404),
        (Method::POST, "/api/v2/alert", 404),
        (Method::GET, "/api/v9", 404),
        (Method::GET, "/../evenkeel.toml", 404),
        (Method::GET, "/%2e%2e/evenkeel.toml", 404),
    ];
    for (method, path, status) in cases {
        let answer = client.request(method.clone(), format!("{}{path}", daemon.url)).send()?;
        let answered = (answer.status().as_u16(), answer.text()?);
        assert_eq!(answered.0, status, "{method} {path}: {answered:?}");
        let said: serde_json::Value = serde_json::from_str(&answered.1)
            .map_err(|error| anyhow::anyhow!("{method} {path} says {answered:?}: {error}"))?;
        assert!(said["error"].is_string(), "{method} {path}: {answered:?}");
    }
    Ok(())
}

#[test]
fn metrics_are_prometheus_text_and_count_what_came_in() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let alert = Alert::new("Full");
    for _ in 0..3 {
        daemon.push(&[alert.firing()])?;
    }
    home.finished(1);

    let metrics = daemon.get("/metrics")?.body;

    let mut types = 0;
    for line in metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(name.starts_with("evenkeel_"), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(metrics.contains(&format!("# HELP {name} ")), "{name} has no help");
            types += 1;
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            assert!(series.starts_with("evenkeel_"), "{line}");
            value.parse::<f64>()?;
        }
    }
    assert!(types > 0, "{metrics}");
    assert_eq!(daemon.metric("evenkeel_alerts_received_total", &[])?, 3.0, "{metrics}");
    Ok(())
}

#[test]
fn a_daemon_says_that_it_is_well() -> anyhow::Result<()> {
    let (_home, daemon) = super::served()?;
    let answered = daemon.get("/healthz")?;
    assert_eq!(answered.status, 200, "{answered:#?}");
    Ok(())
}

/// Until people can sign in, the socket's permissions are who may.
#[test]
fn runs_can_be_neither_read_nor_asked_for_over_tcp() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    home.run(&["run", "look"])?;
    for path in [
        "/api/v1/runs",
        "/api/v1/runs/1",
        "/api/v1/daemon",
        "/api/v1/firing",
        "/api/v1/schedules",
        "/api/v1/changes",
    ] {
        assert_eq!(daemon.get(path)?.status, 404, "{path}");
    }
    let start = r#"{ "runbook": "look", "request": "1" }"#;
    for path in ["/api/v1/rounds", "/api/v1/reload", "/api/v1/runs/1/cancel"] {
        assert_eq!(daemon.post(path, start)?.status, 404, "{path}");
    }
    assert_eq!(home.runs()?.len(), 1);
    let socket = std::fs::metadata(home.path().join("data/evenkeel.sock"))?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&socket.permissions());
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    Ok(())
}
