//! What the macros call: JSON and records on one side, the author's types on the other.

use std::cell::RefCell;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::base::evenkeel::plugin::types;
use crate::bindings::base::exports::evenkeel::plugin::describe::Guest as Describe;
use crate::bindings::check::exports::evenkeel::plugin::check as wit_check;
use crate::bindings::monitor::exports::evenkeel::plugin::monitor as wit_monitor;
use crate::bindings::notifier::exports::evenkeel::plugin::notifier as wit_notifier;
use crate::bindings::remedy::exports::evenkeel::plugin::remedy as wit_remedy;
use crate::{Action, Applied, Effect, Error, Finding, Host, Notice, Remedy, Result, Risk, Sample};

type Schema = fn() -> String;

thread_local! {
    /// The kinds of this component with the schemas of their parameters; a constructor of each kind enters it.
    static KINDS: RefCell<Vec<(&'static str, Schema)>> = const { RefCell::new(Vec::new()) };
}

/// Enters a kind.
pub fn describe(kind: &'static str, schema: Schema) {
    KINDS.with_borrow_mut(|kinds| kinds.push((kind, schema)));
}

/// The JSON schema of a parameter type.
pub fn schema<P: JsonSchema>() -> String {
    schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<P>()
        .to_value()
        .to_string()
}

#[allow(unsafe_code, reason = "exporting a symbol is unsafe by its form")]
mod component {
    use super::{Describe, KINDS};

    struct Component;

    impl Describe for Component {
        fn params_schema(kind: String) -> Option<String> {
            KINDS.with_borrow(|kinds| kinds.iter().find(|(name, _)| *name == kind).map(|(_, schema)| schema()))
        }
    }

    crate::bindings::base::export!(Component with_types_in crate::bindings::base);
}

pub fn check<P: DeserializeOwned>(
    run: impl FnOnce(P, &Host) -> Result<Vec<Finding>>,
    params: &str,
) -> Result<Vec<wit_check::Finding>, types::Error> {
    let findings = run(read(params)?, &Host::live())?;
    Ok(findings.into_iter().map(finding).collect())
}

pub fn monitor<P: DeserializeOwned>(
    collect: impl FnOnce(P, &Host) -> Result<Vec<Sample>>,
    params: &str,
) -> Result<Vec<wit_monitor::Sample>, types::Error> {
    let samples = collect(read(params)?, &Host::live())?;
    Ok(samples.into_iter().map(sample).collect())
}

pub fn notifier<P: DeserializeOwned>(
    send: impl FnOnce(P, Notice, &Host) -> Result<Option<String>>,
    params: &str,
    notice: wit_notifier::Notice,
) -> Result<Option<String>, types::Error> {
    let notice = Notice {
        id: notice.id,
        severity: notice.severity,
        title: notice.title,
        text: notice.text,
        labels: notice.labels,
        link: notice.link,
        details: document(notice.details)?,
    };
    Ok(send(read(params)?, notice, &Host::live())?)
}

pub fn plan<P: Remedy + DeserializeOwned>(params: &str) -> Result<Vec<wit_remedy::Action>, types::Error> {
    let actions = read::<P>(params)?.plan(&Host::live())?;
    Ok(actions.into_iter().map(action_out).collect())
}

pub fn apply<P: Remedy + DeserializeOwned>(
    params: &str,
    action: wit_remedy::Action,
) -> Result<wit_remedy::Applied, types::Error> {
    let applied = read::<P>(params)?.apply(&Host::live(), &action_in(action)?)?;
    Ok(wit_remedy::Applied {
        changed: applied.changed,
        summary: applied.summary,
        output: applied.output.map(|output| output.to_string()),
        undo: applied.undo.map(|undo| undo.to_string()),
    })
}

pub fn rollback<P: Remedy + DeserializeOwned>(
    params: &str,
    action: wit_remedy::Action,
    done: Option<wit_remedy::Applied>,
) -> Result<(), types::Error> {
    let done = done.map(applied_in).transpose()?;
    Ok(read::<P>(params)?.rollback(&Host::live(), &action_in(action)?, done.as_ref())?)
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self {
            class: error.class(),
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            details: error.document().map(ToString::to_string),
        }
    }
}

/// The host has checked them against the schema already; this is for what a schema can't say.
fn read<P: DeserializeOwned>(params: &str) -> Result<P> {
    serde_json::from_str(params).map_err(|error| Error::invalid("params", format!("the parameters: {error}")))
}

fn document(json: Option<String>) -> Result<Option<Value>> {
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
}

fn finding(finding: Finding) -> wit_check::Finding {
    wit_check::Finding {
        code: finding.code,
        severity: finding.severity,
        subject: finding.subject,
        summary: finding.summary,
        labels: finding.labels,
        details: finding.details.map(|details| details.to_string()),
    }
}

fn sample(sample: Sample) -> wit_monitor::Sample {
    wit_monitor::Sample {
        name: sample.name,
        metric: sample.metric,
        value: sample.value,
        labels: sample.labels,
        at_ms: sample.at_ms,
    }
}

fn action_out(action: Action) -> wit_remedy::Action {
    wit_remedy::Action {
        id: action.id,
        summary: action.summary,
        risk: match action.risk {
            Risk::Low => wit_remedy::Risk::Low,
            Risk::Medium => wit_remedy::Risk::Medium,
            Risk::High => wit_remedy::Risk::High,
        },
        effects: action.effects.into_iter().map(effect_out).collect(),
        undo: action.undo,
        undo_effects: action.undo_effects.into_iter().map(effect_out).collect(),
        body: action.body.to_string(),
    }
}

fn action_in(action: wit_remedy::Action) -> Result<Action> {
    Ok(Action {
        id: action.id,
        summary: action.summary,
        risk: match action.risk {
            wit_remedy::Risk::Low => Risk::Low,
            wit_remedy::Risk::Medium => Risk::Medium,
            wit_remedy::Risk::High => Risk::High,
        },
        effects: action.effects.into_iter().map(effect_in).collect(),
        undo: action.undo,
        undo_effects: action.undo_effects.into_iter().map(effect_in).collect(),
        body: serde_json::from_str(&action.body)?,
    })
}

fn applied_in(applied: wit_remedy::Applied) -> Result<Applied> {
    Ok(Applied {
        changed: applied.changed,
        summary: applied.summary,
        output: document(applied.output)?,
        undo: document(applied.undo)?,
    })
}

fn effect_out(effect: Effect) -> wit_remedy::Effect {
    wit_remedy::Effect {
        capability: effect.capability,
        operation: effect.operation,
        subject: effect.subject,
        content: effect.content,
        at_most: effect.at_most,
    }
}

fn effect_in(effect: wit_remedy::Effect) -> Effect {
    Effect {
        capability: effect.capability,
        operation: effect.operation,
        subject: effect.subject,
        content: effect.content,
        at_most: effect.at_most,
    }
}
