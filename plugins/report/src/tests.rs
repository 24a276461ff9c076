use evenkeel_sdk::serde_json::{Value as Json, from_value, json};
use evenkeel_sdk::{Class, MockHost};

use super::*;

fn runs() -> Json {
    let found = json!([{ "severity": "critical", "code": "disk-full", "subject": "data", "summary": "97% | full" }]);
    json!([
        { "run": 1, "target": "a", "customer": "steel", "verdict": "healthy", "changed": false, "why": "all is well",
          "steps": { "look": { "status": "ok", "severity": "ok", "changed": false, "summary": "40 %", "output": [] } } },
        { "run": 2, "target": "b", "customer": "paper", "verdict": "unhealthy", "changed": false, "why": "97% | full",
          "steps": { "look": { "status": "ok", "severity": "critical", "changed": false, "summary": "97% | full",
                               "output": found } } },
        { "run": 3, "target": "c", "customer": "steel", "verdict": "rejected", "changed": false, "why": "paused" },
    ])
}

fn said(runs: Json, params: Json) -> Result<Finding> {
    let host = MockHost::new().with_input("runs", runs);
    Ok(summary(from_value(params)?, &host)?.remove(0))
}

#[test]
fn a_round_is_one_finding_as_bad_as_its_runs() -> Result<()> {
    let finding = said(runs(), json!({}))?;
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(
        finding.summary,
        "1 of 3 well: 1 healthy, 1 unhealthy, 1 rejected; not well: `b`"
    );
    assert_eq!(finding.details, Some(json!({ "runs": 3, "bad": [2] })));
    assert_eq!(said(runs(), json!({ "critical": 33 }))?.severity, Severity::Critical);
    let well = json!([runs()[0]]);
    assert_eq!(said(well, json!({}))?.severity, Severity::Ok);
    let not_known = json!([runs()[0], runs()[2]]);
    assert_eq!(said(not_known, json!({}))?.severity, Severity::Warning);
    Ok(())
}

#[test]
fn many_bad_targets_are_counted() -> Result<()> {
    let many: Vec<Json> = (0..30)
        .map(|n| json!({ "run": n, "target": format!("t{n}"), "customer": null, "verdict": "failed" }))
        .collect();
    let finding = said(Json::from(many), json!({}))?;
    assert!(finding.summary.ends_with("`t9` and 20 more"), "{}", finding.summary);
    Ok(())
}

#[test]
fn the_page_is_written_once_and_says_nothing_as_markup() -> Result<()> {
    let page: Page = from_value(json!({ "root": "reports", "path": "week.md", "title": "Week <b>" }))?;
    let host = MockHost::new()
        .with_input("runs", runs())
        .with_file("reports", "older.md", "");
    let action = page.plan(&host)?.remove(0);
    assert_eq!(action.risk, Risk::Low);
    assert!(action.summary.starts_with("writes `week.md` to `reports`: 1 of 3 well"));
    host.allow(&action);
    assert!(page.apply(&host, &action)?.changed);
    let written = host.content("reports", "week.md").expect("a page");
    let written = String::from_utf8(written).expect("text");
    assert!(written.starts_with("# Week \\<b\\>\n\n1 of 3 well"), "{written}");
    assert!(
        written.contains("\n| b | paper | unhealthy | 97% \\| full |\n"),
        "{written}"
    );
    assert!(
        written.contains("\n## b\n\n- look (critical): 97% \\| full\n  - critical disk-full: 97% \\| full\n"),
        "{written}"
    );
    let first_row = written.lines().nth(6);
    assert_eq!(
        first_row,
        Some("| b | paper | unhealthy | 97% \\| full |"),
        "what is bad comes first"
    );
    host.deny_effects();
    assert!(page.plan(&host)?.is_empty(), "it is there");
    Ok(())
}

#[test]
fn without_runs_it_is_in_the_wrong_place() -> Result<()> {
    let error = summary(from_value(json!({}))?, &MockHost::new()).expect_err("there are none");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "no-runs"));
    Ok(())
}
