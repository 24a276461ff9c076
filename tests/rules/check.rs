//! Rule files, good and bad: `evenkeel rules check` beside `promtool check rules`.

use evenkeel_tests::{evenkeel::Home, golden::assert_golden, servers::Promtool};

use crate::{cases, ours};

const CASES: &str = include_str!("check.txt");

/// Where evenkeel judges otherwise on purpose, and why.
const DIVERGES: [(&str, &str); 3] = [
    (
        "a function of native histograms",
        "native histograms are not evaluated here; that is said before the rule is relied on",
    ),
    (
        "the tag binary",
        "nobody writes a name in base64; what is meant is asked for in plain text",
    ),
    (
        "a tag of one's own",
        "Prometheus reads over it; it means something to whoever wrote it, and not what it does",
    ),
];

#[test]
fn the_verdict_on_each_rule_file_is_promtool_s() -> anyhow::Result<()> {
    let (promtool, home) = (Promtool::find()?, Home::empty()?);
    let mut said_by_us = String::new();
    let mut listed = 0;
    for (name, text) in cases::read(CASES) {
        home.write("rules.yml", text)?;
        let judged = promtool.judge(home.path(), &["check", "rules", "rules.yml"])?;
        let (passed, said) = ours::judge(&home, "check", "rules.yml")?;
        cases::assert_as_listed(
            name,
            judged.passed,
            passed,
            &DIVERGES,
            &format!("{judged:#?}\n{said:#?}"),
        );
        listed += usize::from(DIVERGES.iter().any(|(listed, _)| *listed == name));
        if !said.stderr.is_empty() {
            said_by_us += &format!("=== {name}\n{}\n", said.stderr);
        }
    }
    assert_eq!(listed, DIVERGES.len(), "a divergence is listed that no case shows");
    assert_golden("rules/golden/check.txt", &said_by_us);
    Ok(())
}

/// What a text file of cases can't hold.
#[test]
fn bytes_are_judged_as_promtool_does() -> anyhow::Result<()> {
    let (promtool, home) = (Promtool::find()?, Home::empty()?);
    let good = "groups:\n- name: a\n  rules:\n  - record: a\n    expr: up\n";
    let cases: [&[u8]; 6] = [
        good.as_bytes(),
        good.replace('\n', "\r\n").as_bytes(),
        format!("\u{feff}{good}").as_bytes(),
        b"groups:\n- name: \x01a\n",
        b"groups:\n- name: a\xff\n",
        b"groups:\n- name: \"\\xff\"\n",
    ]
    .map(|bytes| bytes.to_owned().leak() as &[u8]);
    for bytes in cases {
        std::fs::write(home.path().join("rules.yml"), bytes)?;
        let judged = promtool.judge(home.path(), &["check", "rules", "rules.yml"])?;
        let (passed, said) = ours::judge(&home, "check", "rules.yml")?;
        let bytes = String::from_utf8_lossy(bytes);
        assert_eq!(judged.passed, passed, "{bytes:?}\n{judged:#?}\n{said:#?}");
    }
    Ok(())
}
