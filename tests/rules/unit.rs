//! Unit tests of rules, passing and failing: `evenkeel rules test` beside `promtool test rules`.

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, servers::Promtool};

use crate::{cases, ours};

const CASES: &str = include_str!("unit.txt");

/// Where evenkeel judges otherwise on purpose, and why.
const DIVERGES: [(&str, &str); 1] = [(
    "a native histogram",
    "native histograms are not evaluated here; that is said before anything is tested",
)];

#[test]
fn the_verdict_on_each_test_file_is_promtool_s() -> anyhow::Result<()> {
    let (promtool, home) = (Promtool::find()?, Home::empty()?);
    let mut said_by_us = String::new();
    let mut listed = 0;
    for (name, text) in cases::read(CASES) {
        // Rule files, each for all cases behind it.
        if name.ends_with(".yml") {
            home.write(name, text)?;
            continue;
        }
        home.write("test.yml", text)?;
        let judged = promtool.judge(home.path(), &["test", "rules", "test.yml"])?;
        let (passed, said) = ours::judge(&home, "test", "test.yml")?;
        cases::assert_as_listed(
            name,
            judged.passed,
            passed,
            &DIVERGES,
            &format!("{judged:#?}\n{said:#?}"),
        );
        listed += usize::from(DIVERGES.iter().any(|(listed, _)| *listed == name));
        if !passed {
            said_by_us += &format!("=== {name}\n{}{}", said.stderr, said.stdout);
        }
    }
    assert_eq!(listed, DIVERGES.len(), "a divergence is listed that no case shows");
    assert_golden("rules/golden/unit.txt", &said_by_us);
    Ok(())
}
