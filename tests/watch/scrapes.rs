//! Targets are scraped, and what is wrong with one is said.

use anyhow::ensure;
use evenkeel_tests::evenkeel::BOUND;
use evenkeel_tests::wait::wait_until;

use crate::exporter::Exporter;
use crate::{ASSETS, asked, served, settings, target, wait_for_value};

#[test]
fn a_target_is_scraped_with_the_labels_of_its_asset() -> anyhow::Result<()> {
    let exporter =
        Exporter::start("# TYPE app_jobs gauge\n# HELP app_jobs How many wait.\napp_jobs{queue=\"mail\"} 7\n")?;
    let (home, daemon) = served(&exporter, "", "groups: []\n")?;
    wait_for_value(&daemon, "app_jobs", "7");
    let found = asked(&daemon, "app_jobs")?;
    let wanted = serde_json::json!({
        "__name__": "app_jobs", "queue": "mail", "job": "app", "asset": "local", "customer": "local",
        "instance": exporter.address.to_string(),
    });
    assert_eq!(found[0]["metric"], wanted);
    wait_for_value(&daemon, "up", "1");
    let heads = exporter.heads();
    let head = heads.last().expect("it was asked").to_lowercase();
    for header in [
        "accept: ",
        "x-prometheus-scrape-timeout-seconds: 1",
        "user-agent: evenkeel/",
    ] {
        assert!(head.contains(header), "{head}");
    }
    let metadata = daemon.get("/api/v1/metadata?metric=app_jobs")?.json()?;
    let said = serde_json::json!([{ "type": "gauge", "help": "How many wait.", "unit": "" }]);
    assert_eq!(metadata["data"]["app_jobs"], said);

    // The same on the command line.
    let told = home.done(&["query", "app_jobs * 2"])?.stdout;
    assert!(told.contains("14") && told.contains("queue"), "{told}");
    let told = home.json(&["query", "sum(app_jobs)", "--at", "0s"])?;
    assert_eq!(told["result"][0]["value"][1], "7");
    let ranged = home.json(&["query", "app_jobs", "--start", "5s", "--end", "0s", "--step", "1s"])?;
    assert_eq!(ranged["resultType"], "matrix");
    let refused = home.run(&["query", "app_jobs +"])?;
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("app_jobs +") && refused.stderr.contains('^'),
        "{}",
        refused.stderr
    );
    Ok(())
}

#[test]
fn a_line_that_is_wrong_refuses_the_scrape_and_is_named() -> anyhow::Result<()> {
    let exporter = Exporter::start("good 1\nbad{a=\"b} 2\n")?;
    let (_home, daemon) = served(&exporter, "", "groups: []\n")?;
    wait_for_value(&daemon, "up", "0");
    let shown = target(&daemon, "app")?;
    assert_eq!(shown["health"], "down");
    let why = shown["lastError"].as_str().unwrap_or_default();
    assert!(why.starts_with("line 2, column "), "{why}");
    assert_eq!(asked(&daemon, "good")?, serde_json::json!([]));

    exporter.fail_with(503);
    wait_until(BOUND, "the status is told", || {
        let why = target(&daemon, "app")?["lastError"].to_string();
        ensure!(why.contains("503"), "{why}");
        Ok(())
    });
    exporter.fail_with(200);
    exporter.say("good 1\n");
    wait_for_value(&daemon, "good", "1");
    assert_eq!(target(&daemon, "app")?["lastError"], "");
    Ok(())
}

#[test]
fn a_series_that_is_gone_ends_at_once_and_so_do_those_of_a_target_that_is() -> anyhow::Result<()> {
    let exporter = Exporter::start("first 1\nsecond 2\n")?;
    let (home, daemon) = served(&exporter, "", "groups: []\n")?;
    wait_for_value(&daemon, "second", "2");
    exporter.say("first 1\n");
    // Without a mark it would be looked back to for five minutes.
    wait_until(BOUND, "the second has ended", || {
        let found = asked(&daemon, "second")?;
        ensure!(found == serde_json::json!([]), "{found}");
        Ok(())
    });
    wait_for_value(&daemon, "first", "1");
    let other = settings(&exporter, "").replace("[scrape.app]", "[scrape.other]");
    home.write("evenkeel.toml", &other)?;
    wait_for_value(&daemon, "first{job=\"other\"}", "1");
    assert_eq!(asked(&daemon, "first{job=\"app\"}")?, serde_json::json!([]));
    assert_eq!(asked(&daemon, "up{job=\"app\"}")?, serde_json::json!([]));
    Ok(())
}

#[test]
fn a_bound_that_is_hit_is_said_with_the_setting_to_raise() -> anyhow::Result<()> {
    let text: String = (0..50).map(|n| format!("many{{n=\"{n}\"}} 1\n")).collect();
    let exporter = Exporter::start(&text)?;
    let (_home, daemon) = served(&exporter, "[series]\nmax_series = 20\n", "groups: []\n")?;
    wait_until(BOUND, "the bound is told", || {
        let why = target(&daemon, "app")?["lastError"].to_string();
        ensure!(why.contains("`max_series` in `[series]`"), "{why}");
        Ok(())
    });
    let found = asked(&daemon, "count({__name__=~\".+\"})")?;
    assert_eq!(found[0]["value"][1], "20");
    Ok(())
}

#[test]
fn more_samples_than_a_scrape_may_have_are_refused_as_a_whole() -> anyhow::Result<()> {
    let exporter = Exporter::start("a 1\nb 1\nc 1\n")?;
    let home = evenkeel_tests::evenkeel::Home::empty()?;
    let few = settings(&exporter, "").replace(
        "every = \"1s\"\n\n[rules]",
        "every = \"1s\"\nmax_samples = 2\n\n[rules]",
    );
    home.write("evenkeel.toml", &few)?;
    home.write("assets.toml", ASSETS)?;
    let daemon = home.serve()?;
    wait_for_value(&daemon, "up", "0");
    let why = target(&daemon, "app")?["lastError"].to_string();
    assert!(why.contains("3 samples"), "{why}");
    assert_eq!(asked(&daemon, "a")?, serde_json::json!([]));
    Ok(())
}

#[test]
fn a_token_is_sent_and_read_anew_for_each_scrape() -> anyhow::Result<()> {
    let exporter = Exporter::start("a 1\n")?;
    let home = evenkeel_tests::evenkeel::Home::empty()?;
    let with = settings(&exporter, "").replace(
        "every = \"1s\"\n\n[rules]",
        "every = \"1s\"\ntoken_file = \"t\"\n\n[rules]",
    );
    home.write("evenkeel.toml", &with)?;
    home.write("assets.toml", ASSETS)?;
    let daemon = home.serve()?;
    wait_until(BOUND, "the missing token is told", || {
        let why = target(&daemon, "app")?["lastError"].to_string();
        ensure!(why.contains("token_file"), "{why}");
        Ok(())
    });
    assert!(exporter.heads().is_empty());
    home.write("t", "a-token\n")?;
    wait_for_value(&daemon, "a", "1");
    let heads = exporter.heads();
    assert!(heads[0].contains("Bearer a-token"), "{heads:?}");
    Ok(())
}

#[test]
fn without_a_daemon_a_query_says_what_to_do() -> anyhow::Result<()> {
    let exporter = Exporter::start("")?;
    let home = evenkeel_tests::evenkeel::Home::empty()?;
    home.write("evenkeel.toml", &settings(&exporter, ""))?;
    let said = home.run(&["query", "up"])?;
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.contains("evenkeel serve") && said.stderr.contains("--series FILE"),
        "{}",
        said.stderr
    );
    Ok(())
}

#[test]
fn what_is_wrong_in_a_scrape_or_a_rule_is_said_with_its_place() -> anyhow::Result<()> {
    let home = evenkeel_tests::evenkeel::Home::empty()?;
    home.write(
        "evenkeel.toml",
        "[scrape.app]\nurl = \"http://{{ asset.adress }}:9100/metrics\"\nevery = \"10s\"\ntimeout = \"1m\"\n\
         labels = { job = \"x\", \"a-b\" = \"y\" }\n\n[scrape.web]\nselect = 'role=\"nobody\"'\nurl = \"ftp://a\"\n\
         \n[series]\nretention = \"0s\"\n",
    )?;
    home.write("assets.toml", ASSETS.replace("\nrole = \"host\"", "").as_str())?;
    home.write(
        "rules/a.yml",
        "groups:\n- name: g\n  rules:\n  - record: a\n    expr: sum(\n",
    )?;
    home.write("rules/a_test.yml", "tests: []\n")?;
    let said = home.run(&["check"])?;
    assert_eq!(said.code, 1);
    for words in [
        "evenkeel.toml:2:",
        "`timeout` is longer than `every`",
        "the label `job` is evenkeel's own",
        "`a-b` is no name of a label",
        "`select` matches no asset",
        "is not an http or https URL",
        "it is longer than nothing",
        "rules/a.yml:5:",
    ] {
        assert!(said.stderr.contains(words), "no {words:?} in\n{}", said.stderr);
    }
    Ok(())
}
