//! Operators between two values, and which series of two vectors belong together.

use std::collections::HashMap;

use super::ast::{Binary, Cardinality, Matching, Op};
use super::error::Error;
use super::eval::{Column, Evaluator, Grid, Value, map, merged};
use super::labels::{Labels, NAME, Part};

impl Evaluator<'_> {
    pub fn binary(&self, binary: &Binary, grid: Grid) -> Result<Value, Error> {
        let (left, right) = (self.value(&binary.left, grid)?, self.value(&binary.right, grid)?);
        Ok(match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let pair = |(a, b): (&f64, &f64)| match apply(binary.op, *a, *b) {
                    (_, kept) if binary.op.is_comparison() => f64::from(u8::from(kept)),
                    (value, _) => value,
                };
                Value::Scalar(left.iter().zip(&right).map(pair).collect())
            }
            (Value::Vector(left), Value::Scalar(right)) => {
                Value::Vector(with_scalar(binary, left, |step, value| (value, right[step]))?)
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                Value::Vector(with_scalar(binary, right, |step, value| (left[step], value))?)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                self.charge((left.len() + right.len()).saturating_mul(grid.count))?;
                Value::Vector(match binary.op.is_set() {
                    true => set(binary, left, right, grid)?,
                    false => Pairing::new(binary, left, right).pair(grid)?,
                })
            }
            // The checks let no text come here.
            (Value::Text(_), other) | (other, Value::Text(_)) => other,
        })
    }
}

/// The result, and whether a comparison holds; what a comparison lets through is its left side.
fn apply(op: Op, a: f64, b: f64) -> (f64, bool) {
    match op {
        Op::Add => (a + b, true),
        Op::Sub => (a - b, true),
        Op::Mul => (a * b, true),
        Op::Div => (a / b, true),
        Op::Mod => (a % b, true),
        Op::Pow => (a.powf(b), true),
        Op::Atan2 => (a.atan2(b), true),
        Op::Equal => (a, a == b),
        Op::NotEqual => (a, a != b),
        Op::Less => (a, a < b),
        Op::LessEqual => (a, a <= b),
        Op::Greater => (a, a > b),
        Op::GreaterEqual => (a, a >= b),
        Op::And | Op::Or | Op::Unless => (a, false),
    }
}

fn with_scalar(
    binary: &Binary,
    mut columns: Vec<Column>,
    sides: impl Fn(usize, f64) -> (f64, f64),
) -> Result<Vec<Column>, Error> {
    let result = |step: usize, value: f64| {
        let (a, b) = sides(step, value);
        match apply(binary.op, a, b) {
            (_, kept) if binary.as_bool => Some(f64::from(u8::from(kept))),
            (_, kept) if binary.op.is_comparison() => kept.then_some(value),
            (result, _) => Some(result),
        }
    };
    if binary.as_bool || !binary.op.is_comparison() {
        return map(columns, result);
    }
    for column in &mut columns {
        for (step, value) in column.values.iter_mut().enumerate() {
            *value = value.and_then(|value| result(step, value));
        }
    }
    Ok(columns)
}

/// Whether series of both sides belong together by this label.
fn is_matched(matching: &Matching, name: &str) -> bool {
    let listed = matching.labels.iter().any(|label| label == name);
    if matching.on { listed } else { name != NAME && !listed }
}

/// Numbers for signatures, the same for both sides.
struct Signatures {
    of_left: Vec<usize>,
    of_right: Vec<usize>,
    count: usize,
}

impl Signatures {
    fn new(matching: &Matching, left: &[Column], right: &[Column]) -> Self {
        let keep = |name: &str| is_matched(matching, name);
        let mut numbers = HashMap::with_capacity(left.len().max(right.len()));
        let both = left.iter().chain(right).map(|column| {
            let next = numbers.len();
            *numbers
                .entry(Part {
                    labels: &column.labels,
                    keep: &keep,
                })
                .or_insert(next)
        });
        let mut of_left: Vec<usize> = both.collect();
        let of_right = of_left.split_off(left.len());
        Self {
            of_left,
            of_right,
            count: numbers.len(),
        }
    }
}

fn set(binary: &Binary, mut left: Vec<Column>, mut right: Vec<Column>, grid: Grid) -> Result<Vec<Column>, Error> {
    let Signatures {
        of_left,
        of_right,
        count,
    } = Signatures::new(&binary.matching, &left, &right);
    // `or` takes away on the right what is on the left, the others look from the left to the right.
    let (kept, of_kept, others, of_others) = match binary.op {
        Op::Or => (&mut right, of_right, &left, of_left),
        _ => (&mut left, of_left, &right, of_right),
    };
    for step in 0..grid.count {
        let mut there = vec![false; count];
        for (column, signature) in others.iter().zip(&of_others) {
            there[*signature] |= column.values[step].is_some();
        }
        for (column, signature) in kept.iter_mut().zip(&of_kept) {
            if there[*signature] != (binary.op == Op::And) {
                column.values[step] = None;
            }
        }
    }
    if binary.op != Op::Or {
        return Ok(left);
    }
    right.retain(|column| column.values.iter().any(Option::is_some));
    left.append(&mut right);
    // At one step nothing on the right is left that is the same as something on the left.
    if grid.count == 1 {
        Ok(left)
    } else {
        merged(left, Error::SameLabels)
    }
}

/// Arithmetic or a comparison of two vectors. `many` is the left side unless it is `group_right`.
struct Pairing<'b> {
    binary: &'b Binary,
    many: Vec<Column>,
    one: Vec<Column>,
    of_many: Vec<usize>,
    of_one: Vec<usize>,
    signatures: usize,
    /// Results by their column of `many` and of `one`.
    places: HashMap<(usize, usize), usize>,
    results: Vec<Column>,
}

impl<'b> Pairing<'b> {
    fn new(binary: &'b Binary, left: Vec<Column>, right: Vec<Column>) -> Self {
        let swapped = binary.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let Signatures {
            of_left: of_many,
            of_right: of_one,
            count: signatures,
        } = Signatures::new(&binary.matching, &many, &one);
        Self {
            binary,
            many,
            one,
            of_many,
            of_one,
            signatures,
            places: HashMap::new(),
            results: Vec::new(),
        }
    }

    fn pair(mut self, grid: Grid) -> Result<Vec<Column>, Error> {
        for step in 0..grid.count {
            if self.many.iter().any(|column| column.values[step].is_some()) {
                let one = self.one_of_each(step)?;
                self.step(step, &one, grid)?;
            }
        }
        match self.binary.matching.cardinality {
            // At one step each signature has one result.
            Cardinality::OneToOne if grid.count == 1 => Ok(self.results),
            Cardinality::OneToOne => merged(self.results, Error::SameLabels),
            _ => merged(self.results, Error::GroupingNotUnique),
        }
    }

    /// The one series of each signature on the side of one.
    fn one_of_each(&self, step: usize) -> Result<Vec<Option<usize>>, Error> {
        let mut found: Vec<Option<usize>> = vec![None; self.signatures];
        for (column, of) in self.of_one.iter().enumerate() {
            if self.one[column].values[step].is_none() {
                continue;
            }
            if let Some(known) = found[*of].replace(column) {
                let matching = &self.binary.matching;
                let (first, second) = (self.one[known].labels.clone(), self.one[column].labels.clone());
                let side = if matching.cardinality == Cardinality::OneToMany {
                    "left"
                } else {
                    "right"
                };
                return Err(Error::ManyToMany {
                    group: second.filter(|name| is_matched(matching, name)),
                    side,
                    first,
                    second,
                });
            }
        }
        Ok(found)
    }

    fn step(&mut self, step: usize, one_of_each: &[Option<usize>], grid: Grid) -> Result<(), Error> {
        let matching = &self.binary.matching;
        let mut matched = vec![false; self.signatures];
        for many in 0..self.many.len() {
            let signature = self.of_many[many];
            let Some((one, value)) = one_of_each[signature].zip(self.many[many].values[step]) else {
                continue;
            };
            let Some(other) = self.one[one].values[step] else {
                continue;
            };
            let swapped = matching.cardinality == Cardinality::OneToMany;
            let (a, b) = if swapped { (other, value) } else { (value, other) };
            let (result, kept) = apply(self.binary.op, a, b);
            let result = if self.binary.as_bool {
                f64::from(u8::from(kept))
            } else {
                result
            };
            if !kept && !self.binary.as_bool {
                continue;
            }
            if matching.cardinality == Cardinality::OneToOne && std::mem::replace(&mut matched[signature], true) {
                return Err(Error::ManyToOne);
            }
            let place = *self.places.entry((many, one)).or_insert(self.results.len());
            if place == self.results.len() {
                let labels = result_labels(self.binary, &self.many[many].labels, &self.one[one].labels);
                self.results.push(Column {
                    labels,
                    values: vec![None; grid.count],
                });
            }
            self.results[place].values[step] = Some(result);
        }
        Ok(())
    }
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let matching = &binary.matching;
    let keeps_name = binary.op.is_comparison() && !binary.as_bool;
    let named = if keeps_name { many.clone() } else { many.without_name() };
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.cardinality == Cardinality::OneToOne {
        return if matching.on {
            named.filter(listed)
        } else {
            named.filter(|name| !listed(name))
        };
    }
    matching
        .include
        .iter()
        .fold(named, |labels, name| labels.with(name, one.get(name)))
}
