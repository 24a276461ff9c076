//! 10,000 alerts for 500 targets at once: what runs is bounded, what should run does in the end, and
//! the record explains every one that did not.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use evenkeel_tests::{alerts::Alert, evenkeel::Daemon, evenkeel::Home, wait::wait_until};
use serde_json::Value;

const TARGETS: usize = 500;
/// Alerts for each of them.
const EACH: usize = 20;
const ALERTS: usize = TARGETS * EACH;
/// `fleet` of the runbook: 2 % of its targets.
const AT_ONCE: i64 = 10;
/// For as slow a machine as there is.
const STORM: Duration = Duration::from_secs(600);

const ROLE: &str = r#"
[role.app.roots.cache]
path = "caches/{{ asset.id }}"
allow = ["read", "remove"]
"#;

/// With the limits as they are if nothing is said, but for these two.
const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache of what is full"

[[on]]
alert = "Full"
match = 'severity!="info"'

[targets]
select = 'role="app"'

[limits]
cooldown = "1s"
fleet = "2%"

[[step]]
id = "clean"
uses = "cache-clean@1"
with = { root = "cache", older_than = "1h" }
grant = { files = ["read cache", "remove cache"] }
ask_from = "never"
"#;

fn asset(n: usize) -> String {
    format!("app-{n}")
}

fn cache(home: &Home, n: usize) -> PathBuf {
    home.path().join("caches").join(asset(n))
}

/// Of five customers, each target with one old file in its cache.
fn home() -> anyhow::Result<Home> {
    let mut assets = String::new();
    for customer in 0..5 {
        assets.push_str(&format!("[[customer]]\nid = \"customer-{customer}\"\n\n"));
    }
    for n in 0..TARGETS {
        let (id, customer) = (asset(n), n % 5);
        assets.push_str(&format!(
            "[[asset]]\nid = \"{id}\"\ncustomer = \"customer-{customer}\"\nrole = \"app\"\n\n"
        ));
    }
    let home = Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", &assets),
        ("runbooks/clean.toml", CLEAN),
    ])?;
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    for n in 0..TARGETS {
        fs::create_dir_all(cache(&home, n))?;
        fs::write(cache(&home, n).join("old"), "")?;
        fs::File::options()
            .write(true)
            .open(cache(&home, n).join("old"))?
            .set_modified(yesterday)?;
    }
    Ok(home)
}

fn alert(target: usize, n: usize) -> Alert {
    Alert::new("Full")
        .label("asset", &asset(target))
        .label("n", &n.to_string())
}

/// One alert for each target, a wave.
fn push(daemon: &Daemon, waves: std::ops::Range<usize>) -> anyhow::Result<()> {
    for n in waves {
        let alerts: Vec<Value> = (0..TARGETS).map(|target| alert(target, n).firing()).collect();
        daemon.push(&alerts)?;
    }
    Ok(())
}

fn until_metric(daemon: &Daemon, name: &str, least: usize) {
    wait_until(STORM, &format!("{name} is {least}"), || {
        let value = daemon.metric(name, &[])?;
        ensure!(value >= least as f64, "it is {value}");
        Ok(())
    });
}

/// All of them.
fn runs(home: &Home) -> anyhow::Result<Vec<Value>> {
    let mut runs: Vec<Value> = Vec::new();
    loop {
        let before = runs.last().map(|run| run["run"].to_string());
        let before = before.iter().flat_map(|before| ["--before", before.as_str()]);
        let arguments: Vec<&str> = ["runs", "list", "--limit", "1000"].into_iter().chain(before).collect();
        let page = home.json(&arguments)?;
        let page = page.as_array().context("a list")?;
        if page.is_empty() {
            return Ok(runs);
        }
        runs.extend(page.iter().cloned());
    }
}

/// The most that were at work at once, by the times in the record.
fn most_at_once<'r>(runs: impl Iterator<Item = &'r Value>) -> i64 {
    let time = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok())
    };
    let mut marks = Vec::new();
    for run in runs {
        if let (Some(from), Some(to)) = (time(&run["started_at"]), time(&run["finished_at"])) {
            marks.extend([(from, 1), (to, -1)]);
        }
    }
    marks.sort_unstable();
    let mut at_work = 0;
    let counts = marks.iter().map(|(_, step)| {
        at_work += step;
        at_work
    });
    counts.max().unwrap_or(0)
}

#[test]
fn ten_thousand_alerts_lead_to_bounded_runs_and_each_is_accounted_for() -> anyhow::Result<()> {
    let home = home()?;
    let daemon = home.serve()?;
    // Half of it comes in while nothing starts: one run a target waits, and the others are skipped.
    home.done(&["pause", "--all", "--why", "a storm is on its way"])?;
    push(&daemon, 0..EACH / 2)?;
    let skipped = ALERTS / 2 - TARGETS;
    until_metric(&daemon, "evenkeel_runs_finished_total", skipped);
    assert_eq!(
        daemon.metric("evenkeel_invocations_total", &[])? as usize,
        0,
        "nothing started"
    );
    home.done(&["unpause", "--all"])?;
    push(&daemon, EACH / 2..EACH)?;
    until_metric(&daemon, "evenkeel_runs_finished_total", ALERTS);

    let runs = runs(&home)?;
    assert_eq!(runs.len(), ALERTS, "each alert has its run");
    let most = most_at_once(runs.iter());
    assert!((2..=AT_ONCE).contains(&most), "{most} at once");
    let mut of_target: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for run in &runs {
        of_target
            .entry(run["target"].as_str().unwrap_or_default())
            .or_default()
            .push(run);
    }
    assert_eq!(of_target.len(), TARGETS);
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for (target, runs) in &of_target {
        assert_eq!(most_at_once(runs.iter().copied()), 1, "{target}");
        let changed = runs.iter().filter(|run| run["changed"] == true).count();
        assert_eq!(changed, 1, "{target} was cleaned once");
        for run in runs {
            let verdict = run["verdict"].as_str().unwrap_or_default();
            *verdicts.entry(verdict).or_default() += 1;
            let why = run["why"].as_str().unwrap_or_default();
            let explained = match verdict {
                "changed" | "healthy" => true,
                "rejected" => why.ends_with("(`overlap = \"skip\"`)") && why.starts_with("run "),
                _ => false,
            };
            assert!(explained, "{run:#}");
        }
    }
    assert!(
        verdicts.get("rejected").is_some_and(|rejected| *rejected >= skipped),
        "{verdicts:?}"
    );
    for n in 0..TARGETS {
        assert!(!cache(&home, n).join("old").exists(), "{} was cleaned", asset(n));
    }
    println!("{ALERTS} alerts, {TARGETS} targets: {verdicts:?}, {most} at once");
    explained(&home, &daemon)
}

/// `why` tells of each alert of a target, and of alerts that start nothing.
fn explained(home: &Home, daemon: &Daemon) -> anyhow::Result<()> {
    let told = home.json(&["why", "--asset", "app-7", "--limit", "200"])?;
    let stories = told["runs"].as_array().context("runs")?;
    assert_eq!(stories.len(), EACH);
    for story in stories {
        let said = story["said"].as_array().context("what was said")?;
        let told = said.iter().any(|event| {
            let body = &event["body"];
            !body["refused"].is_null() || *body == "started"
        });
        assert!(told, "{story:#}");
    }
    let info: Vec<Value> = (0..50)
        .map(|n| alert(n, 0).label("severity", "info").firing())
        .collect();
    daemon.push(&info)?;
    let told = wait_until(STORM, "it is told why they started nothing", || {
        let told = home.json(&["why", "--alert", "Full", "--limit", "200"])?;
        let count = told["unstarted"].as_array().map_or(0, Vec::len);
        ensure!(count == 50, "{count} are told of");
        Ok(told)
    });
    let why = told["unstarted"][0]["why"].as_str().unwrap_or_default();
    assert_eq!(
        why,
        "`clean` takes `Full` only with severity!=\"info\", and this one has severity=\"info\""
    );
    Ok(())
}
