use evenkeel_sdk::metrics::Point;
use evenkeel_sdk::serde_json::{Value, from_value, json};
use evenkeel_sdk::{Class, MockHost};

use super::*;

const EXPR: &str = "queue_length";

fn params(more: Value) -> Result<PromqlCheck> {
    let mut params = json!({ "source": "prometheus", "expr": EXPR, "warn": 10, "critical": 20 });
    let given = more.as_object().expect("an object").clone();
    params.as_object_mut().expect("an object").extend(given);
    Ok(from_value(params)?)
}

fn series(instance: &str, value: f64) -> Series {
    Series {
        labels: vec![(NAME.into(), EXPR.into()), ("instance".into(), instance.into())],
        points: vec![Point { at_ms: 1, value }],
    }
}

fn check(more: Value, answer: Vec<Series>) -> Result<Vec<Finding>> {
    promql_check(params(more)?, &MockHost::new().with_metrics("prometheus", EXPR, answer))
}

#[test]
fn each_series_is_a_finding_with_its_labels_and_the_worst_is_first() -> Result<()> {
    let answer = vec![series("a", 5.0), series("b", 25.5), series("c", 15.0)];
    let findings = check(json!({ "what": "the queue", "code": "queue-long" }), answer)?;
    let told: Vec<_> = findings.iter().map(|f| (f.severity, f.summary.as_str())).collect();
    assert_eq!(
        told,
        [
            (Severity::Critical, r#"the queue of {instance="b"} is 25.5, above 20"#),
            (Severity::Warning, r#"the queue of {instance="c"} is 15, above 10"#),
            (Severity::Ok, r#"the queue of {instance="a"} is 5, not above 10"#),
        ]
    );
    assert_eq!(findings[0].labels, [("instance".to_owned(), "b".to_owned())]);
    assert_eq!(findings[0].code, "queue-long");
    assert_eq!(findings[0].details, Some(json!({ "value": 25.5 })));
    Ok(())
}

#[test]
fn too_little_is_found_with_the_other_comparison() -> Result<()> {
    let findings = check(
        json!({ "compare": "<", "warn": 2, "critical": 1 }),
        vec![series("a", 0.0)],
    )?;
    assert_eq!(findings[0].summary, r#"queue_length of {instance="a"} is 0, below 1"#);
    assert_eq!(findings[0].severity, Severity::Critical);
    Ok(())
}

#[test]
fn no_series_is_what_the_runbook_says() -> Result<()> {
    for (absent, severity) in [
        ("ok", Severity::Ok),
        ("warning", Severity::Warning),
        ("critical", Severity::Critical),
    ] {
        let findings = check(json!({ "absent": absent }), vec![])?;
        assert_eq!((findings.len(), findings[0].severity), (1, severity));
        assert_eq!(findings[0].summary, "queue_length: `prometheus` has no series");
    }
    let error = check(json!({}), vec![]).expect_err("nothing was found out");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "no-series"));
    Ok(())
}

#[test]
fn what_is_no_number_is_not_well_by_itself() -> Result<()> {
    let error = check(json!({}), vec![series("a", f64::NAN)]).expect_err("no number");
    assert_eq!(error.code(), "no-number");
    let findings = check(json!({ "absent": "warning" }), vec![series("a", f64::NAN)])?;
    assert_eq!(findings[0].severity, Severity::Warning);
    let infinite = check(json!({}), vec![series("a", f64::INFINITY)])?;
    assert_eq!(infinite[0].severity, Severity::Critical);
    Ok(())
}

#[test]
fn only_the_worst_are_told_one_by_one_and_the_others_are_counted() -> Result<()> {
    let answer: Vec<Series> = (0..30).map(|n| series(&n.to_string(), f64::from(n))).collect();
    let findings = check(json!({ "most": 5 }), answer)?;
    assert_eq!(findings.len(), 6);
    assert!(
        findings[..5]
            .iter()
            .all(|finding| finding.severity == Severity::Critical)
    );
    assert_eq!(findings[5].summary, "queue_length: 25 more series, 14 of them not well");
    assert_eq!(findings[5].severity, Severity::Critical);
    Ok(())
}

#[test]
fn a_value_without_labels_is_told_by_its_source() -> Result<()> {
    let scalar = Series {
        labels: vec![],
        points: vec![Point { at_ms: 1, value: 3.0 }],
    };
    assert_eq!(
        check(json!({}), vec![scalar])?[0].summary,
        "queue_length of prometheus is 3, not above 10"
    );
    Ok(())
}

#[test]
fn wrong_parameters_are_refused_in_words() -> Result<()> {
    let error = check(json!({ "warn": 30 }), vec![]).expect_err("the wrong order");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "levels"));
    assert!(params(json!({ "compare": ">=" })).is_err());
    assert!(params(json!({ "absent": "fine" })).is_err());
    assert!(params(json!({ "threshold": 1 })).is_err());
    let denied = promql_check(params(json!({}))?, &MockHost::new()).expect_err("not granted");
    assert_eq!(denied.class(), Class::Denied);
    Ok(())
}
