//! What evenkeel says comes out of a test, made into what the test expects, for promtool to judge.

use anyhow::Context as _;
use evenkeel_tests::{evenkeel::Home, servers::Promtool};
use serde_json::{Value, json};

use crate::ours;

/// JSON has no word for it, and a test file has.
const INFINITIES: [(&str, &str, &str); 2] = [("inf", "\"@inf\"", ".inf"), ("-inf", "\"@-inf\"", "-.inf")];

/// Fills in the expectations of a test file that has none, in all of its tests; returns how many things are expected.
///
/// # Errors
/// When it can't be run.
pub fn fill(home: &Home, file: &mut Value) -> anyhow::Result<usize> {
    home.write("test.yml", &text(file))?;
    let said = home.run(&["rules", "test", "test.yml", "--json"])?;
    let outcome: Value = serde_json::from_str(&said.stdout).with_context(|| format!("{said:#?}"))?;
    let outcomes = outcome[0]["tests"].as_array().context("a file without tests")?;
    let tests = file["tests"].as_array_mut().context("a file without tests")?;
    anyhow::ensure!(outcomes.len() == tests.len(), "{said:#?}");
    let mut count = 0;
    for (test, outcome) in tests.iter_mut().zip(outcomes) {
        for failure in outcome["failures"].as_array().context("an outcome without failures")? {
            count += expect(test, failure);
        }
    }
    Ok(count)
}

/// Both must pass what evenkeel expects; with one thing in it changed, both must not.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn assert_agreement(home: &Home, promtool: &Promtool, file: &Value, what: &str) -> anyhow::Result<()> {
    let text = text(file);
    home.write("test.yml", &text)?;
    let judged = promtool.judge(home.path(), &["test", "rules", "test.yml"])?;
    let (passed, said) = ours::judge(home, "test", "test.yml")?;
    let rules = std::fs::read_to_string(home.path().join("rules.yml")).unwrap_or_default();
    assert_eq!(judged.passed, passed, "{what}: {judged:#?}\n{said:#?}\n{rules}\n{text}");
    Ok(())
}

/// As YAML, of which JSON is a part.
fn text(file: &Value) -> String {
    let text = format!("{file:#}");
    INFINITIES
        .iter()
        .fold(text, |text, (_, json, yaml)| text.replace(json, yaml))
}

fn expect(test: &mut Value, failure: &Value) -> usize {
    if let Some(alerts) = failure.get("alerts") {
        let got = alerts["got"].as_array().cloned().unwrap_or_default();
        let expected = got
            .iter()
            .map(|alert| json!({"exp_labels": alert["labels"], "exp_annotations": alert["annotations"]}));
        let expected: Vec<Value> = expected.collect();
        if let Some(case) = case(test, "alert_rule_test", "alertname", &alerts["name"], &alerts["at_ms"]) {
            case["exp_alerts"] = json!(expected);
        }
        return expected.len();
    }
    if let Some(samples) = failure.get("samples") {
        let got = samples["got"].as_array().cloned().unwrap_or_default();
        let nothing_expects_it = got.iter().any(|sample| sample["value"] == "NaN");
        let expected: Vec<Value> = got.iter().map(sample).collect();
        if let Some(case) = case(test, "promql_expr_test", "expr", &samples["expr"], &samples["at_ms"]) {
            match nothing_expects_it {
                true => *case = json!({"expr": "absent(nothing)", "exp_samples": [{"labels": "{}", "value": 1}]}),
                false => case["exp_samples"] = json!(expected),
            }
        }
        return expected.len();
    }
    0
}

fn sample(got: &Value) -> Value {
    let value = got["value"].as_str().unwrap_or_default();
    let infinite = INFINITIES.iter().find(|(ours, _, _)| *ours == value);
    let value = match infinite {
        Some((ours, _, _)) => json!(format!("@{ours}")),
        None => json!(value.parse::<f64>().unwrap_or_default()),
    };
    json!({"labels": got["labels"], "value": value})
}

fn case<'v>(test: &'v mut Value, list: &str, key: &str, name: &Value, at_ms: &Value) -> Option<&'v mut Value> {
    let cases = test[list].as_array_mut()?.iter_mut();
    let time = format!("{at_ms}ms");
    cases
        .into_iter()
        .find(|case| case[key] == *name && case["eval_time"] == time.as_str())
}
