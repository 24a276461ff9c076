//! A diagnostic is data; `cli` renders it as text, the console as JSON and HTML.

use std::ops::Range;

use serde::Serialize;

/// One thing that is wrong with a home, with its place and the fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable and machine-readable: `unknown-plugin`.
    pub code: &'static str,
    /// Lower case, names in backticks: what is wrong.
    pub message: String,
    /// Relative to the home.
    pub file: String,
    /// Bytes in the file; none: the file as a whole.
    pub span: Option<Range<usize>>,
    /// From 1; derived from the span.
    pub line: usize,
    /// From 1, in characters; derived from the span.
    pub column: usize,
    /// Beside the underlined token: `did you mean `cache-clean`?`
    pub label: Option<String>,
    /// What to do next.
    pub help: Option<String>,
}
