//! With a source, a push without its token is nobody's, and what comes with one is its customer's.

use evenkeel_tests::{
    alerts::Alert,
    evenkeel::{Answered, Daemon, Home},
};
use serde_json::json;

const STEEL: &str = "steel-token-0123456789";
const PAINT: &str = "paint-token-0123456789";

const SETTINGS: &str = r#"
[source.steel]
token_file = "secrets/steel.token"
customer = "steel"

[source.paint]
token_file = "secrets/paint.token"
customer = "paint"

[role.host.roots.data]
path = "app"
allow = ["read"]
"#;

/// Two customers whose assets go by the same address.
const ASSETS: &str = r#"
[[customer]]
id = "steel"

[[customer]]
id = "paint"

[[asset]]
id = "steel-app"
customer = "steel"
role = "host"
address = "localhost"

[[asset]]
id = "paint-app"
customer = "paint"
role = "host"
address = "localhost"
"#;

fn served() -> anyhow::Result<(Home, Daemon)> {
    let runbook = format!("{}\n[targets]\nselect = 'role=\"host\"'\n", super::LOOK);
    let home = Home::ready(&[
        ("evenkeel.toml", SETTINGS),
        ("assets.toml", ASSETS),
        ("runbooks/look.toml", &runbook),
        ("secrets/steel.token", &format!("{STEEL}\n")),
        ("secrets/paint.token", &format!("  {PAINT}  \nnot this line\n")),
        ("app/a-file", "of the application"),
    ])?;
    let daemon = home.serve()?;
    Ok((home, daemon))
}

fn push(daemon: &Daemon, authorization: Option<&str>, alert: &Alert) -> anyhow::Result<Answered> {
    let client = reqwest::blocking::Client::new();
    let mut request = client.post(format!("{}/api/v2/alerts", daemon.url));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.body(json!([alert.firing()]).to_string()).send()?;
    Ok(Answered {
        status: response.status().as_u16(),
        body: response.text()?,
    })
}

#[test]
fn a_push_without_the_token_is_refused_and_starts_nothing() -> anyhow::Result<()> {
    let (home, daemon) = served()?;
    let alert = Alert::new("Full").label("instance", "localhost:9100");
    let basic = format!("Basic {STEEL}");
    let short = format!("Bearer {}", &STEEL[..STEEL.len() - 1]);
    for wrong in [
        None,
        Some("Bearer"),
        Some("Bearer "),
        Some(&*basic),
        Some(&*short),
        Some("Bearer not this line"),
    ] {
        let answered = push(&daemon, wrong, &alert)?;
        assert_eq!(answered.status, 401, "{wrong:?}: {answered:#?}");
        assert!(
            answered.body.contains("Authorization: Bearer"),
            "{wrong:?}: {answered:#?}"
        );
        assert!(!answered.body.contains(STEEL), "{answered:#?}");
    }
    assert_eq!(daemon.get("/healthz")?.status, 200);
    assert!(home.runs()?.is_empty());
    assert!(!daemon.log().contains(STEEL), "a token is in the log");
    Ok(())
}

#[test]
fn an_alert_acts_on_its_own_customer_s_asset_alone() -> anyhow::Result<()> {
    let (home, daemon) = served()?;
    let alert = Alert::new("Full").label("instance", "localhost:9100");

    assert_eq!(push(&daemon, Some(&format!("Bearer {STEEL}")), &alert)?.status, 200);
    home.finished(1);
    // The same labels and the same startsAt, and yet another alert.
    assert_eq!(push(&daemon, Some(&format!("Bearer {PAINT}")), &alert)?.status, 200);

    let runs = home.finished(2);
    let targets: Vec<_> = runs.iter().map(|run| (&run["customer"], &run["target"])).collect();
    assert_eq!(
        targets,
        [
            (&json!("steel"), &json!("steel-app")),
            (&json!("paint"), &json!("paint-app"))
        ]
    );
    Ok(())
}

#[test]
fn an_alert_that_names_another_customer_s_asset_is_refused() -> anyhow::Result<()> {
    let (home, daemon) = served()?;
    let alert = Alert::new("Full")
        .label("asset", "paint-app")
        .label("customer", "paint");

    assert_eq!(push(&daemon, Some(&format!("Bearer {STEEL}")), &alert)?.status, 200);

    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "rejected", "{runs:#?}");
    let story = home.story(1)?;
    assert!(story.contains("by `target`: no asset of customer `steel`"), "{story}");
    Ok(())
}

#[test]
fn a_daemon_that_others_can_reach_wants_a_source() -> anyhow::Result<()> {
    let home = Home::ready(&[
        (
            "evenkeel.toml",
            "[role.host.roots.data]\npath = \"app\"\nallow = [\"read\"]\n",
        ),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n"),
        ("runbooks/look.toml", super::LOOK),
    ])?;

    let said = home.run(&["serve", "--listen", "0.0.0.0:0"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("[source.NAME]"), "{said:#?}");

    home.write(
        "evenkeel.toml",
        "[server]\nlisten = \"0.0.0.0:7654\"\n[role.host.roots.data]\npath = \"app\"\nallow = [\"read\"]\n",
    )?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("[source"), "{said:#?}");
    Ok(())
}

/// A page in the browser of somebody who works on this machine may send requests to it too.
#[test]
fn a_browser_s_page_can_push_nothing() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let answer = reqwest::blocking::Client::new()
        .post(format!("{}/api/v2/alerts", daemon.url))
        .header("origin", "https://evil.example")
        .header("content-type", "text/plain")
        .body(json!([Alert::new("Full").firing()]).to_string())
        .send()?;
    assert_eq!(answer.status().as_u16(), 403);
    assert!(home.runs()?.is_empty());
    Ok(())
}
