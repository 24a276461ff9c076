//! PromQL, with the meaning that Prometheus 3.5 gives it, over any [`Source`] of series.
//!
//! [`Query::check`] reads an expression and refuses, with the place, what is wrong and what is not evaluated here: native
//! histograms and all that Prometheus calls experimental. What has passed is evaluated at one time by
//! [`Query::instant`], or at many by [`Query::range`], which asks the source once a selector whatever the number of steps.
//!
//! Rules taken from Prometheus 3: windows and the lookback are open to the left; a series ends at its staleness marker;
//! names are dropped at once, not at the end; sums are compensated; subqueries are aligned to absolute time.
//! Where two series become the same but never at the same step, they are one, in a query over a range too; but functions
//! of windows, `-` and new labels fail then.
//!
//! *Invariant:* no I/O and no clock; no expression and no samples make it panic, recurse without a bound or take more than
//! the [`Limits`].

mod aggregate;
mod ast;
mod binary;
mod calls;
mod check;
mod date;
mod error;
mod eval;
mod functions;
pub(crate) mod go;
mod histogram;
pub mod json;
mod labels;
mod lex;
mod math;
mod memory;
mod over;
mod select;
mod selector;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod unquote;

use std::cell::Cell;

use evenkeel_model::runbook::Matcher;

pub use ast::Type;
pub use error::{Error, Refusal, Why};
pub use labels::{Labels, NAME};
pub(crate) use lex::UNITS;
pub use lex::duration;
pub use memory::{Memory, OutOfOrder};
pub use source::{Only, STALE, Sample, Series, Source, SourceError};

use eval::{Column, Evaluator, Grid, Value};

/// The furthest time from 1970 that is evaluated, in milliseconds.
const FURTHEST_MS: i64 = 1_000_000_000_000_000;

/// What one evaluation may take; each has an [`Error`] of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series that one selector finds.
    pub series: usize,
    /// Samples read and made, and steps of each part of the expression, over the whole evaluation.
    pub samples: usize,
    /// Times of a range, and of each subquery within.
    pub steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series: 1_000_000,
            samples: 50_000_000,
            steps: 100_000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How old the last sample of a series may be, in milliseconds; younger than that, not as old.
    pub lookback_ms: i64,
    /// The step of a subquery that names none.
    pub subquery_step_ms: i64,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            subquery_step_ms: 60_000,
            limits: Limits::default(),
        }
    }
}

/// One series of an answer at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    pub labels: Labels,
    pub value: f64,
}

/// One series of an answer over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub labels: Labels,
    pub samples: Vec<Sample>,
}

/// The answer at one time.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Scalar(f64),
    Text(String),
    /// In the order that `sort`, `topk` and the like give, or else the source.
    Vector(Vec<Element>),
    Matrix(Vec<Line>),
}

/// The times of a query over a range, in milliseconds since 1970: `start`, and every `step` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub start_ms: i64,
    pub end_ms: i64,
    pub step_ms: i64,
}

/// An expression that has passed the checks.
#[derive(Debug, Clone)]
pub struct Query {
    root: ast::Node,
}

impl Query {
    pub fn check(text: &str) -> Result<Self, Refusal> {
        check::check(text).map(|root| Self { root })
    }

    /// What it selects, if it is a selector and nothing else.
    pub fn selector(&self) -> Option<&[Matcher]> {
        match &self.root.kind {
            ast::Kind::Selector(selector) if selector.shift == ast::Shift::default() => Some(&selector.matchers),
            _ => None,
        }
    }

    pub fn value_type(&self) -> Type {
        self.root.value_type()
    }

    pub fn instant(&self, source: &dyn Source, at_ms: i64, options: &Options) -> Result<Answer, Error> {
        let evaluator = evaluator(source, options, (at_ms, at_ms))?;
        let grid = evaluator.grid(at_ms, at_ms, 1)?;
        if self.value_type() == Type::Matrix {
            return matrix(&evaluator, &self.root, grid).map(Answer::Matrix);
        }
        Ok(match evaluator.value(&self.root, grid)? {
            Value::Scalar(values) => Answer::Scalar(values.first().copied().unwrap_or(f64::NAN)),
            Value::Text(text) => Answer::Text(text),
            Value::Vector(columns) => {
                let element = |column: Column| {
                    Some(Element {
                        value: column.values.first().copied()??,
                        labels: column.labels,
                    })
                };
                Answer::Vector(columns.into_iter().filter_map(element).collect())
            }
        })
    }

    /// Series in the order of their labels; of a scalar one without labels.
    pub fn range(&self, source: &dyn Source, steps: Steps, options: &Options) -> Result<Vec<Line>, Error> {
        if steps.step_ms <= 0 {
            return Err(Error::BadStep(steps.step_ms));
        }
        if steps.end_ms < steps.start_ms {
            return Err(Error::BadTimes);
        }
        if matches!(self.value_type(), Type::Text | Type::Matrix) {
            return Err(Error::NotOverRange(self.value_type().name()));
        }
        let evaluator = evaluator(source, options, (steps.start_ms, steps.end_ms))?;
        let grid = evaluator.grid(steps.start_ms, steps.end_ms, steps.step_ms)?;
        let columns = match evaluator.value(&self.root, grid)? {
            Value::Vector(columns) => columns,
            Value::Scalar(values) => {
                vec![Column {
                    labels: Labels::default(),
                    values: values.into_iter().map(Some).collect(),
                }]
            }
            Value::Text(_) => Vec::new(),
        };
        let mut lines: Vec<Line> = columns.into_iter().map(|column| line(column, grid)).collect();
        lines.retain(|line| !line.samples.is_empty());
        lines.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(lines)
    }
}

fn evaluator<'a>(source: &'a dyn Source, options: &'a Options, whole: (i64, i64)) -> Result<Evaluator<'a>, Error> {
    let within = |ms: &i64| (-FURTHEST_MS..=FURTHEST_MS).contains(ms);
    if ![whole.0, whole.1, options.lookback_ms, options.subquery_step_ms]
        .iter()
        .all(within)
    {
        return Err(Error::BadTimes);
    }
    Ok(Evaluator {
        source,
        options,
        whole,
        spent: Cell::new(0),
    })
}

fn matrix(evaluator: &Evaluator<'_>, node: &ast::Node, grid: Grid) -> Result<Vec<Line>, Error> {
    let windows = evaluator.windows(node, grid)?;
    let mut lines = Vec::new();
    for (labels, samples) in &windows.series {
        for window in windows.of(samples, grid).filter(|window| !window.samples.is_empty()) {
            evaluator.charge(window.samples.len())?;
            lines.push(Line {
                labels: labels.clone(),
                samples: window.samples.to_vec(),
            });
        }
    }
    Ok(lines)
}

fn line(column: Column, grid: Grid) -> Line {
    let samples = grid
        .times()
        .zip(&column.values)
        .filter_map(|(time, value)| Some((time, (*value)?)))
        .collect();
    Line {
        labels: column.labels,
        samples,
    }
}
