//! What a template calculates with: the types that Prometheus gives it, by the names that Go prints.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::promql::{Element, Labels};

#[derive(Debug, Clone)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    /// A byte of a string.
    Byte(u8),
    Month(u32),
    Weekday(u32),
    Float(f64),
    Text(Arc<str>),
    /// From `safeHtml`: not a `string`, but printed as one.
    Html(Arc<str>),
    Labels(Labels),
    Args(Arc<Args>),
    /// The part of an answer from the first to the second number.
    Elements(Elements),
    Element(Arc<Element>),
    /// What the dot is at first.
    Root(Arc<Root>),
    Time(Time),
}

/// What `args` makes of its arguments.
#[derive(Debug)]
pub(super) struct Args {
    pub named: BTreeMap<String, Value>,
    /// How deep arguments are within arguments.
    pub depth: usize,
}

/// What a query has answered, or a part of that.
#[derive(Debug, Clone)]
pub(super) struct Elements {
    pub all: Arc<[Arc<Element>]>,
    pub from: usize,
    pub to: usize,
}

impl Elements {
    pub fn new(all: Vec<Arc<Element>>) -> Self {
        Self {
            from: 0,
            to: all.len(),
            all: all.into(),
        }
    }

    pub fn list(&self) -> &[Arc<Element>] {
        &self.all[self.from..self.to]
    }
}

#[derive(Debug)]
pub(super) struct Root {
    pub labels: Labels,
    pub external_labels: Labels,
    pub external_url: Arc<str>,
    pub value: f64,
}

/// A time in UTC, in milliseconds since 1970; `toTime` gives a pointer to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub ms: i64,
    pub pointer: bool,
}

pub(super) const ROOT: &str =
    "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint8",
            Self::Month(_) => "time.Month",
            Self::Weekday(_) => "time.Weekday",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Html(_) => "template.HTML",
            Self::Labels(_) => "map[string]string",
            Self::Args(_) => "map[string]interface {}",
            Self::Elements(_) => "template.queryResult",
            Self::Element(_) => "*template.sample",
            Self::Root(_) => ROOT,
            Self::Time(time) if time.pointer => "*time.Time",
            Self::Time(_) => "time.Time",
        }
    }

    /// The type of what a pointer leads to.
    pub fn pointed_type_name(&self) -> &'static str {
        self.type_name().trim_start_matches('*')
    }

    /// Whether an `if` takes its first branch.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Month(value) | Self::Weekday(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) | Self::Html(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Args(args) => !args.named.is_empty(),
            Self::Elements(elements) => !elements.list().is_empty(),
            Self::Element(_) | Self::Root(_) | Self::Time(_) => true,
        }
    }

    /// Any of the types that Go counts with whole numbers.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Byte(value) => Some((*value).into()),
            Self::Month(value) | Self::Weekday(value) => Some((*value).into()),
            _ => None,
        }
    }

    pub fn str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Html(text) => Some(text),
            _ => None,
        }
    }
}
