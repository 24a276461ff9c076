//! Quantiles of classic histograms.

use std::collections::HashMap;

use super::error::Error;
use super::eval::{Column, merged};
use super::go;
use super::labels::{Labels, NAME};

const BOUND: &str = "le";
/// Counts that differ by less, relative to their size, are taken as equal.
const TOLERANCE: f64 = 1e-12;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

pub(super) fn quantiles(phi: &[f64], columns: &[Column]) -> Result<Vec<Column>, Error> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<(Labels, Vec<(f64, &Column)>)> = Vec::new();
    for column in columns {
        let Ok(bound) = go::float(column.labels.get(BOUND)) else {
            continue;
        };
        let key = column.labels.filter(|name| name != BOUND);
        let place = *places.entry(key.clone()).or_insert(histograms.len());
        if place == histograms.len() {
            histograms.push((key.filter(|name| name != NAME), Vec::new()));
        }
        histograms[place].1.push((bound, column));
    }
    let column = |(labels, buckets): (Labels, Vec<(f64, &Column)>)| {
        let values = phi.iter().enumerate().map(|(step, phi)| {
            let present = buckets.iter().filter_map(|(bound, column)| {
                let count = column.values.get(step).copied().flatten()?;
                Some(Bucket { bound: *bound, count })
            });
            let present: Vec<Bucket> = present.collect();
            (!present.is_empty()).then(|| quantile(*phi, present))
        });
        Column {
            values: values.collect(),
            labels,
        }
    };
    merged(histograms.into_iter().map(column).collect(), Error::SameLabels)
}

fn quantile(phi: f64, mut buckets: Vec<Bucket>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    buckets.dedup_by(|later, first| {
        let same = later.bound == first.bound;
        first.count += if same { later.count } else { 0.0 };
        same
    });
    monotonic(&mut buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let rank = phi * observations;
    within(&buckets, rank)
}

/// The value at a rank, as if the observations of a bucket were spread evenly.
fn within(buckets: &[Bucket], rank: f64) -> f64 {
    let last = buckets.len() - 1;
    let found = go::search(last, |i| buckets[i].count >= rank);
    if found == last {
        return buckets[last - 1].bound;
    }
    let bucket = buckets[found];
    if found == 0 {
        return if bucket.bound <= 0.0 {
            bucket.bound
        } else {
            // The sum makes -0 a 0, as Prometheus does.
            0.0 + bucket.bound * (rank / bucket.count)
        };
    }
    let before = buckets[found - 1];
    before.bound + (bucket.bound - before.bound) * ((rank - before.count) / (bucket.count - before.count))
}

/// Counts never fall from a bucket to the next; where scrapes made them, they are lifted.
fn monotonic(buckets: &mut [Bucket]) {
    let Some(first) = buckets.first() else { return };
    let mut before = first.count;
    for bucket in &mut buckets[1..] {
        if bucket.count < before || almost_equal(bucket.count, before) {
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (size, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == b || (a.is_nan() && b.is_nan()) {
        true
    } else if a == 0.0 || b == 0.0 || size < f64::MIN_POSITIVE {
        difference < TOLERANCE * f64::MIN_POSITIVE
    } else {
        difference / size.min(f64::MAX) < TOLERANCE
    }
}
