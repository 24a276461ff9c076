//! A real Prometheus is asked by a check.

use std::path::Path;

use anyhow::ensure;
use evenkeel_tests::{
    board::Board,
    evenkeel::{BOUND, Home, Said},
    process::free_port,
    servers::Prometheus,
    wait::wait_until,
};
use serde_json::Value;

/// One that scrapes the board, and a place where nobody listens.
struct Scene {
    home: Home,
    board: Board,
    prometheus: Prometheus,
    nobody: String,
}

impl Scene {
    fn set(directory: &Path) -> anyhow::Result<Self> {
        let board = Board::start(directory)?;
        let nobody = format!("127.0.0.1:{}", free_port()?);
        let prometheus = Prometheus::start(directory, &[board.address(), &nobody], "groups: []\n", &nobody)?;
        let role = format!(
            "[role.host.sources.prometheus]\nurl = \"{}\"\nallow = [\"query\"]\n",
            prometheus.url
        );
        let files: Vec<(String, String)> = [
            (
                "sessions",
                "expr = \"taskboard_cache_files\"\nwith.warn = 20\nwith.critical = 50\nwith.code = \"sessions-many\"\n\
                 with.what = \"the number of sessions\"",
            ),
            ("targets", "expr = \"up\"\nwith.compare = \"<\"\nwith.critical = 1"),
            ("nothing", "expr = \"no_such_series\"\nwith.critical = 1"),
            (
                "absent",
                "expr = \"no_such_series\"\nwith.critical = 1\nwith.absent = \"critical\"",
            ),
            (
                "well",
                "expr = \"no_such_series\"\nwith.critical = 1\nwith.absent = \"ok\"",
            ),
            ("odd", "expr = \"quantile(2, up)\"\nwith.critical = 1"),
            ("nonsense", "expr = \"sum(\"\nwith.critical = 1"),
            ("levels", "expr = \"up\"\nwith.warn = 2\nwith.critical = 1"),
        ]
        .map(|(name, with)| (format!("runbooks/{name}.toml"), runbook(name, with)))
        .into();
        let mut all = vec![
            ("evenkeel.toml", role.as_str()),
            ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n"),
        ];
        all.extend(files.iter().map(|(file, text)| (file.as_str(), text.as_str())));
        let home = Home::ready(&all)?;
        Ok(Self {
            home,
            board,
            prometheus,
            nobody,
        })
    }

    fn run(&self, name: &str) -> anyhow::Result<(Said, Value)> {
        let said = self.home.run(&["run", name])?;
        let verdict = self.home.verdicts()?.pop().unwrap_or_default();
        Ok((said, verdict))
    }

    /// Waits until Prometheus itself answers the expression with so many series.
    #[track_caller]
    fn wait_for_series(&self, expr: &str, count: usize) {
        wait_until(BOUND, &format!("{count} series of `{expr}`"), || {
            let url = format!("{}/api/v1/query", self.prometheus.url);
            let query = reqwest::Url::parse_with_params(&url, [("query", expr)])?;
            let answer: Value = reqwest::blocking::get(query)?.error_for_status()?.json()?;
            let found = answer["data"]["result"].as_array().map_or(0, Vec::len);
            ensure!(found == count, "there are {found}");
            Ok(())
        });
    }
}

fn runbook(name: &str, with: &str) -> String {
    format!(
        "name = \"{name}\"\nsummary = \"Asks a Prometheus\"\n\n[[step]]\nid = \"ask\"\nuses = \"promql-check@1\"\n\
         grant = {{ metrics = [\"query prometheus\"] }}\nwith.source = \"prometheus\"\nwith.{with}\n"
    )
}

#[test]
fn each_series_of_a_real_prometheus_is_a_finding() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let scene = Scene::set(directory.path())?;
    scene.wait_for_series("up", 2);
    scene.wait_for_series("taskboard_cache_files <= 20", 1);

    let (said, verdict) = scene.run("sessions")?;
    assert_eq!((said.code, verdict), (0, "healthy".into()), "{said:#?}");
    let words = format!(
        "ok `sessions-many`: the number of sessions of {{instance=\"{}\", job=\"taskboard\"}} is ",
        scene.board.address()
    );
    assert!(said.stdout.contains(&words), "no {words:?} in {}", said.stdout);
    assert!(said.stdout.contains(", not above 20"), "{}", said.stdout);

    scene.board.visit(60)?;
    scene.wait_for_series("taskboard_cache_files > 50", 1);
    let (said, verdict) = scene.run("sessions")?;
    assert_eq!((said.code, verdict), (10, "unhealthy".into()), "{said:#?}");
    assert!(said.stdout.contains("critical `sessions-many`"), "{}", said.stdout);
    assert!(said.stdout.contains(", above 50"), "{}", said.stdout);

    let (said, verdict) = scene.run("targets")?;
    assert_eq!(verdict, "unhealthy", "{said:#?}");
    let of = |severity: &str, address: &str| {
        let words = format!("{severity} `promql-value`: up of {{instance=\"{address}\"");
        said.stdout.find(&words)
    };
    let (down, up) = (of("critical", &scene.nobody), of("ok", scene.board.address()));
    assert!(down.is_some() && down < up, "the worst is first: {}", said.stdout);
    Ok(())
}

#[test]
fn what_a_real_prometheus_has_no_series_for_is_what_the_runbook_says() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let scene = Scene::set(directory.path())?;
    for (name, verdict, words) in [
        (
            "absent",
            "unhealthy",
            "critical `promql-value`: no_such_series: `prometheus` has no series",
        ),
        (
            "well",
            "healthy",
            "ok `promql-value`: no_such_series: `prometheus` has no series",
        ),
        ("nothing", "failed", "no_such_series: `prometheus` has no series"),
        // In Prometheus's own words.
        ("nonsense", "failed", "parse error"),
        ("levels", "failed", "`warn` (2) is above `critical` (1)"),
    ] {
        let (said, got) = scene.run(name)?;
        assert_eq!(got, verdict, "{name}: {said:#?}");
        assert!(said.stdout.contains(words), "{name}: {}", said.stdout);
    }
    Ok(())
}

#[test]
fn what_a_real_prometheus_warns_of_is_in_the_story() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let scene = Scene::set(directory.path())?;
    scene.wait_for_series("up", 2);
    let (said, verdict) = scene.run("odd")?;
    assert_eq!(verdict, "unhealthy", "infinity is above 1: {said:#?}");
    let words = "source `prometheus`: PromQL warning: quantile value should be between 0 and 1";
    assert!(said.stdout.contains(words), "no {words:?} in {}", said.stdout);
    Ok(())
}

#[test]
fn a_prometheus_that_is_gone_is_a_failure_and_no_health() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let Scene { home, prometheus, .. } = Scene::set(directory.path())?;
    drop(prometheus);
    let said = home.run(&["run", "well"])?;
    assert_eq!(home.verdicts()?, ["failed"], "{said:#?}");
    Ok(())
}

const CLEAR: &str = r#"
name = "NAME"
summary = "Clears the sessions, and asks a Prometheus whether that has helped"

[[input]]
name = "job"
default = "taskboard"

[limits]
cooldown = "0s"

[[step]]
id = "clear"
uses = "cache-clean@1"
with = { root = "sessions", older_than = "0s" }
grant = { files = ["read sessions", "remove sessions"] }
ask_from = "never"

[healed]
query = 'taskboard_cache_files{job="{{ input.job }}"} <= MOST'
source = "prometheus"
within = "WITHIN"
"#;

#[test]
fn a_real_prometheus_says_whether_a_repair_has_helped() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let Scene {
        home,
        board,
        prometheus,
        nobody,
    } = Scene::set(directory.path())?;
    let role = std::fs::read_to_string(home.path().join("evenkeel.toml"))?;
    let root = format!(
        "\n[role.host.roots.sessions]\npath = \"{}\"\nallow = [\"read\", \"remove\"]\n",
        board.cache.display()
    );
    home.write("evenkeel.toml", &(role + &root))?;
    // Few sessions can be cleared away; fewer than none can't.
    for (name, most, within) in [("clear", "20", "1m"), ("in-vain", "-1", "3s")] {
        let text = CLEAR
            .replace("NAME", name)
            .replace("MOST", most)
            .replace("WITHIN", within);
        home.write(&format!("runbooks/{name}.toml"), &text)?;
    }
    home.done(&["lock"])?;
    home.done(&["check"])?;
    let scene = Scene {
        home,
        board,
        prometheus,
        nobody,
    };
    scene.board.visit(60)?;
    scene.wait_for_series("taskboard_cache_files > 50", 1);

    let (said, verdict) = scene.run("clear")?;
    assert_eq!(verdict, "repaired", "{said:#?}");
    let query = "query        taskboard_cache_files{job=\"taskboard\"} <= 20";
    assert!(said.stdout.contains(query), "{}", said.stdout);
    assert!(said.stdout.contains("1 of 1 value hold: {"), "{}", said.stdout);

    scene.board.visit(3)?;
    let (said, verdict) = scene.run("in-vain")?;
    assert_eq!(verdict, "not-repaired", "{said:#?}");
    assert!(said.stdout.contains("no series answers it"), "{}", said.stdout);

    // A text that would make anything true, if it could become a part of the expression.
    scene.board.visit(3)?;
    let attack = "job=x\"} or vector(1) or taskboard_cache_files{job=\"y";
    let said = scene.home.run(&["run", "in-vain", "--set", attack])?;
    assert!(said.stdout.contains("verdict      not-repaired"), "{said:#?}");
    let asked = r#"{job="x\x22} or vector(1) or "#;
    assert!(said.stdout.contains(asked), "{}", said.stdout);
    Ok(())
}
