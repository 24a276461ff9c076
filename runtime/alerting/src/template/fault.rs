use std::ops::Range;

/// What a template was doing when it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Read, before anything is rendered.
    Parsing,
    Rendering,
}

/// Why a template can't be read, or not be rendered with what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub when: When,
    /// Bytes of the template's text.
    pub place: Range<usize>,
    /// In Prometheus's words where it has the same fault. It may quote what the template holds as it stands there.
    pub message: String,
    /// A limit of evenkeel's own was passed, which Prometheus doesn't have.
    pub limit: bool,
    /// Line and byte column as Prometheus counts them.
    pub(super) position: (usize, usize),
    /// The part that was rendered, written as Go writes it, and the `define` that it is in.
    pub(super) context: String,
    pub(super) within: Option<String>,
}

impl Fault {
    /// As Prometheus has it in place of the annotation, there as `<error expanding template: …>`, of a template that it
    /// calls `name`: `__alert_` and the name of the alert.
    pub fn in_prometheus_words(&self, name: &str) -> String {
        let (line, column) = self.position;
        match self.when {
            When::Parsing => format!(
                "error parsing template {name}: template: {name}:{line}: {}",
                self.message
            ),
            When::Rendering => format!(
                "error executing template {name}: template: {name}:{line}:{column}: executing {:?} at <{}>: {}",
                self.within.as_deref().unwrap_or(name),
                self.context,
                self.message
            ),
        }
    }
}

/// Bytes that Prometheus puts before each template to declare the variables; they count in its columns.
const PREAMBLE: usize = 112;

/// Line and column of a byte, the column of the first line as Prometheus counts it.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = match before.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => at - newline - 1,
        None => at + PREAMBLE,
    };
    (line, column)
}
