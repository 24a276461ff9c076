use proptest::prelude::*;
use serde_json::json;

use super::*;

fn ctx() -> Value {
    json!({
        "alert": null,
        "target": { "id": "a1", "labels": { "env": "prod" } },
        "input": { "count": 3, "paths": ["x", "y"] },
        "steps": { "look": { "severity": "critical", "status": "ok" }, "s-k": { "severity": null } },
    })
}

#[test]
fn a_value_that_is_one_expression_keeps_its_type() {
    let value = json!({ "n": "{{ input.count }}", "list": "{{ input.paths }}", "text": "n={{ input.count }}" });
    let rendered = render(&value, &ctx()).unwrap();
    assert_eq!(rendered, json!({ "n": 3, "list": ["x", "y"], "text": "n=3" }));
}

#[test]
fn two_expressions_are_text() {
    let rendered = render(&json!("{{ input.count }}{{ input.count }}"), &ctx()).unwrap();
    assert_eq!(rendered, json!("33"));
}

#[test]
fn a_missing_variable_is_an_error_that_says_where() {
    let value = json!({ "deep": [{ "x": "{{ target.address }}" }] });
    let error = render(&value, &ctx()).unwrap_err();
    assert_eq!(error.path, "deep[0].x");
    let error = render(&json!("at {{ nobody }}"), &ctx()).unwrap_err();
    assert_eq!(error.message, "`nobody` is undefined");
    assert!(render(&json!("{{ [nobody] }}"), &ctx()).is_err());
    assert!(render(&json!("{{ {'a': nobody} }}"), &ctx()).is_err());
}

#[test]
fn truth_is_python_s() {
    let holds = |expression| truthy(expression, &ctx());
    assert_eq!(holds("steps.look.severity == 'critical'"), Ok(true));
    assert_eq!(holds("steps['s-k'].severity == 'critical'"), Ok(false));
    assert_eq!(holds("alert and alert.labels.x"), Ok(false));
    assert_eq!(holds("input.paths"), Ok(true));
    assert!(holds("steps.clean.status == 'ok'").is_err());
    assert!(holds("nobody").is_err());
}

#[test]
fn output_is_bounded() {
    let large = json!("{% for i in range(9000) %}0123456789{% endfor %}");
    assert!(render(&large, &ctx()).unwrap_err().message.contains("64 KiB"));
    let grown = json!("{{ 'x' * 70000 }}");
    assert!(render(&grown, &ctx()).unwrap_err().message.contains("64 KiB"));
}

#[test]
fn work_is_bounded() {
    let endless = json!("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}");
    let error = render(&endless, &ctx()).unwrap_err();
    assert!(error.message.contains("too much work"), "{error}");
}

#[test]
fn nothing_is_escaped_and_nothing_is_filled_twice() {
    let context = json!({ "input": { "x": "<b>{{ steps }}</b>\n" } });
    let rendered = render(&json!("[{{ input.x }}]\n"), &context).unwrap();
    assert_eq!(rendered, json!("[<b>{{ steps }}</b>\n]\n"));
}

#[test]
fn variables_are_found_with_their_place() {
    let text = "steps.look.severity == 'critical' and inputs.x";
    let found = variables(text, Kind::Expression).unwrap();
    let named = found
        .iter()
        .map(|path| (path.dotted(), path.span(0)))
        .collect::<Vec<_>>();
    assert_eq!(
        named,
        [
            ("inputs.x".to_owned(), Some(38..44)),
            ("steps.look.severity".to_owned(), Some(0..5))
        ]
    );
    assert_eq!(found[1].span(1), Some(6..10));
}

#[test]
fn what_a_template_sets_itself_is_no_variable() {
    let text = "{% for i in range(input.count) %}{{ loop.index }}{{ i }}{% endfor %}";
    let found = variables(text, Kind::Template).unwrap();
    assert_eq!(found.iter().map(Path::dotted).collect::<Vec<_>>(), ["input.count"]);
}

#[test]
fn an_unknown_filter_is_found_without_values() {
    let error = variables("{{ alert.labels.x | nope }}", Kind::Template).unwrap_err();
    assert!(error.message.contains("nope"), "{error}");
}

#[test]
fn a_syntax_error_has_a_place() {
    let error = variables("steps.look ==", Kind::Expression).unwrap_err();
    assert!(error.span.is_some(), "{error:?}");
}

#[test]
fn a_missing_address_is_not_the_word_none() {
    let asset = Asset {
        id: "a".into(),
        customer: "local".into(),
        role: None,
        address: None,
        labels: Default::default(),
        vars: Default::default(),
        depends_on: vec![],
        reach: Default::default(),
    };
    let context = context(None, Some(&asset), None, &json!({}), &json!({}));
    assert!(render_text("http://{{ target.address }}", &context).is_err());
    assert_eq!(render_text("{{ target.id }}", &context).unwrap(), "a");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r"[\x00-\x7fä]{0,80}", open in "(\\{\\{|\\{%|)", close in "(\\}\\}|%\\}|)") {
        let text = format!("{open}{text}{close}");
        let _ = render(&json!(text), &ctx());
        let _ = truthy(&text, &ctx());
        let _ = variables(&text, Kind::Template);
        let _ = variables(&text, Kind::Expression);
    }

    #[test]
    fn plain_text_is_left_alone(text in "[a-z }%]{0,40}") {
        prop_assert_eq!(render(&json!(text), &ctx()).unwrap(), json!(text));
    }
}
