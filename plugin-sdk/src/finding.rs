//! What a check answers.

use serde_json::Value;

pub use crate::bindings::base::evenkeel::plugin::types::Severity;

/// One thing that was looked at, and how it is.
///
/// A `warning` or `critical` finding is an alert named by its code; it resolves when the check stops reporting it, or
/// reports it `ok`. An `ok` finding tells the reader of a run what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable and kebab-case: it names the alert, the knowledge article and the translation.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in the operator's words.
    pub subject: String,
    /// One sentence with the numbers in it.
    pub summary: String,
    /// Part of the alert's identity: names of things, never measurements.
    pub labels: Vec<(String, String)>,
    /// The numbers, for `when` and templates.
    pub details: Option<Value>,
}

impl Finding {
    /// A finding whose severity was decided elsewhere.
    pub fn new(severity: Severity, code: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity,
            subject: subject.into(),
            summary: String::new(),
            labels: Vec::new(),
            details: None,
        }
    }

    /// Looked at, and well.
    pub fn ok(code: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::new(Severity::Ok, code, subject)
    }

    /// Worth telling, raises nothing.
    pub fn info(code: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, subject)
    }

    /// Somebody should look at it in working hours.
    pub fn warning(code: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, subject)
    }

    /// Broken, or about to be.
    pub fn critical(code: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::new(Severity::Critical, code, subject)
    }

    /// Sets the sentence for people.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets the numbers: `.details(json!({ "percent": 91.5 }))`.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        self.details = Some(details.into());
        self
    }
}
