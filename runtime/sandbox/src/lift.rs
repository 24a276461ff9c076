//! From the contract's types to the model's, and back: what a plugin answers is checked here.

use evenkeel_model::action::{Action, Applied, Effect, Risk};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Class, Failure, Finding, Outcome, Output, Severity};
use serde_json::Value;

use crate::bindings::evenkeel::plugin::types;
use crate::bindings::exports::evenkeel::plugin::{check, remedy};
use crate::halt::{Halt, size};

/// What an export answered.
pub enum Answer {
    Findings(Result<Vec<check::Finding>, types::Error>),
    Plan(Result<Vec<remedy::Action>, types::Error>),
    Applied(Result<remedy::Applied, types::Error>),
    RolledBack(Result<(), types::Error>),
}

/// Why an answer is no use.
enum Wrong {
    /// More than the operator allows.
    Halt(Halt),
    /// Not what the contract says.
    Invalid(String),
}

impl From<Halt> for Wrong {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// The outcome of an invocation that ran to its end.
pub fn outcome(answer: Answer, limits: &SandboxLimits) -> Outcome {
    let mut size = Size {
        left: limits.answer_bytes,
        limit: limits.answer_bytes,
    };
    let lifted = match answer {
        Answer::Findings(Ok(findings)) => lift_findings(findings, limits, &mut size).map(Output::Findings),
        Answer::Plan(Ok(actions)) => plan(actions, limits, &mut size).map(Output::Plan),
        Answer::Applied(Ok(done)) => lift_applied(done, &mut size).map(Output::Applied),
        Answer::RolledBack(Ok(())) => Ok(Output::RolledBack),
        Answer::Findings(Err(error))
        | Answer::Plan(Err(error))
        | Answer::Applied(Err(error))
        | Answer::RolledBack(Err(error)) => return failure(error, &mut size),
    };
    match lifted {
        Ok(output) => Outcome::Done(output),
        Err(Wrong::Halt(halt)) => halt.into(),
        Err(Wrong::Invalid(message)) => Outcome::Failed(Failure {
            class: Class::Permanent,
            code: "invalid-answer".into(),
            message,
            details: None,
        }),
    }
}

fn lift_findings(
    findings: Vec<check::Finding>,
    limits: &SandboxLimits,
    size: &mut Size,
) -> Result<Vec<Finding>, Wrong> {
    if findings.len() > limits.findings {
        let what = format!(
            "it answered {} findings, and {} are allowed",
            findings.len(),
            limits.findings
        );
        return Err(Halt::limit(what, "findings").into());
    }
    findings
        .into_iter()
        .map(|finding| lift_finding(finding, size))
        .collect()
}

fn lift_finding(finding: check::Finding, size: &mut Size) -> Result<Finding, Wrong> {
    size.take([&finding.code, &finding.subject, &finding.summary])?;
    size.take(finding.labels.iter().flat_map(|(name, value)| [name, value]))?;
    let details = document(finding.details, size, || {
        format!("`details` of the finding `{}`", finding.code)
    })?;
    Ok(Finding {
        code: finding.code,
        severity: match finding.severity {
            types::Severity::Ok => Severity::Ok,
            types::Severity::Info => Severity::Info,
            types::Severity::Warning => Severity::Warning,
            types::Severity::Critical => Severity::Critical,
        },
        subject: finding.subject,
        summary: finding.summary,
        labels: finding.labels.into_iter().collect(),
        details,
    })
}

fn plan(actions: Vec<remedy::Action>, limits: &SandboxLimits, size: &mut Size) -> Result<Vec<Action>, Wrong> {
    if actions.len() > limits.actions {
        let what = format!(
            "it planned {} actions, and {} are allowed",
            actions.len(),
            limits.actions
        );
        return Err(Halt::limit(what, "actions").into());
    }
    let mut ids = std::collections::HashSet::new();
    if let Some(twice) = actions.iter().find(|action| !ids.insert(action.id.as_str())) {
        return Err(Wrong::Invalid(format!(
            "it planned two actions with the id `{}`",
            twice.id
        )));
    }
    actions.into_iter().map(|action| lift_action(action, size)).collect()
}

fn lift_action(action: remedy::Action, size: &mut Size) -> Result<Action, Wrong> {
    size.take([&action.id, &action.summary])?;
    size.take(&action.undo)?;
    let body = document(Some(action.body), size, || {
        format!("`body` of the action `{}`", action.id)
    })?;
    Ok(Action {
        id: action.id,
        summary: action.summary,
        risk: match action.risk {
            remedy::Risk::Low => Risk::Low,
            remedy::Risk::Medium => Risk::Medium,
            remedy::Risk::High => Risk::High,
        },
        effects: lift_effects(action.effects, size)?,
        undo: action.undo,
        undo_effects: lift_effects(action.undo_effects, size)?,
        body: body.unwrap_or_default(),
    })
}

fn lift_effects(effects: Vec<remedy::Effect>, size: &mut Size) -> Result<Vec<Effect>, Wrong> {
    let lift = |effect: remedy::Effect| {
        size.take([&effect.capability, &effect.operation, &effect.subject])?;
        size.take(&effect.content)?;
        Ok(Effect {
            capability: effect.capability,
            operation: effect.operation,
            subject: effect.subject,
            content: effect.content,
            at_most: effect.at_most,
        })
    };
    effects.into_iter().map(lift).collect()
}

fn lift_applied(done: remedy::Applied, size: &mut Size) -> Result<Applied, Wrong> {
    size.take([&done.summary])?;
    Ok(Applied {
        changed: done.changed,
        summary: done.summary,
        output: document(done.output, size, || "`output` of what was applied".into())?,
        undo: document(done.undo, size, || "`undo` of what was applied".into())?,
    })
}

/// A plugin's own error. Its details are left out rather than the error itself.
fn failure(error: types::Error, size: &mut Size) -> Outcome {
    if let Err(halt) = size
        .take([&error.code, &error.message])
        .and_then(|()| size.take(&error.details))
    {
        return halt.into();
    }
    Outcome::Failed(Failure {
        class: match error.class {
            types::Class::Invalid => Class::Invalid,
            types::Class::Denied => Class::Denied,
            types::Class::Transient => Class::Transient,
            types::Class::Permanent => Class::Permanent,
        },
        code: error.code,
        message: error.message,
        details: error
            .details
            .map(|details| serde_json::from_str(&details).unwrap_or(Value::String(details))),
    })
}

fn document(json: Option<String>, size: &mut Size, what: impl FnOnce() -> String) -> Result<Option<Value>, Wrong> {
    let Some(json) = json else { return Ok(None) };
    size.take([&json])?;
    match serde_json::from_str(&json) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Wrong::Invalid(format!("{} is not JSON: {error}", what()))),
    }
}

/// What is left of the size that an answer may have.
struct Size {
    left: usize,
    limit: usize,
}

impl Size {
    fn take<'s>(&mut self, texts: impl IntoIterator<Item = &'s String>) -> Result<(), Halt> {
        for text in texts {
            self.left = self
                .left
                .checked_sub(text.len())
                .ok_or_else(|| Halt::limit(format!("it answered more than {}", size(self.limit)), "answer_bytes"))?;
        }
        Ok(())
    }
}

/// The action as the plugin gets it back.
pub fn lower_action(action: &Action) -> remedy::Action {
    remedy::Action {
        id: action.id.clone(),
        summary: action.summary.clone(),
        risk: match action.risk {
            Risk::Low => remedy::Risk::Low,
            Risk::Medium => remedy::Risk::Medium,
            Risk::High => remedy::Risk::High,
        },
        effects: action.effects.iter().map(lower_effect).collect(),
        undo: action.undo.clone(),
        undo_effects: action.undo_effects.iter().map(lower_effect).collect(),
        body: action.body.to_string(),
    }
}

fn lower_effect(effect: &Effect) -> remedy::Effect {
    remedy::Effect {
        capability: effect.capability.clone(),
        operation: effect.operation.clone(),
        subject: effect.subject.clone(),
        content: effect.content.clone(),
        at_most: effect.at_most,
    }
}

pub fn lower_applied(done: &Applied) -> remedy::Applied {
    remedy::Applied {
        changed: done.changed,
        summary: done.summary.clone(),
        output: done.output.as_ref().map(ToString::to_string),
        undo: done.undo.as_ref().map(ToString::to_string),
    }
}
