//! Sums and the like with the rounding that Prometheus has.

use super::source::Sample;

/// A sum with Neumaier's compensation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kahan {
    pub sum: f64,
    pub rest: f64,
}

impl Kahan {
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.rest = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.rest += (self.sum - total) + value;
        } else {
            self.rest += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub fn total(&self) -> f64 {
        self.sum + self.rest
    }
}

pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut kahan = Kahan::default();
    values.into_iter().for_each(|value| kahan.add(value));
    kahan.total()
}

/// A mean that goes over to an incremental one where the sum would overflow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    kahan: Kahan,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.kahan.sum = value;
            return;
        }
        if !self.incremental {
            let mut next = self.kahan;
            next.add(value);
            if !next.sum.is_infinite() {
                self.kahan = next;
                return;
            }
            self.incremental = true;
            self.kahan.sum /= self.count - 1.0;
            self.kahan.rest /= self.count - 1.0;
        }
        let share = (self.count - 1.0) / self.count;
        self.kahan.sum *= share;
        self.kahan.rest *= share;
        self.kahan.add(value / self.count);
    }

    pub fn value(&self) -> f64 {
        if self.incremental {
            self.kahan.total()
        } else {
            self.kahan.sum / self.count + self.kahan.rest / self.count
        }
    }
}

/// The population variance over a window, by Welford's method, compensated.
pub(super) fn variance(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

/// The φ-quantile by linear interpolation; NaN counts as the smallest value.
pub(super) fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| {
        b.is_nan()
            .cmp(&a.is_nan())
            .then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let last = values.len() - 1;
    let rank = phi * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[(lower + 1).min(last)] * weight
}

/// Slope a second and value at `origin_ms` of the line through the samples.
pub(super) fn regression(samples: &[Sample], origin_ms: i64) -> (f64, f64) {
    let first = samples.first().map_or(f64::NAN, |sample| sample.1);
    if samples.iter().all(|sample| sample.1 == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) =
        (Kahan::default(), Kahan::default(), Kahan::default(), Kahan::default());
    for (time, y) in samples {
        let x = (time - origin_ms) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(*y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let n = samples.len() as f64;
    let (x, y) = (x_sum.total(), y_sum.total());
    let slope = (xy_sum.total() - x * y / n) / (xx_sum.total() - x * x / n);
    (slope, y / n - slope * x / n)
}

/// As Go writes a float without an exponent.
pub(super) fn text(value: f64) -> String {
    match value {
        v if v == f64::INFINITY => "+Inf".into(),
        v if v == f64::NEG_INFINITY => "-Inf".into(),
        v => v.to_string(),
    }
}
