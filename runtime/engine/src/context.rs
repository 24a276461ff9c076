//! What templates and plugins get to see of a run.

use std::collections::BTreeMap;

use evenkeel_model::invocation::Phase;
use evenkeel_model::name::StepId;
use evenkeel_model::plugin::Kind;
use evenkeel_model::run::StepResult;
use evenkeel_model::runbook::Step;
use evenkeel_model::template;
use serde_json::{Map, Value, json};

use crate::decide::Subject;
use crate::run::Run;

/// `alert`, `target`, `customer`, `input` and `steps`, as templates name them, and `runs` in
/// `[[after]]`. Of the steps, it sees those before `step`, and all of them without one; those that
/// have no result yet are not there.
pub fn of(run: &Run, subject: &Subject, step: Option<&Step>) -> Value {
    let request = run.request.as_ref();
    let input = match request.map(|request| &request.input) {
        Some(input @ Value::Object(_)) => input.clone(),
        _ => json!({}),
    };
    let mut context = template::context(
        request.and_then(|request| request.alert.as_ref()),
        subject.target.as_deref(),
        subject.customer.as_deref(),
        &input,
        &Value::Object(steps(run, subject, step)),
    );
    if let Some(request) = request.filter(|request| request.occurrence.is_after()) {
        context["runs"] = json!(request.runs);
    }
    context
}

/// The same for `run.input`, by the names that a plugin asks with: `alert`, `target`,
/// `customer`, `input.NAME`, `steps.ID`, `runs`.
pub fn inputs(context: &Value) -> BTreeMap<String, Value> {
    let mut inputs = BTreeMap::new();
    for (name, value) in context.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("input" | "steps", Value::Object(parts)) => {
                let parts = parts
                    .iter()
                    .map(|(part, value)| (format!("{name}.{part}"), value.clone()));
                inputs.extend(parts);
            }
            (_, Value::Null) => {}
            _ => {
                inputs.insert(name.clone(), value.clone());
            }
        }
    }
    inputs
}

fn steps(run: &Run, subject: &Subject, step: Option<&Step>) -> Map<String, Value> {
    let seen = match step {
        Some(step) => subject.runbook.before(step),
        None => subject.runbook.steps.iter().collect(),
    };
    let results = seen.into_iter().filter_map(|step| Some((step, run.result(&step.id)?)));
    results
        .map(|(step, result)| (step.id.to_string(), self::step(run, step, result)))
        .collect()
}

fn step(run: &Run, step: &Step, result: &StepResult) -> Value {
    let findings = match (&result.output, step.kind()) {
        (Value::Array(items), Some(Kind::Check)) if step.each.is_some() => {
            let found = items.iter().filter_map(|item| item["output"].as_array());
            found.flatten().cloned().collect()
        }
        (Value::Array(_), Some(Kind::Check)) => result.output.clone(),
        _ => json!([]),
    };
    json!({
        "status": result.status,
        "severity": result.severity,
        "changed": result.changed,
        "summary": result.summary,
        "findings": findings,
        "output": result.output,
        "actions": actions(run, &step.id),
    })
}

fn actions(run: &Run, step: &StepId) -> Vec<Value> {
    let plan = run.plan(step).into_iter().flat_map(|plan| &plan.actions);
    plan.map(|action| {
        let attempted = run.attempt(step, Phase::Apply, Some(&action.id)).is_some();
        json!({
            "id": action.id,
            "summary": action.summary,
            "risk": action.risk,
            "attempted": attempted,
            "changed": run.has_applied(step, &action.id),
        })
    })
    .collect()
}
