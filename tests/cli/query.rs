//! `evenkeel query` over a file of series.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, programs};
use serde_json::{Value, json};

const SERIES: &str = "\
interval: 30s
input_series:
  - series: 'requests_total{job=\"web\", code=\"200\"}'
    values: 0+30x20
  - series: 'requests_total{job=\"web\", code=\"500\"}'
    values: 0x10 _x3 6+6x6
";

fn asked() -> anyhow::Result<Home> {
    let home = Home::empty()?;
    home.write("series.yml", SERIES)?;
    Ok(home)
}

#[test]
fn answers_are_a_table_for_people_and_prometheus_s_json_for_programs() -> anyhow::Result<()> {
    let home = asked()?;
    let at = ["--series", "series.yml", "--at", "5m"];
    let said = home.done(&[&["query", "sum by (code) (requests_total)"], &at[..]].concat())?;
    assert_golden("cli/golden/query.txt", &said.stdout);

    let said = home.done(&[&["query", "rate(requests_total{code=\"200\"}[2m])", "--json"], &at[..]].concat())?;
    let data: Value = serde_json::from_str(&said.stdout)?;
    let series = json!({ "metric": { "code": "200", "job": "web" }, "value": [300, "1"] });
    assert_eq!(data, json!({ "resultType": "vector", "result": [series] }));

    let range = [
        "query",
        "time()",
        "--series",
        "series.yml",
        "--json",
        "--start",
        "0",
        "--end",
        "1m",
        "--step",
        "30",
    ];
    let data: Value = serde_json::from_str(&home.done(&range)?.stdout)?;
    let series = json!({ "metric": {}, "values": [[0, "0"], [30, "30"], [60, "60"]] });
    assert_eq!(data, json!({ "resultType": "matrix", "result": [series] }));
    Ok(())
}

/// The last sample is 20 intervals from the first.
#[test]
fn without_a_time_it_is_that_of_the_last_sample() -> anyhow::Result<()> {
    let home = asked()?;
    for at in [
        &[][..],
        &["--at", "10m"],
        &["--at", "600"],
        &["--at", "1970-01-01T01:10:00+01:00"],
    ] {
        let said = home.done(&[&["query", "time()", "--series", "series.yml"], at].concat())?;
        assert!(said.stdout.contains("scalar  600    1970-01-01T00:10:00Z"), "{said:#?}");
    }
    let said = home.done(&["query", "nothing", "--series", "series.yml"])?;
    assert_eq!(said.stdout, "no series\n");
    Ok(())
}

#[test]
fn what_is_wrong_is_underlined() -> anyhow::Result<()> {
    let home = asked()?;
    home.write("broken.yml", "input_series:\n  - series: up\n    values: 1 2 three\n")?;
    let mut all = String::new();
    for (expression, file) in [
        ("rate(requests_total)", "series.yml"),
        ("sum(requests_totl) +", "series.yml"),
        ("hsitogram_quantile(0.9, a)", "series.yml"),
        ("limitk(1, requests_total)", "series.yml"),
        ("up", "broken.yml"),
    ] {
        let said = home.run(&["query", expression, "--series", file])?;
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:#?}");
        all += &said.stderr;
        all += "\n";
    }
    assert_golden("cli/golden/query-problems.txt", &all);

    for (arguments, word) in [
        (&["query", "up"][..], "`--series FILE`"),
        (&["query", "-", "--series", "series.yml"], "`--json`"),
        (&["query", "up", "--series", "nowhere.yml"], "nowhere.yml"),
        (&["query", "a + on () a", "--series", "series.yml"], ""),
    ] {
        let said = home.run(arguments)?;
        assert!(said.stderr.contains(word), "{said:#?}");
    }
    for usage in [
        &["--at", "soon"][..],
        &["--start", "0"],
        &["--at", "1", "--start", "0", "--end", "1", "--step", "1"],
    ] {
        let said = home.run(&[&["query", "up", "--series", "series.yml"], usage].concat())?;
        assert_eq!(said.code, 2, "{said:#?}");
    }
    Ok(())
}

#[test]
fn expressions_of_standard_input_are_answered_line_by_line() -> anyhow::Result<()> {
    let home = asked()?;
    let mut child = Command::new(programs::program("evenkeel")?)
        .args(["query", "-", "--json", "--series", "series.yml"])
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(b"1 + 1\n1 +\n\"a\"\n")?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let answers: Vec<Value> = String::from_utf8(output.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(output.status.code(), Some(1), "one of them was refused");
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0], json!({ "resultType": "scalar", "result": [600, "2"] }));
    assert!(
        answers[1]["error"]
            .as_str()
            .is_some_and(|error| error.contains("byte 3")),
        "{answers:?}"
    );
    assert_eq!(answers[2], json!({ "resultType": "string", "result": [600, "a"] }));
    Ok(())
}
