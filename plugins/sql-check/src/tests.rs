use evenkeel_sdk::serde_json::{Value as Json, from_value, json};
use evenkeel_sdk::{Class, MockHost};

use super::*;

const QUERY: &str = "select queue, length from queues where state = $1";

fn params(more: Json) -> Result<SqlCheck> {
    let mut params = json!({
        "database": "app", "query": QUERY, "params": ["waiting"], "column": "length", "labels": ["queue"],
        "warn": 10, "critical": 20,
    });
    let given = more.as_object().expect("an object").clone();
    params.as_object_mut().expect("an object").extend(given);
    Ok(from_value(params)?)
}

fn rows(rows: Vec<Vec<Value>>) -> Rows {
    Rows {
        columns: vec!["queue".into(), "length".into()],
        rows,
        truncated: false,
    }
}

fn row(queue: &str, length: impl Into<Value>) -> Vec<Value> {
    vec![queue.into(), length.into()]
}

fn check(more: Json, answer: Rows) -> Result<Vec<Finding>> {
    sql_check(params(more)?, &MockHost::new().with_query("app", QUERY, answer))
}

#[test]
fn each_row_is_a_finding_with_its_labels_and_the_worst_is_first() -> Result<()> {
    let answer = rows(vec![row("mail", 5_i64), row("print", 25_i64), row("scan", "15.5")]);
    let findings = check(json!({ "what": "the backlog" }), answer)?;
    let told: Vec<_> = findings.iter().map(|f| (f.severity, f.summary.as_str())).collect();
    assert_eq!(
        told,
        [
            (Severity::Critical, "the backlog of `print` is 25, above 20"),
            (Severity::Warning, "the backlog of `scan` is 15.5, above 10"),
            (Severity::Ok, "the backlog of `mail` is 5, not above 10"),
        ]
    );
    assert_eq!(findings[0].labels, [("queue".to_owned(), "print".to_owned())]);
    assert_eq!(findings[0].details, Some(json!({ "value": 25.0 })));
    Ok(())
}

#[test]
fn a_single_value_needs_neither_column_nor_labels() -> Result<()> {
    let answer = Rows {
        columns: vec!["count".into()],
        rows: vec![vec![Value::Integer(0)]],
        truncated: false,
    };
    let host = MockHost::new().with_query("app", "select count(*) from jobs", answer);
    let params = json!({ "database": "app", "query": "select count(*) from jobs", "compare": "<", "critical": 1 });
    let findings = sql_check(from_value(params)?, &host)?;
    assert_eq!(findings[0].summary, "the value of `app` is 0, below 1");
    assert_eq!(findings[0].severity, Severity::Critical);
    Ok(())
}

#[test]
fn no_row_and_null_are_what_the_runbook_says() -> Result<()> {
    let null = || rows(vec![row("mail", Value::Null)]);
    for (absent, severity) in [
        ("ok", Severity::Ok),
        ("warning", Severity::Warning),
        ("critical", Severity::Critical),
    ] {
        let none = check(json!({ "absent": absent }), rows(vec![]))?;
        assert_eq!((none.len(), none[0].severity), (1, severity));
        assert_eq!(check(json!({ "absent": absent }), null())?[0].severity, severity);
    }
    assert_eq!(check(json!({}), rows(vec![])).expect_err("no row").code(), "no-row");
    assert_eq!(check(json!({}), null()).expect_err("null").code(), "no-number");
    Ok(())
}

#[test]
fn only_the_worst_are_told_one_by_one_and_the_others_are_counted() -> Result<()> {
    let many = (0..30_i64).map(|n| row(&n.to_string(), n)).collect();
    let findings = check(json!({ "most": 12 }), rows(many))?;
    assert_eq!(findings.len(), 13);
    assert_eq!(findings[12].summary, "length: 18 more rows, 7 of them not well");
    assert_eq!(findings[12].severity, Severity::Warning);

    let cut = Rows {
        truncated: true,
        ..rows(vec![row("mail", 1_i64)])
    };
    let findings = check(json!({}), cut)?;
    assert_eq!(findings[1].severity, Severity::Warning);
    assert!(
        findings[1].summary.contains("beyond the first 1000 rows"),
        "{}",
        findings[1].summary
    );
    Ok(())
}

#[test]
fn what_the_query_does_not_have_is_said() -> Result<()> {
    let answer = || rows(vec![row("mail", 1_i64), row("mail", 2_i64)]);
    for (more, code, words) in [
        (
            json!({ "column": "size" }),
            "no-column",
            "no column `size`; it has `queue`, `length`",
        ),
        (json!({ "labels": ["name"] }), "no-column", "no column `name`"),
        (json!({ "column": null }), "no-column", "has 2 columns"),
        (json!({ "labels": [] }), "rows-alike", "`labels` has to name columns"),
        (json!({}), "rows-alike", "several rows are `mail`"),
        (json!({ "column": "queue" }), "no-number", "what is compared is text"),
    ] {
        let error = check(more, answer()).expect_err(words);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
    Ok(())
}

#[test]
fn wrong_parameters_are_refused_in_words() -> Result<()> {
    let error = check(json!({ "warn": 30 }), rows(vec![])).expect_err("the wrong order");
    assert_eq!((error.class(), error.code()), (Class::Invalid, "levels"));
    assert!(params(json!({ "params": [[1]] })).is_err());
    assert!(params(json!({ "params": [18_446_744_073_709_551_615_u64] })).is_err());
    assert!(params(json!({ "sql": "select 1" })).is_err());
    let given = params(json!({ "params": ["a", 1, 0.5, true] }))?;
    let expected = [Value::from("a"), 1_i64.into(), 0.5.into(), true.into()];
    assert_eq!(format!("{:?}", given.params.0), format!("{expected:?}"));
    let denied = sql_check(params(json!({}))?, &MockHost::new()).expect_err("not granted");
    assert_eq!(denied.class(), Class::Denied);
    Ok(())
}
