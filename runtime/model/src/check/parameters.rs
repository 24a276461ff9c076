//! `with` against the plugin's schema, as far as it can be judged before templates are filled.

use serde_json::Value;

use super::plugins::Found;
use crate::authored::Reader;
use crate::authored::json::{Json, Place};
use crate::authored::step::Step;
use crate::params::{Reason, Rejection, Schema};
use crate::problem::{Problem, quoted};
use crate::template::{is_template, sole_expression};

pub(crate) fn check(reader: &Reader<'_>, step: &Step, with: &Json, found: Found<'_>, schema: &Schema) {
    for rejection in schema.rejections(&with.value) {
        if !may_pass_yet(&rejection, &with.value) {
            let place = with.place.at(&rejection.path);
            reader.say(problem(reader, step, place, found, &rejection));
        }
    }
}

/// Whether filling the templates could make it right.
fn may_pass_yet(rejection: &Rejection, params: &Value) -> bool {
    let value = rejection.path.iter().try_fold(params, |value, segment| match value {
        Value::Array(items) => segment.parse::<usize>().ok().and_then(|n| items.get(n)),
        Value::Object(entries) => entries.get(segment),
        _ => None,
    });
    let Some(value) = value else { return false };
    match (&rejection.reason, value) {
        (Reason::Missing(_) | Reason::UnknownKey, _) => false,
        // A text with more than one expression in it stays a text.
        (Reason::Type, Value::String(text)) => is_template(text) && sole_expression(text).is_some(),
        (Reason::Type, _) => false,
        (Reason::Value, value) => holds_template(value),
    }
}

fn holds_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(holds_template),
        Value::Object(entries) => entries.values().any(holds_template),
        _ => false,
    }
}

fn problem(reader: &Reader<'_>, step: &Step, place: &Place, found: Found<'_>, rejection: &Rejection) -> Problem {
    let plugin = &found.installed.manifest.name;
    let path = rejection.path.join(".");
    let value = place.value.clone();
    let key = place.key.clone().unwrap_or_else(|| value.clone());
    match &rejection.reason {
        Reason::Missing(name) => {
            let message = format!("{} does not give `{}`", step.title(), joined(&path, name));
            let problem = reader.file.problem("missing-parameter", key, message);
            problem.label(format!("`{plugin}` needs it"))
        }
        Reason::UnknownKey => {
            let word = rejection.path.last().map_or("", String::as_str);
            let message = format!("`{plugin}` has no parameter `{path}`");
            let problem = reader.file.problem("unknown-parameter", key, message);
            let known = properties(found, &rejection.path);
            problem
                .suggest(word, known.iter().map(String::as_str))
                .help(known_help(&known))
        }
        Reason::Type | Reason::Value => {
            let name = if path.is_empty() { "with" } else { &path };
            let message = format!("`{name}` is not what `{plugin}` takes");
            reader
                .file
                .problem("bad-parameter", value, message)
                .label(&rejection.message)
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The names at that depth, as far as the schema says them plainly.
fn properties(found: Found<'_>, path: &[String]) -> Vec<String> {
    let Some(schema) = found.installed.manifest.kinds.get(&found.kind) else {
        return Vec::new();
    };
    let parents = &path[..path.len().saturating_sub(1)];
    let below = parents.iter().try_fold(schema, |schema, segment| {
        let properties = schema.get("properties").and_then(|properties| properties.get(segment));
        resolve(found, properties.or_else(|| schema.get("items"))?)
    });
    let properties = below
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    properties
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// Follows a reference within the schema.
fn resolve<'s>(found: Found<'s>, schema: &'s Value) -> Option<&'s Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let root = found.installed.manifest.kinds.get(&found.kind)?;
            root.pointer(reference.strip_prefix('#')?)
        }
        None => Some(schema),
    }
}

fn known_help(known: &[String]) -> String {
    match known {
        [] => "it has none there".to_owned(),
        known => format!("it has {}", quoted(known)),
    }
}
