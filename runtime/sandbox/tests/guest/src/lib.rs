//! The plugin that the tests of the sandbox run: it does what its parameters say, good or evil,
//! and reports what came of each step.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "generated from the contract")]

mod attack;
mod senses;
mod steps;

use evenkeel::plugin::types::{Class, Error, Severity};
use exports::evenkeel::plugin::{check, describe, monitor, notifier, remedy};
use serde_json::{Value, json};

wit_bindgen::generate!({
    inline: "
        package evenkeel:guest;
        world guest {
            include evenkeel:plugin/base@0.1.0;
            export evenkeel:plugin/check@0.1.0;
            export evenkeel:plugin/remedy@0.1.0;
            export evenkeel:plugin/monitor@0.1.0;
            export evenkeel:plugin/notifier@0.1.0;
        }
    ",
    path: "../../../../plugin-sdk/wit",
    world: "evenkeel:guest/guest",
    generate_all,
});

struct Guest;
export!(Guest);

impl describe::Guest for Guest {
    fn params_schema(kind: String) -> Option<String> {
        Some(json!({ "type": "object", "title": kind }).to_string())
    }
}

impl check::Guest for Guest {
    fn run(params: String) -> Result<Vec<check::Finding>, Error> {
        let params = read(&params);
        fail(&params)?;
        let told = steps::run(&params["steps"]);
        let many = params["findings"].as_u64().unwrap_or(0);
        let mut findings: Vec<check::Finding> = told
            .into_iter()
            .map(|told| finding(told.to_string(), &params))
            .collect();
        findings.extend((0..many).map(|_| finding(String::new(), &Value::Null)));
        Ok(findings)
    }
}

impl remedy::Guest for Guest {
    fn plan(params: String) -> Result<Vec<remedy::Action>, Error> {
        let params = read(&params);
        fail(&params)?;
        let told = steps::run(&params["steps"]);
        let many = params["actions"].as_u64().unwrap_or(1);
        Ok((0..many).map(|n| action(n, &params, &told)).collect())
    }

    fn apply(_: String, action: remedy::Action) -> Result<remedy::Applied, Error> {
        let body = read(&action.body);
        fail(&body)?;
        Ok(remedy::Applied {
            changed: true,
            summary: "applied".into(),
            output: Some(Value::Array(steps::run(&body["steps"])).to_string()),
            undo: Some("{}".into()),
        })
    }

    fn rollback(_: String, action: remedy::Action, done: Option<remedy::Applied>) -> Result<(), Error> {
        let body = read(&action.body);
        fail(&body)?;
        let told = steps::run(&body["back"]);
        match told.iter().all(|told| told.get("ok").is_some()) && done.is_some() {
            true => Ok(()),
            false => Err(error("not-undone", &Value::Array(told).to_string())),
        }
    }
}

impl monitor::Guest for Guest {
    fn collect(params: String) -> Result<Vec<monitor::Sample>, Error> {
        let params = read(&params);
        fail(&params)?;
        let told = steps::run(&params["steps"]);
        let many = params["samples"].as_u64().unwrap_or(0);
        let mut samples: Vec<monitor::Sample> = told.iter().map(|told| sample(&told.to_string())).collect();
        samples.extend((0..many).map(|_| sample("")));
        Ok(samples)
    }
}

impl notifier::Guest for Guest {
    fn send(params: String, notice: notifier::Notice) -> Result<Option<String>, Error> {
        let params = read(&params);
        fail(&params)?;
        let told = steps::run(&params["steps"]);
        Ok(Some(json!([notice.id, notice.text, told]).to_string()))
    }
}

fn sample(told: &str) -> monitor::Sample {
    monitor::Sample {
        name: "guest_steps".into(),
        metric: monitor::MetricType::Gauge,
        value: 0.5,
        labels: vec![("told".into(), told.into())],
        at_ms: Some(1_790_000_000_000),
    }
}

fn finding(summary: String, params: &Value) -> check::Finding {
    check::Finding {
        code: "told".into(),
        severity: Severity::Warning,
        subject: "guest".into(),
        summary,
        labels: vec![("a".into(), "b".into())],
        details: params["details"].as_str().map(str::to_owned),
    }
}

fn action(n: u64, params: &Value, told: &[Value]) -> remedy::Action {
    let effects = |key: &str| params[key].as_array().into_iter().flatten().map(effect).collect();
    remedy::Action {
        id: params["id"]
            .as_str()
            .map_or_else(|| format!("action-{n}"), str::to_owned),
        summary: Value::Array(told.to_vec()).to_string(),
        risk: remedy::Risk::Low,
        effects: effects("effects"),
        undo: None,
        undo_effects: effects("undo_effects"),
        body: params["body"].as_str().unwrap_or("{}").to_owned(),
    }
}

fn effect(effect: &Value) -> remedy::Effect {
    let text = |key: &str| effect[key].as_str().unwrap_or_default().to_owned();
    remedy::Effect {
        capability: text("capability"),
        operation: text("operation"),
        subject: text("subject"),
        content: effect["content"].as_str().map(str::to_owned),
        at_most: 1,
    }
}

fn fail(params: &Value) -> Result<(), Error> {
    match params["fail"].as_str() {
        Some(message) => Err(error("as-told", message)),
        None => Ok(()),
    }
}

fn error(code: &str, message: &str) -> Error {
    Error {
        class: Class::Transient,
        code: code.into(),
        message: message.into(),
        details: Some("[1]".into()),
    }
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).expect("the host sends JSON")
}
