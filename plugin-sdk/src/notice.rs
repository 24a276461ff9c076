//! What a notifier delivers.

use serde_json::Value;

use crate::Severity;

/// A message to people. The same `id` may come twice after a crash: give it to the provider as its idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The same for every try to deliver this notice.
    pub id: String,
    /// Of what it is about.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// Of the alert or the run.
    pub labels: Vec<(String, String)>,
    /// Where to read on.
    pub link: Option<String>,
    /// Richer forms (HTML, attachments, buttons) for those that can show them.
    pub details: Option<Value>,
}

impl Notice {
    /// A notice to test a notifier with.
    pub fn new(id: impl Into<String>, severity: Severity, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            severity,
            title: title.into(),
            text: text.into(),
            labels: Vec::new(),
            link: None,
            details: None,
        }
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }
}
