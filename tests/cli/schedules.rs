//! `evenkeel schedule`: what comes next, and what became of what was due.

use evenkeel_tests::evenkeel::Home;
use serde_json::{Value, json};

/// Works anywhere: none of these is a home.
fn next(arguments: &[&str]) -> anyhow::Result<Value> {
    Home::empty()?.json(&[&["schedule", "next"], arguments].concat())
}

#[test]
fn the_next_instants_of_an_expression_are_an_array() -> anyhow::Result<()> {
    let found = next(&[
        "30 2 * * *",
        "--zone",
        "Europe/Berlin",
        "--from",
        "2026-03-28T00:00:00Z",
        "-n",
        "3",
    ])?;
    // Clocks go from 02:00 to 03:00 on the 29th.
    assert_eq!(
        found,
        json!(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"])
    );
    let defaults = next(&["*/20 * * * *"])?;
    assert_eq!(defaults.as_array().map(Vec::len), Some(5));
    Ok(())
}

#[test]
fn an_instant_is_later_than_the_one_it_is_asked_from() -> anyhow::Result<()> {
    let from = |from| next(&["* * * * *", "--from", from, "-n", "1"]);
    assert_eq!(from("2026-01-01T00:00:00Z")?, json!(["2026-01-01T00:01:00Z"]));
    assert_eq!(from("2025-12-31T23:59:59.5Z")?, json!(["2026-01-01T00:00:00Z"]));
    assert_eq!(from("2026-01-01T08:00:00+08:00")?, json!(["2026-01-01T00:01:00Z"]));
    Ok(())
}

#[test]
fn for_people_each_stands_on_a_line_in_its_zone() -> anyhow::Result<()> {
    let arguments = [
        "schedule",
        "next",
        "@daily",
        "--zone",
        "Asia/Shanghai",
        "--from",
        "2026-01-01T00:00:00Z",
        "-n",
        "2",
    ];
    let said = Home::empty()?.done(&arguments)?;
    assert_eq!(said.stdout, "2026-01-02T00:00:00+08:00\n2026-01-03T00:00:00+08:00\n");
    Ok(())
}

#[test]
fn what_is_wrong_is_wrong_usage_and_says_what_to_write() -> anyhow::Result<()> {
    let home = Home::empty()?;
    for (arguments, words) in [
        (&["60 3 * * *"][..], "the minute is 0 to 59, not `60`"),
        (
            &["0 0 * * fry"],
            "the day of week is 0 to 7, `sun` to `sat` or `*`, not `fry`",
        ),
        (&["0 22-6 * * *"], "write `22-23,0-6`"),
        (
            &["* * * *"],
            "five fields (minute, hour, day of month, month, day of week) or six",
        ),
        (&["-5 * * * *"], "the minute lacks a value"),
        (&["@reboot"], "a restart of the daemon starts nothing"),
        (&["0 0 31 2 *"], "no year has such a day"),
        (&["@daily", "--zone", "Berlin"], "did you mean `Europe/Berlin`?"),
        (&["@daily", "--zone", "Middle-earth"], "names of the IANA database"),
        (
            &["@daily", "--from", "tomorrow"],
            "write it like `2026-03-29T00:30:00Z`",
        ),
        (&["@daily", "-n", "0"], "1..=1000000"),
        (&["--zone", "UTC"], "<EXPR>"),
    ] {
        let said = home.run(&[&["schedule", "next"], arguments].concat())?;
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}: {said:#?}");
        assert!(said.stderr.contains(words), "{arguments:?}: {said:#?}");
    }
    Ok(())
}

#[test]
fn a_home_s_schedules_are_listed_although_no_daemon_keeps_them() -> anyhow::Result<()> {
    let home = super::home()?;
    let said = home.done(&["schedule"])?;
    assert!(
        said.stdout
            .starts_with("`look` at `30 3 29 2 *` (UTC), missed last\n  next    2028-02-29T03:30:00Z"),
        "{said:#?}"
    );
    assert!(
        said.stdout.contains("last    none yet; no daemon has kept it so far"),
        "{said:#?}"
    );
    assert!(said.stderr.contains("no daemon serves this home"), "{said:#?}");

    let listed = home.json(&["schedule", "-n", "2"])?;
    assert_eq!(listed["more"], 0);
    let schedule = &listed["schedules"][0];
    assert_eq!(schedule["next"].as_array().map(Vec::len), Some(2));
    assert_eq!(schedule["last"], Value::Null);
    assert_eq!(schedule["jitter"], "0s");

    let unknown = home.run(&["schedule", "--runbook", "lok"])?;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown
            .stderr
            .contains("there is no runbook `lok`; did you mean `look`?"),
        "{unknown:#?}"
    );
    Ok(())
}

/// Jitter is told before it happens, and is the same each time it is asked for.
#[test]
fn a_delay_is_known_beforehand() -> anyhow::Result<()> {
    let home = super::home()?;
    let text = super::LOOK.replace(
        "cron = \"30 3 29 2 *\"",
        "cron = \"@daily\"\nzone = \"Asia/Kathmandu\"\njitter = \"6h\"",
    );
    home.write("runbooks/look.toml", &text)?;
    let listed = home.json(&["schedule"])?;
    assert_eq!(home.json(&["schedule"])?, listed);
    let schedule = &listed["schedules"][0];
    assert_eq!(schedule["jitter"], "6h");
    let next = schedule["next"].as_array().expect("ticks");
    let delays: Vec<_> = next
        .iter()
        .map(|next| minutes(&next["opens_at"]) - minutes(&next["tick"]))
        .collect();
    assert!(delays.iter().all(|delay| (0..=360).contains(delay)), "{listed:#}");
    assert!(delays.iter().any(|delay| *delay != delays[0]), "{listed:#}");
    assert!(
        next[0]["local"]
            .as_str()
            .is_some_and(|local| local.ends_with("T00:00:00+05:45")),
        "{listed:#}"
    );

    let daemon = home.serve()?;
    let served = home.json(&["schedule"])?;
    drop(daemon);
    assert_eq!(served["schedules"][0]["next"], schedule["next"]);
    Ok(())
}

fn minutes(time: &Value) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap_or_default());
    time.expect("RFC 3339").timestamp() / 60
}
