//! A rule over a scraped target starts a runbook, and the series say whether it has healed.

use anyhow::ensure;
use evenkeel_tests::evenkeel::{BOUND, Home};
use evenkeel_tests::wait::wait_until;

use crate::exporter::Exporter;
use crate::{ASSETS, settings};

/// In our own words.
const RULES: &str = r#"
name = "app"

[[rule]]
alert = "CacheFull"
expr = "app_cache_files > 2"
grade = "high"
annotations = { summary = "{{ $labels.asset }} keeps {{ $value }} files" }
"#;

const RUNBOOK: &str = r#"
name = "clear-cache"
summary = "Clears the cache"

[[on]]
alert = "CacheFull"

[[step]]
id = "clear"
uses = "cache-clean@1"
with = { root = "cache", older_than = "0s" }
grant = { files = ["read cache", "remove cache"] }

[healed]
query = "app_cache_files < bool 3"
within = "60s"
otherwise = "escalate"
"#;

const ROLE: &str = r#"
[role.host.roots.cache]
path = "cache"
allow = ["read", "remove"]

[role.host.sources.own]
embedded = true
allow = ["query"]
"#;

#[test]
fn what_a_rule_finds_is_repaired_and_the_series_prove_it() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_cache_files 1\n")?;
    let home = Home::ready(&[
        ("evenkeel.toml", &settings(&exporter, ROLE)),
        ("assets.toml", ASSETS),
        ("rules/app.toml", RULES),
        ("runbooks/clear.toml", RUNBOOK),
        ("cache/1", "x"),
        ("cache/2", "x"),
        ("cache/3", "x"),
    ])?;
    let daemon = home.serve()?;
    wait_until(BOUND, "the rule was evaluated", || {
        let rules = daemon.get("/api/v1/rules")?.json()?;
        ensure!(rules["data"]["groups"][0]["rules"][0]["health"] == "ok", "{rules}");
        Ok(())
    });
    assert!(home.runs()?.is_empty());

    exporter.say("app_cache_files 3\n");
    wait_until(BOUND, "the cache is cleared", || {
        let left = std::fs::read_dir(home.path().join("cache"))?.count();
        ensure!(left == 0, "{left} files are left");
        Ok(())
    });
    // As the application would count them.
    exporter.say("app_cache_files 0\n");
    let runs = home.finished(1);
    assert_eq!(runs[0]["verdict"], "repaired", "{}", home.story(1)?);
    let story = home.story(1)?;
    assert!(
        story.contains("CacheFull") && story.contains("app_cache_files < bool 3"),
        "{story}"
    );
    wait_until(BOUND, "nothing fires any more", || {
        let alerts = daemon.get("/api/v1/alerts")?.json()?;
        ensure!(alerts["data"]["alerts"] == serde_json::json!([]), "{alerts}");
        Ok(())
    });
    Ok(())
}

#[test]
fn the_daemon_s_series_are_no_source_without_a_daemon() -> anyhow::Result<()> {
    let exporter = Exporter::start("app_cache_files 1\n")?;
    let ask = "name = \"ask\"\nsummary = \"Asks\"\n[[step]]\nid = \"ask\"\nuses = \"promql-check@1\"\n\
               with = { source = \"own\", expr = \"app_cache_files\", critical = 5 }\ngrant = { metrics = [\"query own\"] }\n";
    let home = Home::ready(&[
        ("evenkeel.toml", &settings(&exporter, ROLE)),
        ("assets.toml", ASSETS),
        ("runbooks/ask.toml", ask),
    ])?;
    let said = home.run(&["run", "ask"])?;
    assert!(
        home.story(1)?.contains("evenkeel serve"),
        "{said:?}\n{}",
        home.story(1)?
    );
    Ok(())
}
