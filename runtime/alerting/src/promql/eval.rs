//! Evaluates a tree, each node over all steps at once: labels are worked out once a series, not once a step.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::Options;
use super::ast::{Kind, Node};
use super::error::Error;
use super::labels::{Labels, NAME};
use super::source::Source;

/// Times that are evaluated: `count` of them, `step` apart, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub start: i64,
    pub step: i64,
    pub count: usize,
}

impl Grid {
    pub fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |i| self.at(i))
    }

    pub fn at(self, i: usize) -> i64 {
        self.start + self.step * i as i64
    }
}

/// One series of an instant vector, with a value for each step that has one.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub labels: Labels,
    pub values: Vec<Option<f64>>,
}

#[derive(Debug)]
pub(super) enum Value {
    Scalar(Vec<f64>),
    Text(String),
    Vector(Vec<Column>),
}

pub(super) struct Evaluator<'a> {
    pub source: &'a dyn Source,
    pub options: &'a Options,
    /// First and last time of the whole query, which `@ start()` and `@ end()` mean.
    pub whole: (i64, i64),
    pub spent: Cell<usize>,
}

impl Evaluator<'_> {
    pub fn value(&self, node: &Node, grid: Grid) -> Result<Value, Error> {
        self.charge(grid.count)?;
        Ok(match &node.kind {
            Kind::Number(number) => Value::Scalar(vec![*number; grid.count]),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Selector(selector) => Value::Vector(self.instants(selector, grid, false)?),
            Kind::Negate(inner) => self.negate(inner, grid)?,
            Kind::Binary(binary) => self.binary(binary, grid)?,
            Kind::Aggregate(aggregate) => Value::Vector(self.aggregate(aggregate, grid)?),
            Kind::Call(call) => self.call(call, grid)?,
            // The checks let these stand only where a window is asked for.
            Kind::Range(..) | Kind::Subquery(_) => Value::Vector(Vec::new()),
        })
    }

    pub fn vector(&self, node: &Node, grid: Grid) -> Result<Vec<Column>, Error> {
        match self.value(node, grid)? {
            Value::Vector(columns) => Ok(columns),
            Value::Scalar(_) | Value::Text(_) => Ok(Vec::new()),
        }
    }

    pub fn scalar(&self, node: &Node, grid: Grid) -> Result<Vec<f64>, Error> {
        match self.value(node, grid)? {
            Value::Scalar(values) => Ok(values),
            Value::Vector(_) | Value::Text(_) => Ok(vec![f64::NAN; grid.count]),
        }
    }

    /// Counts samples read and made against the bound.
    pub fn charge(&self, samples: usize) -> Result<(), Error> {
        let limit = self.options.limits.samples;
        let spent = self.spent.get().saturating_add(samples);
        self.spent.set(spent);
        if spent > limit {
            Err(Error::TooManySamples { limit })
        } else {
            Ok(())
        }
    }

    pub fn grid(&self, start: i64, end: i64, step: i64) -> Result<Grid, Error> {
        if end < start {
            return Ok(Grid { start, step, count: 0 });
        }
        let (steps, limit) = ((end - start) / step + 1, self.options.limits.steps);
        match usize::try_from(steps) {
            Ok(count) if count <= limit => Ok(Grid { start, step, count }),
            _ => Err(Error::TooManySteps { steps, limit }),
        }
    }

    fn negate(&self, inner: &Node, grid: Grid) -> Result<Value, Error> {
        Ok(match self.value(inner, grid)? {
            Value::Scalar(values) => Value::Scalar(values.into_iter().map(|value| -value).collect()),
            Value::Vector(mut columns) => {
                let values = columns.iter_mut().flat_map(|column| &mut column.values);
                values.flatten().for_each(|value| *value = -*value);
                for column in &mut columns {
                    column.labels = column.labels.without_name();
                }
                Value::Vector(distinct(columns)?)
            }
            Value::Text(text) => Value::Text(text),
        })
    }
}

/// New values under the same labels without the name, as most functions make them.
pub(super) fn map(columns: Vec<Column>, f: impl Fn(usize, f64) -> Option<f64>) -> Result<Vec<Column>, Error> {
    let mut columns = columns;
    for column in &mut columns {
        for (step, value) in column.values.iter_mut().enumerate() {
            *value = value.and_then(|value| f(step, value));
        }
    }
    unnamed(columns)
}

/// Takes the names away; series that are then the same become one unless both have a value at a step.
pub(super) fn unnamed(mut columns: Vec<Column>) -> Result<Vec<Column>, Error> {
    let one_name = columns
        .windows(2)
        .all(|pair| pair[0].labels.get(NAME) == pair[1].labels.get(NAME));
    for column in &mut columns {
        column.labels = column.labels.without_name();
    }
    if one_name {
        Ok(columns)
    } else {
        merged(columns, Error::SameLabels)
    }
}

/// Series that have become the same are an error even if they never have a value at the same step: so Prometheus has it
/// for functions of windows, for `-` and for new labels, and only for these.
pub(super) fn distinct(mut columns: Vec<Column>) -> Result<Vec<Column>, Error> {
    columns.retain(|column| column.values.iter().any(Option::is_some));
    let mut known = HashSet::with_capacity(columns.len());
    match columns.iter().find(|column| !known.insert(&column.labels)) {
        Some(twice) => Err(Error::SameLabels(twice.labels.clone())),
        None => Ok(columns),
    }
}

/// Columns with the same labels as one; an error where two of them have a value at the same step.
pub(super) fn merged(columns: Vec<Column>, error: fn(Labels) -> Error) -> Result<Vec<Column>, Error> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(columns.len());
    let mut kept: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(place) = places.get(&column.labels) else {
            places.insert(column.labels.clone(), kept.len());
            kept.push(column);
            continue;
        };
        for (known, value) in kept[*place].values.iter_mut().zip(column.values) {
            match (&known, value) {
                (Some(_), Some(_)) => return Err(error(column.labels)),
                (None, Some(_)) => *known = value,
                (_, None) => {}
            }
        }
    }
    Ok(kept)
}
