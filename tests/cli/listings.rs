//! Listings, for people and for programs.

use evenkeel_tests::{golden::assert_golden, stable::stable};
use serde_json::Value;

#[test]
fn every_listing_is_json_if_it_is_asked_for() -> anyhow::Result<()> {
    let home = super::home()?;
    home.done(&["run", "clean"])?;

    let runs = home.json(&["runs", "list"])?;
    assert_eq!(runs[0]["run"], 1);
    assert_eq!(runs[0]["verdict"], "repaired");
    assert_eq!(runs[0]["runbook"], "clean");

    let story = home.json(&["runs", "show", "1"])?;
    assert_eq!(story["summary"]["verdict"], "repaired");
    let numbers: Vec<_> = story["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| &event["seq"])
        .collect();
    let expected: Vec<Value> = (1..=numbers.len()).map(Value::from).collect();
    assert_eq!(
        numbers,
        expected.iter().collect::<Vec<_>>(),
        "events are numbered without gaps"
    );

    let dry = home.json(&["run", "clean", "--dry-run"])?;
    assert_eq!(dry[0]["summary"]["mode"], "dry-run");
    assert!(dry[0]["events"].as_array().is_some_and(|events| !events.is_empty()));

    let checked = home.json(&["check"])?;
    assert_eq!(checked["clean"], true);
    assert_eq!(checked["problems"].as_array().map(Vec::len), Some(0));
    assert_eq!(checked["schedules"][0]["next"].as_array().map(Vec::len), Some(5));

    let plugins = home.json(&["plugin", "list"])?;
    let names: Vec<_> = plugins
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| p["manifest"]["name"].as_str())
        .collect();
    assert!(names.contains(&Some("cache-clean")), "{plugins:#}");

    let inspected = home.json(&["plugin", "inspect", "cache-clean"])?;
    assert_eq!(inspected["manifest"]["version"], "1.0.0");
    Ok(())
}

/// A daemon that answers, and the files alone, tell the same.
#[test]
fn runs_read_the_same_with_a_daemon_and_without() -> anyhow::Result<()> {
    let home = super::home()?;
    home.done(&["run", "clean"])?;
    let alone = (
        home.json(&["runs", "list"])?,
        home.json(&["runs", "show", "1"])?,
        home.story(1)?,
    );

    let daemon = home.serve()?;
    let asked = (
        home.json(&["runs", "list"])?,
        home.json(&["runs", "show", "1"])?,
        home.story(1)?,
    );
    drop(daemon);

    assert_eq!(alone, asked);
    Ok(())
}

#[test]
fn runs_are_listed_as_people_read_them() -> anyhow::Result<()> {
    let home = super::home()?;
    home.done(&["run", "clean"])?;
    home.done(&["run", "look"])?;
    home.done(&["run", "clean", "--dry-run"])?;
    let listed = stable(&home.done(&["runs", "list"])?.stdout, home.path());
    // Whoever runs the tests.
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output()?.stdout)?;
    let listed = listed.replace(user.trim(), "USER");
    // A name of another length moves the columns.
    let spaces = regex::Regex::new(" {2,}")?;
    assert_golden("cli/golden/runs-list.txt", &spaces.replace_all(&listed, "  "));
    Ok(())
}

#[test]
fn filters_bound_what_is_listed() -> anyhow::Result<()> {
    let home = super::home()?;
    for runbook in ["look", "look", "clean"] {
        home.run(&["run", runbook])?;
    }
    let numbers = |arguments: &[&str]| -> anyhow::Result<Vec<u64>> {
        let runs = home.json(&[&["runs", "list"], arguments].concat())?;
        Ok(runs
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|run| run["run"].as_u64())
            .collect())
    };
    assert_eq!(numbers(&[])?, [3, 2, 1], "the newest first");
    assert_eq!(numbers(&["--runbook", "look"])?, [2, 1]);
    assert_eq!(numbers(&["--verdict", "repaired"])?, [3]);
    assert_eq!(numbers(&["--verdict", "failed"])?, [] as [u64; 0]);
    assert_eq!(numbers(&["--limit", "1"])?, [3]);
    assert_eq!(numbers(&["--before", "3", "--limit", "1"])?, [2]);
    assert_eq!(numbers(&["--target", "local"])?, [3, 2, 1]);
    assert_eq!(numbers(&["--target", "elsewhere"])?, [] as [u64; 0]);
    assert_eq!(numbers(&["--customer", "local"])?, [3, 2, 1]);
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_error() -> anyhow::Result<()> {
    let home = super::home()?;
    home.done(&["run", "clean"])?;
    let evenkeel = evenkeel_tests::programs::program("evenkeel")?;
    let script = format!(
        "'{}' --home '{}' runs show 1 | true",
        evenkeel.display(),
        home.path().display()
    );

    let said = std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .output()?;

    assert!(said.status.success(), "{said:?}");
    assert!(said.stderr.is_empty(), "{said:?}");
    Ok(())
}
