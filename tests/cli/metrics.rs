//! `evenkeel metrics`: what is said of exposition text. Whether it is what a Prometheus says, tests/exposition compares.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, programs};

const GOOD: &str = "# HELP jobs Jobs by state.\n# TYPE jobs gauge\njobs{state=\"a, b\"} 1\njobs{state=\"c\"} 2.5 1700000000000\n\
                    jobs{state=\"c\"} 3 1700000000000\nup 1\n";

#[test]
fn a_bad_line_is_shown_with_its_place_and_the_fix() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("good.prom", GOOD)?;
    home.write("value.prom", "# a comment\nup 1\njobs{state=\"c\"} 1_000\n")?;
    home.write("quote.prom", "jobs{state=\"c} 1\n")?;
    home.write("twice.prom", "up 1\njobs{state=\"a\",state=\"b\"} 1\n")?;
    home.write("cut.om", "# TYPE up gauge\nup 1\n")?;
    home.write("escape.prom", "up \x1b[2J\n")?;
    let files = ["good.prom", "value.prom", "quote.prom", "twice.prom", "escape.prom"];
    let said = home.run(&[&["metrics"], &files[..]].concat())?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert_eq!(
        said.stdout,
        "good.prom: families: 2, series: 3, samples: 4, repeated: 1 (a scrape drops them)\n"
    );
    let cut = home.run(&["metrics", "--format", "openmetrics", "cut.om"])?;
    assert_eq!((cut.code, &*cut.stdout), (1, ""));
    assert_golden("cli/golden/metrics.txt", &format!("{}{}", said.stderr, cut.stderr));
    Ok(())
}

#[test]
fn json_has_what_a_scrape_would_store() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("good.prom", GOOD)?;
    home.write("bad.prom", "up 1\nup{ 1\n")?;
    let said = home.run(&["metrics", "--json", "good.prom", "bad.prom"])?;
    assert_eq!((said.code, &*said.stderr), (1, ""));
    assert_golden("cli/golden/metrics.json", &said.stdout);
    Ok(())
}

#[test]
fn standard_input_is_read_as_what_it_ends_like() -> anyhow::Result<()> {
    let mut child = Command::new(programs::program("evenkeel")?)
        .args(["metrics", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"up 1 1700000000.5\n# EOF\n")?;
    drop(input);
    let output = child.wait_with_output()?;
    assert!(output.status.success());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(said[0]["format"], "openmetrics");
    assert_eq!(said[0]["stored"][0]["timestamp_ms"], 1_700_000_000_500_i64);
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named() -> anyhow::Result<()> {
    let said = Home::empty()?.run(&["metrics", "absent.prom"])?;
    assert_eq!((said.code, &*said.stdout), (1, ""));
    assert!(said.stderr.contains("`absent.prom` can't be read"), "{said:#?}");
    Ok(())
}
