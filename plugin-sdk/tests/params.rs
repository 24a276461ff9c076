//! What the `Params` and `Body` derives make of a type, without serde or schemars among the author's dependencies.

use evenkeel_sdk::serde_json::{Value, from_value, json, to_value};
use evenkeel_sdk::{Body, Duration, Glob, Params, schemars};

/// How to look at a root.
#[derive(Params, Debug, PartialEq)]
struct Look {
    /// The root to look at.
    root: String,
    #[serde(default = "eighty")]
    #[schemars(range(max = 100))]
    warn: u8,
    #[serde(default)]
    keep: Vec<Glob>,
    within: Option<Duration>,
    #[serde(default)]
    order: Order,
    #[serde(rename = "match")]
    pattern: Option<String>,
    probe: Option<Probe>,
}

#[derive(Params, Debug, PartialEq, Default)]
#[serde(rename_all = "kebab-case")]
enum Order {
    #[default]
    OldestFirst,
    LargestFirst,
}

#[derive(Params, Debug, PartialEq)]
struct Probe {
    path: String,
}

#[derive(Params, Debug, PartialEq)]
#[serde(default)]
struct Levels {
    warn: u8,
    critical: u8,
}

impl Default for Levels {
    fn default() -> Self {
        Self { warn: 80, critical: 90 }
    }
}

#[derive(Body, Debug, PartialEq)]
struct Found {
    paths: Vec<String>,
}

fn eighty() -> u8 {
    80
}

fn schema<T: schemars::JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

#[test]
fn defaults_renames_and_nested_types_are_read() {
    let look: Look = from_value(json!({
        "root": "data", "keep": ["*.lock"], "within": "90s", "order": "largest-first", "match": "x", "probe": { "path": "/" },
    }))
    .expect("it reads");
    assert_eq!(look.warn, 80);
    assert_eq!(look.within, Some(Duration::seconds(90)));
    assert_eq!(look.order, Order::LargestFirst);
    assert_eq!(look.pattern.as_deref(), Some("x"));
    assert_eq!(look.probe, Some(Probe { path: "/".into() }));
    assert!(look.keep[0].matches("a.lock"));
}

#[test]
fn container_defaults_are_read() {
    assert_eq!(
        from_value::<Levels>(json!({ "warn": 70 })).expect("it reads"),
        Levels { warn: 70, critical: 90 }
    );
}

#[test]
fn unknown_keys_are_errors_at_every_depth() {
    for params in [
        json!({ "root": "data", "wran": 1 }),
        json!({ "root": "data", "probe": { "path": "/", "port": 1 } }),
    ] {
        let error = from_value::<Look>(params).expect_err("unknown key").to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn the_schema_says_what_reading_does() {
    let schema = schema::<Look>();
    assert_eq!(schema["title"], "Look");
    assert_eq!(schema["description"], "How to look at a root.");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["root"]));
    let properties = &schema["properties"];
    assert_eq!(properties["root"]["description"], "The root to look at.");
    assert_eq!(
        (&properties["warn"]["default"], &properties["warn"]["maximum"]),
        (&json!(80), &json!(100))
    );
    assert_eq!(properties["order"]["default"], "oldest-first");
    assert!(properties.get("match").is_some());
    assert_eq!(
        schema["$defs"]["Order"]["enum"],
        json!(["oldest-first", "largest-first"])
    );
    assert_eq!(schema["$defs"]["Probe"]["additionalProperties"], false);
}

#[test]
fn a_body_comes_back_as_it_went() {
    let found = Found {
        paths: vec!["a".into()],
    };
    let json = to_value(&found).expect("it writes");
    assert_eq!(json, json!({ "paths": ["a"] }));
    assert_eq!(from_value::<Found>(json).expect("it reads"), found);
}
