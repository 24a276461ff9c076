//! Which package may use which. DESIGN of the house: ARCHITECTURE.md.

use std::collections::BTreeSet;

use evenkeel_tests::workspace;
use serde_json::Value;

/// A package, and the packages of ours that it may use. What stands in no line uses none.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "evenkeel",
        &[
            "evenkeel-console",
            "evenkeel-store",
            "evenkeel-sandbox",
            "evenkeel-engine",
            "evenkeel-alerting",
            "evenkeel-model",
        ],
    ),
    (
        "evenkeel-console",
        &["evenkeel-engine", "evenkeel-alerting", "evenkeel-model"],
    ),
    (
        "evenkeel-store",
        &["evenkeel-engine", "evenkeel-alerting", "evenkeel-model"],
    ),
    (
        "evenkeel-sandbox",
        &["evenkeel-engine", "evenkeel-alerting", "evenkeel-model"],
    ),
    ("evenkeel-engine", &["evenkeel-model"]),
    ("evenkeel-alerting", &["evenkeel-model"]),
    ("evenkeel-sdk", &["evenkeel-sdk-macros"]),
    // The plugin that the benchmarks call; it does nothing.
    ("noop", &["evenkeel-sdk"]),
    // It includes files of the sandbox as they are, and holds them against the SDK's.
    (
        "evenkeel-fuzz",
        &["evenkeel-alerting", "evenkeel-model", "evenkeel-sdk"],
    ),
    // The plugin that attacks the host in tests/hostile.
    ("hostile", &["evenkeel-sdk"]),
    // The plugin that leaves traces in tests/torture.
    ("torture", &["evenkeel-sdk"]),
    // It measures rooms beside their peers, so it sees into each of them.
    (
        "evenkeel-benches",
        &[
            "evenkeel-console",
            "evenkeel-store",
            "evenkeel-sandbox",
            "evenkeel-engine",
            "evenkeel-alerting",
            "evenkeel-model",
            // It starts the real servers for both.
            "evenkeel-tests",
        ],
    ),
];

#[test]
fn no_arrow_points_where_the_design_has_none() -> anyhow::Result<()> {
    let metadata = workspace::metadata(&["--no-deps"])?;
    let wrong: Vec<_> = arrows(&metadata)
        .into_iter()
        .filter(|(from, to)| !is_allowed(&metadata, from, to))
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect();
    assert!(wrong.is_empty(), "arrows that are not allowed: {wrong:#?}");
    Ok(())
}

#[test]
fn an_arrow_between_neighbours_would_be_seen() -> anyhow::Result<()> {
    let mut metadata = workspace::metadata(&["--no-deps"])?;
    let store = packages(&mut metadata)
        .find(|package| package["name"] == "evenkeel-store")
        .expect("there is a store");
    store["dependencies"]
        .as_array_mut()
        .expect("dependencies are a list")
        .push(serde_json::json!({ "name": "evenkeel-sandbox", "kind": null }));

    let wrong: Vec<_> = arrows(&metadata)
        .into_iter()
        .filter(|(from, to)| !is_allowed(&metadata, from, to))
        .collect();

    assert_eq!(wrong, [("evenkeel-store".to_owned(), "evenkeel-sandbox".to_owned())]);
    Ok(())
}

/// Normal and build dependencies among our own packages; what only tests use may be wider.
fn arrows(metadata: &Value) -> BTreeSet<(String, String)> {
    let ours = names(metadata);
    let mut arrows = BTreeSet::new();
    for package in list(&metadata["packages"]) {
        for dependency in list(&package["dependencies"]) {
            let to = text(&dependency["name"]);
            if dependency["kind"] != "dev" && ours.contains(to) {
                arrows.insert((text(&package["name"]).to_owned(), to.to_owned()));
            }
        }
    }
    arrows
}

fn is_allowed(metadata: &Value, from: &str, to: &str) -> bool {
    let listed = ALLOWED
        .iter()
        .any(|(package, uses)| *package == from && uses.contains(&to));
    listed || (is_plugin(metadata, from) && to == "evenkeel-sdk")
}

fn is_plugin(metadata: &Value, name: &str) -> bool {
    let plugins = workspace::root().join("plugins");
    list(&metadata["packages"])
        .iter()
        .filter(|package| package["name"] == name)
        .any(|package| text(&package["manifest_path"]).starts_with(&*plugins.to_string_lossy()))
}

fn names(metadata: &Value) -> BTreeSet<&str> {
    list(&metadata["packages"])
        .iter()
        .map(|package| text(&package["name"]))
        .collect()
}

fn packages(metadata: &mut Value) -> impl Iterator<Item = &mut Value> {
    metadata["packages"]
        .as_array_mut()
        .expect("packages are a list")
        .iter_mut()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
