//! The templates of Prometheus rules: Go's `text/template` with the functions of Prometheus 3.5.
//!
//! [`Template::parse`] refuses, with the place, whatever Prometheus refuses when it reads a rule file; [`Template::render`]
//! says what Prometheus would have put there, or in Prometheus's words why it can't be rendered.
//!
//! Left out, and refused by name: complex numbers, methods of times other than the common ones, and addresses in memory,
//! which Go prints for the elements of a query's answer. Text is UTF-8 throughout: bytes that are none become U+FFFD,
//! as they do in Prometheus's own JSON.
//!
//! *Invariant:* no I/O and no clock; no template and no value make it panic, recurse without a bound or take more than
//! the [`Limits`].

mod ast;
mod builtin;
mod call;
mod compare;
mod escape;
mod fault;
mod fields;
mod fmt;
mod functions;
mod humanize;
mod lex;
mod literal;
mod network;
mod parse;
mod pattern;
mod pipeline;
#[cfg(test)]
mod properties;
mod render;
#[cfg(test)]
mod tests;
mod time;
mod title;
mod value;
mod world;

use std::sync::Arc;

use crate::promql::{Element, Labels};

pub use fault::{Fault, When};

/// Bytes of a template.
const LONGEST: usize = 64 << 10;
/// Statements and parentheses within each other.
const DEEPEST: usize = 48;

/// The variables that every template has, with the field of the dot that each stands for.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// What one rendering may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text that comes out, and of each text on the way.
    pub text_bytes: usize,
    /// Parts of the template that are evaluated, each as often as it is; long texts count as many.
    pub steps: usize,
    /// Calls of `query`.
    pub queries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 256 << 10,
            steps: 200_000,
            queries: 100,
        }
    }
}

/// What a template is rendered with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// `$labels`
    pub labels: &'a Labels,
    /// `$value`
    pub value: f64,
    pub external_labels: &'a Labels,
    /// Where evenkeel is reached by people, a URL.
    pub external_url: &'a str,
    pub limits: Limits,
}

/// What answers `query`: the vector at the time of the evaluation, a scalar as one element without labels, or why there is none.
pub type Query<'q> = dyn FnMut(&str) -> Result<Vec<Element>, String> + 'q;

/// A template that can be rendered.
#[derive(Debug, Clone)]
pub struct Template {
    text: Arc<str>,
    parsed: parse::Parsed,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self {
            text: text.into(),
            parsed: parse::parse(text, &VARIABLES)?,
        })
    }

    /// Whether it is text alone, so that it needs no rendering.
    pub fn is_plain(&self) -> bool {
        self.parsed
            .body
            .iter()
            .all(|part| matches!(part, ast::Statement::Text(_)))
    }

    pub fn render(&self, context: &Context<'_>, query: &mut Query<'_>) -> Result<String, Fault> {
        render::render(&self.text, &self.parsed, context, query)
    }
}
