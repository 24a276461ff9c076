//! What a run calls, and what comes of that.

use evenkeel_model::call::Level;
use evenkeel_model::invocation::{Finding, Key, Outcome, Output, Phase};
use evenkeel_model::run::Body;
use serde_json::Value;

use super::{brief, inner, plural, row};
use crate::render::safe;

/// What a step with `each` is done for.
pub fn listed(step: &str, items: &[Value]) -> String {
    let all: Vec<String> = items.iter().map(Value::to_string).collect();
    let text = safe::short(&all.join(", "), super::WIDTH);
    row(
        step,
        &format!("for each of {} item{}: {text}", items.len(), plural(items.len())),
    )
}

pub fn invoked(key: &Key, plugin: &str, params: &Value) -> String {
    let action = key
        .action
        .as_ref()
        .map_or(String::new(), |id| format!(" `{}`", safe::text(id)));
    let again = if key.attempt > 1 {
        format!(", attempt {}", key.attempt)
    } else {
        String::new()
    };
    let with = match key.phase {
        Phase::Apply | Phase::Rollback => String::new(),
        _ => format!(" with {}", brief(params)),
    };
    row(
        key.step.as_str(),
        &format!("{}{action} by {}{again}{with}", key.phase, safe::text(plugin)),
    )
}

/// While it was under way.
pub fn said(body: &Body) -> String {
    match body {
        Body::Logged {
            level, message, fields, ..
        } => logged(*level, message, fields),
        Body::LogsDropped { lines, .. } => inner(&format!("… {lines} more log lines were not kept")),
        Body::Progressed { permille, note, .. } => {
            inner(&format!("{:>3} % {}", permille / 10, safe::short(note, super::WIDTH)))
        }
        _ => String::new(),
    }
}

fn logged(level: Level, message: &str, fields: &[(String, String)]) -> String {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!(" {}={}", safe::text(name), safe::text(value)))
        .collect();
    inner(&format!(
        "log {level}: {}{}",
        safe::short(message, 2 * super::WIDTH),
        safe::short(&fields.concat(), super::WIDTH)
    ))
}

/// Its lines come after those of another one.
pub fn goes_on(key: &Key) -> String {
    let action = key
        .action
        .as_ref()
        .map_or(String::new(), |id| format!(" `{}`", safe::text(id)));
    row(key.step.as_str(), &format!("… {}{action} goes on", key.phase))
}

pub fn resumed(key: &Key) -> String {
    inner(&format!("… the {} was interrupted, and goes on from here", key.phase))
}

pub fn ended(key: &Key, outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done(Output::Findings(findings)) if findings.is_empty() => vec![inner("found nothing")],
        Outcome::Done(Output::Findings(findings)) => findings.iter().map(finding).collect(),
        Outcome::Done(Output::Applied(applied)) => {
            let what = if applied.changed { "changed" } else { "unchanged" };
            vec![inner(&format!("{what}: {}", safe::text(&applied.summary)))]
        }
        Outcome::Done(Output::RolledBack) => vec![inner("rolled back")],
        Outcome::Done(_) => Vec::new(),
        Outcome::Failed(failure) => vec![inner(&format!(
            "{} failed with `{}`: {}",
            key.phase,
            safe::text(&failure.code),
            safe::text(&failure.message)
        ))],
        Outcome::Stopped { message, .. } => vec![inner(&format!("{} was stopped: {}", key.phase, safe::text(message)))],
    }
}

fn finding(finding: &Finding) -> String {
    inner(&format!(
        "{} `{}`: {}",
        finding.severity,
        safe::text(&finding.code),
        safe::text(&finding.summary)
    ))
}
