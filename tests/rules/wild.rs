//! Rules as operators write them, over series that make them pending, fire and end. They were written for this test, after the
//! functions and forms that real rules use; none is copied.

use evenkeel_tests::{evenkeel::Home, servers::Promtool};
use serde_json::{Value, json};

use crate::{expectations, ours};

/// Rules, and the series that they are tried over: `SERIES | VALUES` a line.
const FILES: [(&str, &str, &str); 5] = [
    ("node", include_str!("wild/node.yml"), include_str!("wild/node.series")),
    (
        "kubernetes",
        include_str!("wild/kubernetes.yml"),
        include_str!("wild/kubernetes.series"),
    ),
    (
        "databases",
        include_str!("wild/databases.yml"),
        include_str!("wild/databases.series"),
    ),
    ("web", include_str!("wild/web.yml"), include_str!("wild/web.series")),
    (
        "services",
        include_str!("wild/services.yml"),
        include_str!("wild/services.series"),
    ),
];
/// Every two minutes of the hour is looked at.
const LOOKS: u64 = 30;

#[test]
fn rules_in_the_wild_style_are_read_and_judged_as_by_promtool() -> anyhow::Result<()> {
    let (promtool, home) = (Promtool::find()?, Home::empty()?);
    let (mut rules, mut firing) = (0, 0);
    for (name, text, series) in FILES {
        home.write("rules.yml", text)?;
        let (passed, said) = ours::judge(&home, "check", "rules.yml")?;
        let judged = promtool.judge(home.path(), &["check", "rules", "rules.yml"])?;
        assert!(passed && judged.passed, "{name}: {said:#?}\n{judged:#?}");
        let mut file = test(text, series);
        expectations::fill(&home, &mut file)?;
        expectations::assert_agreement(&home, &promtool, &file, name)?;
        (rules, firing) = (
            rules + names(text).count(),
            firing + assert_each_fires(name, text, &file),
        );
    }
    assert!(rules >= 150, "only {rules} rules");
    assert!(firing >= 120, "only {firing} alerts ever fired");
    Ok(())
}

/// A rule that never gives anything proves nothing. Returns how many alerts there are.
fn assert_each_fires(file: &str, rules: &str, test: &Value) -> usize {
    let cases = test["tests"][0]["alert_rule_test"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let fires = |name: &str| {
        let mut looks = cases.iter().filter(|case| case["alertname"] == name);
        looks.any(|case| case["exp_alerts"][0].is_object())
    };
    let alerts: Vec<_> = names(rules)
        .filter(|(kind, _)| *kind == "alert")
        .map(|(_, name)| name)
        .collect();
    let silent: Vec<_> = alerts.iter().filter(|name| !fires(name)).collect();
    assert!(silent.is_empty(), "{file}: {silent:?} never fire");
    alerts.len()
}

/// `alert` or `record`, and the name.
fn names(rules: &str) -> impl Iterator<Item = (&str, &str)> {
    rules.lines().filter_map(|line| {
        let (kind, name) = line.trim().strip_prefix("- ")?.split_once(": ")?;
        ["alert", "record"].contains(&kind).then_some((kind, name))
    })
}

/// Without an order promtool takes any, and rules look at the alerts of other groups.
fn groups(rules: &str) -> Vec<&str> {
    rules
        .lines()
        .filter_map(|line| line.strip_prefix("  - name: "))
        .collect()
}

fn test(rules: &str, series: &str) -> Value {
    let series = series.lines().filter_map(|line| line.split_once(" | "));
    let series: Vec<Value> = series
        .map(|(series, values)| json!({"series": series, "values": values}))
        .collect();
    let times: Vec<String> = (0..LOOKS).map(|look| format!("{}ms", look * 120_000)).collect();
    let cases = |kind: &'static str, key: &'static str| -> Vec<Value> {
        let names = names(rules).filter(move |(found, _)| *found == kind);
        let times = &times;
        names
            .flat_map(|(_, name)| times.iter().map(move |time| json!({key: name, "eval_time": time})))
            .collect()
    };
    let mut expressions = cases("record", "expr");
    let series_of_alerts = times.iter().map(|time| json!({"expr": "ALERTS", "eval_time": time}));
    expressions.extend(series_of_alerts);
    json!({"rule_files": ["rules.yml"], "group_eval_order": groups(rules), "tests": [{
        "interval": "1m",
        "input_series": series,
        "external_url": "https://prometheus.example",
        "alert_rule_test": cases("alert", "alertname"),
        "promql_expr_test": expressions,
    }]})
}
