//! Who may read, and what.

use anyhow::ensure;
use evenkeel_tests::evenkeel::{BOUND, Daemon, Home};
use evenkeel_tests::process::free_port;
use evenkeel_tests::wait::wait_until;
use serde_json::Value;

use crate::exporter::Exporter;

const ALL: &str = "all-token-0123456789";
const STEEL: &str = "steel-token-0123456789";

const ASSETS: &str = r#"
[[customer]]
id = "steel"

[[customer]]
id = "paint"

[[asset]]
id = "steel-app"
customer = "steel"
role = "app"

[[asset]]
id = "paint-app"
customer = "paint"
role = "app"
"#;

/// The text of the first's template names a customer, and so do the second and what goes wrong with the third. What a template
/// comes to belongs to the alert that it is made for.
const RULES: &str = "groups:\n- name: g\n  rules:\n  - alert: Sick\n    expr: app_sick > 0\n    annotations: {first: '{{ if eq $labels.customer \"paint\" }}yes{{ end }}'}\n  \
                     - alert: Paint\n    expr: app_sick{customer=\"paint\"} > 0\n  \
                     - record: broken\n    expr: app_sick * on () group_left () app_sick\n";

fn home(exporter: &Exporter, readers: &str) -> anyhow::Result<Home> {
    let home = Home::empty()?;
    home.write(
        "evenkeel.toml",
        &format!(
            "[scrape.app]\nselect = 'role=\"app\"'\nurl = \"http://{}/metrics?of={{{{ asset.id }}}}\"\nevery = \"1s\"\n\
             [rules]\nevery = \"1s\"\n[source.any]\ntoken_file = \"all.token\"\n{readers}\n\
             [role.app.roots.data]\npath = \".\"\nallow = [\"read\"]\n",
            exporter.address
        ),
    )?;
    home.write("assets.toml", ASSETS)?;
    home.write("rules/a.yml", RULES)?;
    home.write("all.token", ALL)?;
    home.write("steel.token", STEEL)?;
    Ok(home)
}

fn get(daemon: &Daemon, path: &str, token: Option<&str>) -> anyhow::Result<(u16, Value)> {
    let request = reqwest::blocking::Client::new().get(format!("{}{path}", daemon.url));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send()?;
    Ok((response.status().as_u16(), response.json()?))
}

#[test]
fn a_reader_of_one_customer_sees_that_customer_alone() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_sick 1\n")?;
    let readers = "[reader.dashboards]\ntoken_file = \"all.token\"\n\
                   [reader.steel]\ntoken_file = \"steel.token\"\ncustomer = \"steel\"\n";
    let home = home(&exporter, readers)?;
    let daemon = home.serve()?;
    wait_until(BOUND, "both customers' alerts fire", || {
        let (_, alerts) = get(&daemon, "/api/v1/alerts", Some(ALL))?;
        ensure!(alerts["data"]["alerts"].as_array().map(Vec::len) == Some(3), "{alerts}");
        Ok(())
    });
    for token in [None, Some("wrong-token-0123456789")] {
        for path in [
            "/api/v1/query?query=up",
            "/api/v1/rules",
            "/api/v1/label/job/values",
            "/api/v1/status/tsdb",
        ] {
            let (status, said) = get(&daemon, path, token)?;
            assert_eq!(
                (status, said["errorType"].as_str()),
                (401, Some("unauthorized")),
                "{path}: {said}"
            );
        }
    }
    let everything = [
        ("/api/v1/query?query=app_sick", "/data/result"),
        (
            "/api/v1/query?query=app_sick%7Bcustomer%3D~%22.%2B%22%7D",
            "/data/result",
        ),
        ("/api/v1/query?query=app_sick%20or%20up", "/data/result"),
        (
            "/api/v1/query?query=app_sick%7Bcustomer%3D%22paint%22%7D",
            "/data/result",
        ),
        ("/api/v1/series?match%5B%5D=app_sick", "/data"),
        ("/api/v1/label/customer/values", "/data"),
        ("/api/v1/label/asset/values?match%5B%5D=up", "/data"),
        ("/api/v1/alerts", "/data/alerts"),
        ("/api/v1/targets", "/data/activeTargets"),
        ("/api/v1/rules", "/data"),
    ];
    for (path, place) in everything {
        let (status, all) = get(&daemon, path, Some(ALL))?;
        assert_eq!(status, 200, "{path}: {all}");
        assert!(
            all.pointer(place)
                .is_some_and(|found| found.to_string().contains("paint")),
            "{path}: {all}"
        );
        let (status, own) = get(&daemon, path, Some(STEEL))?;
        assert_eq!(status, 200, "{path}: {own}");
        let own = own.pointer(place).map(ToString::to_string).unwrap_or_default();
        assert!(!own.contains("paint"), "{path}: {own}");
    }
    Ok(())
}

#[test]
fn nobody_reads_over_an_open_listener_without_a_reader() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_sick 1\n")?;
    let home = home(&exporter, "")?;
    let port = free_port()?;
    let mut command = home.command()?;
    command.args(["serve", "--listen", &format!("0.0.0.0:{port}")]);
    let daemon = home.served_by(&mut command, &format!("127.0.0.1:{port}"))?;
    let (status, said) = get(&daemon, "/api/v1/query?query=up", Some(ALL))?;
    assert_eq!(status, 401);
    assert!(
        said["error"].as_str().is_some_and(|why| why.contains("[reader.NAME]")),
        "{said}"
    );
    // Over the socket it goes on.
    home.done(&["query", "up"])?;
    Ok(())
}

#[test]
fn without_a_reader_a_name_that_somebody_has_lead_here_reads_nothing() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_sick 1\n")?;
    let home = home(&exporter, "")?;
    let daemon = home.serve()?;
    let status = |host: &str| -> anyhow::Result<u16> {
        let request = reqwest::blocking::Client::new().get(format!("{}/api/v1/query?query=up", daemon.url));
        Ok(request.header("host", host).send()?.status().as_u16())
    };
    assert_eq!(status("rebound.example:7654")?, 401);
    for host in ["localhost:7654", "127.0.0.1", "[::1]:7654"] {
        assert_eq!(status(host)?, 200, "{host}");
    }
    Ok(())
}

#[test]
fn two_readers_with_one_token_are_refused() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_sick 1\n")?;
    let readers =
        "[reader.all]\ntoken_file = \"all.token\"\n[reader.steel]\ntoken_file = \"all.token\"\ncustomer = \"steel\"\n";
    let home = home(&exporter, readers)?;
    let said = home.run(&["serve", "--listen", "127.0.0.1:0"])?;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr
            .contains("`[reader.all]` and `[reader.steel]` have the same token"),
        "{said:?}"
    );
    Ok(())
}
