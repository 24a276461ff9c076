//! What is wrong with a text, and where; and how much of a text is read at all.

use std::borrow::Cow;
use std::fmt;

/// Why a text was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// What was expected and what was found, in one line, safe for a terminal.
    pub message: Cow<'static, str>,
    /// How it is written, where the message doesn't say that.
    pub help: Option<&'static str>,
    /// The text may be right, and is more than is read.
    pub limit: Option<Limit>,
}

impl Fault {
    /// What is wrong at this byte of a text, beyond its grammar.
    pub fn at(text: &[u8], at: usize, message: impl Into<Cow<'static, str>>) -> Self {
        let before = &text[..at.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Self {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
            message: message.into(),
            help: None,
            limit: None,
        }
    }
}

/// How much is read, against targets that are broken or mean harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line that says something, its line break not counted; comments are as long as they like.
    pub line_bytes: usize,
    /// Labels of one sample, and labels of one exemplar.
    pub labels: usize,
    /// Bytes of a name of a metric, a family or a label, as it is written.
    pub name_bytes: usize,
    /// Bytes of a label's value, as it is written.
    pub value_bytes: usize,
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 256 << 10,
            labels: 256,
            name_bytes: 4 << 10,
            value_bytes: 64 << 10,
            samples: 1_000_000,
        }
    }
}

/// Which of the [`Limits`] was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    LineBytes,
    Labels,
    NameBytes,
    ValueBytes,
    Samples,
}

impl Limits {
    pub(super) fn of(&self, limit: Limit) -> usize {
        match limit {
            Limit::LineBytes => self.line_bytes,
            Limit::Labels => self.labels,
            Limit::NameBytes => self.name_bytes,
            Limit::ValueBytes => self.value_bytes,
            Limit::Samples => self.samples,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineBytes => "bytes in a line",
            Self::Labels => "labels",
            Self::NameBytes => "bytes in a name",
            Self::ValueBytes => "bytes in a label's value",
            Self::Samples => "samples",
        })
    }
}

/// A fault whose place is not counted out yet.
#[derive(Debug)]
pub(super) struct Slip {
    pub at: usize,
    message: Cow<'static, str>,
    help: Option<&'static str>,
    limit: Option<Limit>,
}

impl Slip {
    #[cold]
    pub fn new(at: usize, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            at,
            message: message.into(),
            help: None,
            limit: None,
        })
    }

    /// Says how it is written, unless that was said closer to the place.
    #[cold]
    pub fn help(mut self: Box<Self>, help: &'static str) -> Box<Self> {
        self.help.get_or_insert(help);
        self
    }

    #[cold]
    pub fn limit(at: usize, limit: Limit, most: usize) -> Box<Self> {
        Box::new(Self {
            at,
            message: format!("more than {most} {limit}").into(),
            help: Some("the text may be right, but a target that says so much is not read"),
            limit: Some(limit),
        })
    }

    pub fn into_fault(self, text: &str) -> Fault {
        Fault {
            help: self.help,
            limit: self.limit,
            ..Fault::at(text.as_bytes(), self.at, self.message)
        }
    }
}
