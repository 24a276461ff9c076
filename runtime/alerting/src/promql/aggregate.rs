//! Aggregations: series are put into groups once, and each step's values are then folded group by group.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::ast::{Aggregate, Aggregator, Kind};
use super::error::Error;
use super::eval::{Column, Evaluator, Grid};
use super::labels::{Labels, NAME, Part};
use super::math;

impl Evaluator<'_> {
    pub fn aggregate(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Column>, Error> {
        let columns = self.vector(&aggregate.inner, grid)?;
        self.charge(columns.len())?;
        let parameter = aggregate.parameter.as_deref();
        match (aggregate.op, parameter) {
            (Aggregator::Topk | Aggregator::Bottomk, Some(parameter)) => {
                let limits = self.scalar(parameter, grid)?;
                ranked(aggregate, columns, &limits)
            }
            (Aggregator::CountValues, Some(parameter)) => match &parameter.kind {
                Kind::Text(label) => Ok(self.count_values(aggregate, label, &columns, grid)),
                _ => Ok(Vec::new()),
            },
            (_, Some(parameter)) => {
                let phi = self.scalar(parameter, grid)?;
                Ok(folded(aggregate, &columns, &phi, grid))
            }
            (_, None) => Ok(folded(aggregate, &columns, &[], grid)),
        }
    }

    fn count_values(&self, aggregate: &Aggregate, label: &str, columns: &[Column], grid: Grid) -> Vec<Column> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut counts: Vec<Column> = Vec::new();
        for step in 0..grid.count {
            for (column, value) in present(columns, step) {
                let labelled = columns[column].labels.with(label, &math::text(value));
                let labels = if aggregate.without {
                    labelled.filter(|name| groups_by(aggregate, name))
                } else {
                    labelled.filter(|name| name == label || aggregate.labels.iter().any(|by| by == name))
                };
                let place = *places.entry(labels.clone()).or_insert(counts.len());
                if place == counts.len() {
                    counts.push(Column {
                        labels,
                        values: vec![None; grid.count],
                    });
                }
                let count = &mut counts[place].values[step];
                *count = Some(count.unwrap_or(0.0) + 1.0);
            }
        }
        counts
    }
}

fn present(columns: &[Column], step: usize) -> impl Iterator<Item = (usize, f64)> {
    columns
        .iter()
        .enumerate()
        .filter_map(move |(i, column)| Some((i, column.values.get(step).copied().flatten()?)))
}

/// Whether a label is one that the series of a group have in common.
fn groups_by(aggregate: &Aggregate, name: &str) -> bool {
    let listed = aggregate.labels.iter().any(|label| label == name);
    if aggregate.without {
        name != NAME && !listed
    } else {
        listed
    }
}

/// The group of each series, and the labels of each group in the order they are met.
fn groups(aggregate: &Aggregate, columns: &[Column]) -> (Vec<usize>, Vec<Labels>) {
    let keep = |name: &str| groups_by(aggregate, name);
    let (mut places, mut labels) = (HashMap::new(), Vec::new());
    let of_columns = columns.iter().map(|column| {
        let part = Part {
            labels: &column.labels,
            keep: &keep,
        };
        *places.entry(part).or_insert_with_key(|part| {
            labels.push(part.to_labels());
            labels.len() - 1
        })
    });
    (of_columns.collect(), labels)
}

fn folded(aggregate: &Aggregate, columns: &[Column], phi: &[f64], grid: Grid) -> Vec<Column> {
    let (of_columns, labels) = groups(aggregate, columns);
    let empty = |labels| Column {
        labels,
        values: Vec::with_capacity(grid.count),
    };
    let mut results: Vec<Column> = labels.into_iter().map(empty).collect();
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); results.len()];
    for step in 0..grid.count {
        values.iter_mut().for_each(Vec::clear);
        for (column, value) in present(columns, step) {
            values[of_columns[column]].push(value);
        }
        let phi = phi.get(step).copied().unwrap_or(f64::NAN);
        for (result, values) in results.iter_mut().zip(&mut values) {
            result
                .values
                .push((!values.is_empty()).then(|| fold(aggregate.op, values, phi)));
        }
    }
    results
}

fn fold(op: Aggregator, values: &mut [f64], phi: f64) -> f64 {
    let all = || values.iter().copied();
    let extreme = |better: fn(f64, f64) -> bool| {
        all()
            .reduce(|best, value| {
                if better(value, best) || best.is_nan() {
                    value
                } else {
                    best
                }
            })
            .unwrap_or(f64::NAN)
    };
    match op {
        Aggregator::Sum => math::sum(all()),
        Aggregator::Avg => {
            let mut mean = math::Mean::default();
            all().for_each(|value| mean.add(value));
            mean.value()
        }
        Aggregator::Min => extreme(|value, best| value < best),
        Aggregator::Max => extreme(|value, best| value > best),
        Aggregator::Count => values.len() as f64,
        Aggregator::Group => 1.0,
        Aggregator::Stddev => math::variance(all()).sqrt(),
        Aggregator::Stdvar => math::variance(all()),
        Aggregator::Quantile => math::quantile(phi, values),
        Aggregator::Topk | Aggregator::Bottomk | Aggregator::CountValues => f64::NAN,
    }
}

/// `topk` and `bottomk`: series keep all their labels, at the steps where they are among the first of their group.
fn ranked(aggregate: &Aggregate, columns: Vec<Column>, limits: &[f64]) -> Result<Vec<Column>, Error> {
    let name = if aggregate.op == Aggregator::Topk {
        "topk"
    } else {
        "bottomk"
    };
    // Between the least and the greatest whole number of 64 bits, as floats have them.
    let fits = |limit: f64| limit > i64::MIN as f64 && limit < i64::MAX as f64;
    if let Some(value) = limits.iter().find(|limit| !fits(**limit)) {
        return Err(Error::BadParameter { name, value: *value });
    }
    let (of_columns, labels) = groups(aggregate, &columns);
    let empty = |column: &Column| Column {
        labels: column.labels.clone(),
        values: vec![None; limits.len()],
    };
    let mut results: Vec<Column> = columns.iter().map(empty).collect();
    let mut order = Vec::new();
    for (step, limit) in limits.iter().enumerate() {
        let mut members: Vec<Vec<(usize, f64)>> = vec![Vec::new(); labels.len()];
        present(&columns, step).for_each(|member| members[of_columns[member.0]].push(member));
        for members in members {
            let limit = limit.max(0.0) as usize;
            let mut members = first(members, limit, aggregate.op);
            members.sort_by(|a, b| by_rank(a.1, b.1, aggregate.op).then(a.0.cmp(&b.0)));
            for (column, value) in members {
                results[column].values[step] = Some(value);
                order.push(column);
            }
        }
    }
    if limits.len() == 1 {
        return Ok(order.into_iter().map(|column| results[column].clone()).collect());
    }
    results.retain(|column| column.values.iter().any(Option::is_some));
    Ok(results)
}

/// The first `limit` by rank. Which ones of equal values are taken is told by the order of series and by how a binary heap
/// of them is built, as in Prometheus.
fn first(members: Vec<(usize, f64)>, limit: usize, op: Aggregator) -> Vec<(usize, f64)> {
    if limit >= members.len() {
        return members;
    }
    // The last one of those that are kept is at the top; NaN is behind all.
    let behind = |a: f64, b: f64| a.is_nan() || if op == Aggregator::Topk { a < b } else { a > b };
    let mut heap: Vec<(usize, f64)> = Vec::with_capacity(limit);
    for member in members {
        if heap.len() < limit {
            heap.push(member);
            rise(&mut heap, behind);
        } else if let Some(top) = heap.first_mut()
            && (behind(top.1, member.1) && !(top.1.is_nan() && member.1.is_nan()))
        {
            *top = member;
            sink(&mut heap, behind);
        }
    }
    heap
}

fn rise(heap: &mut [(usize, f64)], before: impl Fn(f64, f64) -> bool) {
    let mut at = heap.len() - 1;
    while at > 0 {
        let parent = (at - 1) / 2;
        if !before(heap[at].1, heap[parent].1) {
            return;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

fn sink(heap: &mut [(usize, f64)], before: impl Fn(f64, f64) -> bool) {
    let mut at = 0;
    while 2 * at + 1 < heap.len() {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let child = if right < heap.len() && before(heap[right].1, heap[left].1) {
            right
        } else {
            left
        };
        if !before(heap[child].1, heap[at].1) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// NaN comes last, whichever way.
fn by_rank(a: f64, b: f64, op: Aggregator) -> Ordering {
    let rank = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    let flipped = op == Aggregator::Topk && !a.is_nan() && !b.is_nan();
    if flipped { rank.reverse() } else { rank }
}
