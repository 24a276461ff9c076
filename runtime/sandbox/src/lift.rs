//! From the contract's types to the model's, and back: what a plugin answers is checked here.

use chrono::DateTime;
use evenkeel_model::action::{Action, Applied, Effect, Risk};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Class, Failure, Finding, Notice, Outcome, Output, Sample, Severity, Stop};
use serde_json::Value;

use crate::allowance::{LONGEST_PATTERN, PATTERNS, is_pattern};
use crate::bindings::evenkeel::plugin::types;
use crate::bindings::exports::evenkeel::plugin::{check, monitor, notifier, remedy};
use crate::halt::{Halt, size};

/// Levels of arrays and objects in a document of a plugin. An event wraps it in a few more, and
/// `serde_json`, which reads the event back, takes 127 in all.
const DEPTH: usize = 64;

/// What an export answered.
pub enum Answer {
    Findings(Result<Vec<check::Finding>, types::Error>),
    Plan(Result<Vec<remedy::Action>, types::Error>),
    Applied(Result<remedy::Applied, types::Error>),
    RolledBack(Result<(), types::Error>),
    Samples(Result<Vec<monitor::Sample>, types::Error>),
    Sent(Result<Option<String>, types::Error>),
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
        Answer::Samples(Ok(samples)) => lift_samples(samples, limits, &mut size).map(Output::Samples),
        Answer::Sent(Ok(receipt)) => lift_receipt(receipt, &mut size).map(Output::Sent),
        Answer::Findings(Err(error))
        | Answer::Plan(Err(error))
        | Answer::Applied(Err(error))
        | Answer::RolledBack(Err(error))
        | Answer::Samples(Err(error))
        | Answer::Sent(Err(error)) => return failure(error, &mut size),
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
    let effects = lift_effects(action.effects, &action.id, size)?;
    let undo_effects = lift_effects(action.undo_effects, &action.id, size)?;
    Ok(Action {
        id: action.id,
        summary: action.summary,
        risk: match action.risk {
            remedy::Risk::Low => Risk::Low,
            remedy::Risk::Medium => Risk::Medium,
            remedy::Risk::High => Risk::High,
        },
        effects,
        undo: action.undo,
        undo_effects,
        body: body.unwrap_or_default(),
    })
}

fn lift_effects(effects: Vec<remedy::Effect>, action: &str, size: &mut Size) -> Result<Vec<Effect>, Wrong> {
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
    let effects: Vec<Effect> = effects.into_iter().map(lift).collect::<Result<_, Wrong>>()?;
    check_patterns(&effects, action)?;
    Ok(effects)
}

/// Each call is compared with each of them.
fn check_patterns(effects: &[Effect], action: &str) -> Result<(), Halt> {
    let patterns = effects.iter().filter(|effect| is_pattern(effect));
    let longest = patterns.clone().map(|effect| effect.subject.len()).max().unwrap_or(0);
    let wrong = match patterns.count() {
        many if many > PATTERNS => format!("declares {many} patterns, and {PATTERNS} are allowed"),
        _ if longest > LONGEST_PATTERN => format!(
            "declares a pattern of {longest} bytes, and {} are allowed",
            size(LONGEST_PATTERN)
        ),
        _ => return Ok(()),
    };
    let message = format!("the action `{action}` {wrong}, which no setting raises");
    Err(Halt::new(Stop::Limit, message))
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

fn lift_samples(samples: Vec<monitor::Sample>, limits: &SandboxLimits, size: &mut Size) -> Result<Vec<Sample>, Wrong> {
    if samples.len() > limits.samples {
        let what = format!(
            "it answered {} samples, and {} are allowed",
            samples.len(),
            limits.samples
        );
        return Err(Halt::limit(what, "samples").into());
    }
    samples.into_iter().map(|sample| lift_sample(sample, size)).collect()
}

fn lift_sample(sample: monitor::Sample, size: &mut Size) -> Result<Sample, Wrong> {
    size.take([&sample.name])?;
    size.take(sample.labels.iter().flat_map(|(name, value)| [name, value]))?;
    let at = sample.at_ms.map(|at| {
        let at = i64::try_from(at).ok().and_then(DateTime::from_timestamp_millis);
        at.ok_or_else(|| Wrong::Invalid(format!("the time of the sample `{}` is none", sample.name)))
    });
    Ok(Sample {
        counter: matches!(sample.metric, monitor::MetricType::Counter),
        value: sample.value,
        labels: sample.labels.into_iter().collect(),
        at: at.transpose()?,
        name: sample.name,
    })
}

fn lift_receipt(receipt: Option<String>, size: &mut Size) -> Result<Option<String>, Wrong> {
    size.take(&receipt)?;
    Ok(receipt)
}

pub fn lower_notice(notice: &Notice) -> notifier::Notice {
    notifier::Notice {
        id: notice.id.clone(),
        severity: match notice.severity {
            Severity::Ok => types::Severity::Ok,
            Severity::Info => types::Severity::Info,
            Severity::Warning => types::Severity::Warning,
            Severity::Critical => types::Severity::Critical,
        },
        title: notice.title.clone(),
        text: notice.text.clone(),
        labels: notice.labels.clone().into_iter().collect(),
        link: notice.link.clone(),
        details: notice.details.as_ref().map(Value::to_string),
    }
}

/// A plugin's own error. Details that are no document, or one that is nested too deep, are kept
/// as text: a limit on them must not hide what the plugin has to say.
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
        details: error.details.map(details),
    })
}

fn details(text: String) -> Value {
    if nesting(&text) > DEPTH {
        return Value::String(text);
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn document(json: Option<String>, size: &mut Size, what: impl FnOnce() -> String) -> Result<Option<Value>, Wrong> {
    let Some(json) = json else { return Ok(None) };
    size.take([&json])?;
    let depth = nesting(&json);
    if depth > DEPTH {
        let message = format!(
            "{} is nested {depth} deep, and {DEPTH} are allowed, which no setting raises",
            what()
        );
        return Err(Halt::new(Stop::Limit, message).into());
    }
    match serde_json::from_str(&json) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Wrong::Invalid(format!("{} is not JSON: {error}", what()))),
    }
}

/// Levels of arrays and objects, found without reading the text as JSON, which may be any.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
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

#[cfg(test)]
mod tests {
    use evenkeel_model::invocation::{Key, Phase};
    use evenkeel_model::name::StepId;
    use evenkeel_model::run::{Body, Event};

    use super::*;

    /// Objects and arrays by turns, with brackets in strings that count for nothing.
    fn nested(depth: usize) -> String {
        let open: String = (0..depth)
            .map(|level| if level % 2 == 0 { "[" } else { r#"{"\"[":"# })
            .collect();
        let close: String = (0..depth)
            .rev()
            .map(|level| if level % 2 == 0 { "]" } else { "}" })
            .collect();
        format!(r#"{open}"[[{{\\"{close}"#)
    }

    fn planned(body: String) -> Outcome {
        plan_with(Vec::new(), body)
    }

    fn plan_with(effects: Vec<remedy::Effect>, body: String) -> Outcome {
        let action = remedy::Action {
            id: "a".into(),
            summary: String::new(),
            risk: remedy::Risk::Low,
            effects: Vec::new(),
            undo: None,
            undo_effects: effects,
            body,
        };
        outcome(Answer::Plan(Ok(vec![action])), &SandboxLimits::default())
    }

    fn found(details: String) -> Outcome {
        let finding = check::Finding {
            code: "c".into(),
            severity: types::Severity::Ok,
            subject: String::new(),
            summary: String::new(),
            labels: Vec::new(),
            details: Some(details),
        };
        outcome(Answer::Findings(Ok(vec![finding])), &SandboxLimits::default())
    }

    fn applied(output: String) -> Outcome {
        let done = remedy::Applied {
            changed: true,
            summary: String::new(),
            output: Some(output.clone()),
            undo: Some(output),
        };
        outcome(Answer::Applied(Ok(done)), &SandboxLimits::default())
    }

    fn failed(details: String) -> Outcome {
        let error = types::Error {
            class: types::Class::Permanent,
            code: "c".into(),
            message: String::new(),
            details: Some(details),
        };
        outcome(Answer::RolledBack(Err(error)), &SandboxLimits::default())
    }

    /// As the store writes and reads it.
    fn journaled(outcome: Outcome) -> Event {
        let key = Key {
            step: StepId::new("step"),
            phase: Phase::Apply,
            action: Some("a".into()),
            attempt: 1,
        };
        let event = Event {
            seq: 1,
            at: chrono::DateTime::UNIX_EPOCH,
            body: Body::Ended { key, outcome },
        };
        let text = serde_json::to_string(&event).unwrap();
        let read: Event = serde_json::from_str(&text).expect("what was journaled can be read");
        assert_eq!(read, event);
        read
    }

    #[test]
    fn the_deepest_accepted_document_is_read_back_from_the_journal() {
        for outcome in [planned(nested(DEPTH)), found(nested(DEPTH)), applied(nested(DEPTH))] {
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            journaled(outcome);
        }
        let Outcome::Done(Output::Plan(actions)) = planned(nested(DEPTH)) else {
            panic!("it is accepted");
        };
        let body = Body::Planned {
            step: StepId::new("step"),
            hash: evenkeel_model::action::PlanHash::of(&actions),
            risk: Risk::Low,
            actions,
        };
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
    }

    #[test]
    fn a_document_that_is_nested_deeper_is_refused_with_the_limit() {
        let Outcome::Stopped { stop, message } = planned(nested(DEPTH + 1)) else {
            panic!("it is refused");
        };
        assert_eq!(stop, Stop::Limit);
        assert_eq!(
            message,
            "`body` of the action `a` is nested 65 deep, and 64 are allowed, which no setting raises"
        );
        for outcome in [found(nested(DEPTH + 1)), applied(nested(100_000))] {
            assert!(
                matches!(outcome, Outcome::Stopped { stop: Stop::Limit, .. }),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn an_action_with_too_many_or_too_long_patterns_is_refused_with_the_limit() {
        let effects = |subject: String, many: usize| {
            let effect = remedy::Effect {
                capability: "files".into(),
                operation: "remove".into(),
                subject,
                content: None,
                at_most: 1,
            };
            plan_with(vec![effect; many], "null".into())
        };
        let words = |outcome| match outcome {
            Outcome::Stopped {
                stop: Stop::Limit,
                message,
            } => message,
            other => panic!("not refused: {other:?}"),
        };
        assert!(matches!(effects("glob:cache:*".into(), 64), Outcome::Done(_)));
        assert!(matches!(effects("cache:a".into(), 1_000), Outcome::Done(_)));
        assert_eq!(
            words(effects("glob:cache:*".into(), 65)),
            "the action `a` declares 65 patterns, and 64 are allowed, which no setting raises"
        );
        assert_eq!(
            words(effects(format!("glob:{}", "x".repeat(2_000)), 1)),
            "the action `a` declares a pattern of 2005 bytes, and 1 KiB are allowed, which no setting raises"
        );
    }

    #[test]
    fn deep_details_of_an_error_are_kept_as_text() {
        let details = |depth| match failed(nested(depth)) {
            Outcome::Failed(failure) => failure.details.unwrap(),
            other => panic!("not failed: {other:?}"),
        };
        assert!(details(DEPTH).is_array());
        assert_eq!(details(DEPTH + 1), Value::String(nested(DEPTH + 1)));
        journaled(failed(nested(DEPTH)));
        journaled(failed(nested(120)));
    }
}
