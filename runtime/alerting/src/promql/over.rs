//! Functions of range vectors.

use super::ast::{Call, Kind, Node};
use super::error::Error;
use super::eval::{Column, Evaluator, Grid, distinct};
use super::math;
use super::select::Window;

/// A function of a window, and of the one number that some take beside it.
type OfWindow = fn(&Window<'_>, f64) -> Option<f64>;

pub(super) fn function(name: &str) -> Option<OfWindow> {
    Some(match name {
        "rate" => |window, _| extrapolated(window, true, true),
        "increase" => |window, _| extrapolated(window, true, false),
        "delta" => |window, _| extrapolated(window, false, false),
        "irate" => |window, _| last_two(window, true),
        "idelta" => |window, _| last_two(window, false),
        "deriv" => deriv,
        "predict_linear" => predict,
        "changes" => |window, _| count_pairs(window, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        "resets" => |window, _| count_pairs(window, |a, b| b < a),
        "avg_over_time" => |window, _| some(window, mean),
        "count_over_time" => |window, _| some(window, |window| window.samples.len() as f64),
        "last_over_time" => |window, _| window.samples.last().map(|sample| sample.1),
        "max_over_time" => |window, _| extreme(window, |best, value| value > best),
        "min_over_time" => |window, _| extreme(window, |best, value| value < best),
        "present_over_time" => |window, _| some(window, |_| 1.0),
        "stddev_over_time" => |window, _| some(window, |window| math::variance(values(window)).sqrt()),
        "stdvar_over_time" => |window, _| some(window, |window| math::variance(values(window))),
        "sum_over_time" => |window, _| some(window, |window| math::sum(values(window))),
        "quantile_over_time" => |window, phi| {
            some(window, |window| {
                math::quantile(phi, &mut values(window).collect::<Vec<_>>())
            })
        },
        _ => return None,
    })
}

impl Evaluator<'_> {
    pub fn over(&self, call: &Call, function: OfWindow, grid: Grid) -> Result<Vec<Column>, Error> {
        let (mut range, mut parameter) = (None, None);
        for arg in &call.args {
            match arg.kind {
                Kind::Range(..) | Kind::Subquery(_) => range = Some(arg),
                _ => parameter = Some(self.scalar(arg, grid)?),
            }
        }
        let Some(range) = range else { return Ok(Vec::new()) };
        let windows = self.windows(range, grid)?;
        let mut columns = Vec::with_capacity(windows.series.len());
        for (labels, samples) in &windows.series {
            let mut values = Vec::with_capacity(grid.count);
            for (step, window) in windows.of(samples, grid).enumerate() {
                self.charge(window.samples.len())?;
                let number = parameter
                    .as_ref()
                    .and_then(|numbers| numbers.get(step))
                    .copied()
                    .unwrap_or(f64::NAN);
                values.push(function(&window, number));
            }
            self.charge(grid.count)?;
            if values.iter().any(Option::is_some) {
                columns.push(Column {
                    labels: labels.clone(),
                    values,
                });
            }
        }
        if call.name != "last_over_time" {
            for column in &mut columns {
                column.labels = column.labels.without_name();
            }
        }
        distinct(columns)
    }

    /// Whether any series has a sample in its window, for each step.
    pub fn any_over(&self, range: &Node, grid: Grid) -> Result<Vec<bool>, Error> {
        let windows = self.windows(range, grid)?;
        let mut any = vec![false; grid.count];
        for (_, samples) in &windows.series {
            self.charge(grid.count)?;
            for (any, window) in any.iter_mut().zip(windows.of(samples, grid)) {
                *any |= !window.samples.is_empty();
            }
        }
        Ok(any)
    }
}

fn values<'w>(window: &'w Window<'_>) -> impl Iterator<Item = f64> + use<'w> {
    window.samples.iter().map(|sample| sample.1)
}

fn some(window: &Window<'_>, f: impl Fn(&Window<'_>) -> f64) -> Option<f64> {
    (!window.samples.is_empty()).then(|| f(window))
}

fn mean(window: &Window<'_>) -> f64 {
    let mut mean = math::Mean::default();
    values(window).for_each(|value| mean.add(value));
    mean.value()
}

/// NaN gives way to whatever else there is.
fn extreme(window: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> Option<f64> {
    values(window).reduce(|best, value| {
        if better(best, value) || best.is_nan() {
            value
        } else {
            best
        }
    })
}

fn count_pairs(window: &Window<'_>, counts: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let count = window
        .samples
        .windows(2)
        .filter(|pair| counts(pair[0].1, pair[1].1))
        .count();
    (!window.samples.is_empty()).then_some(count as f64)
}

/// What was added over the window, carried on to its ends where the samples come close to them: as Prometheus's
/// functions `rate`, `increase` and `delta` do.
fn extrapolated(window: &Window<'_>, counter: bool, a_second: bool) -> Option<f64> {
    let [first, .., last] = window.samples else { return None };
    let mut result = last.1 - first.1;
    if counter {
        for pair in window.samples.windows(2).filter(|pair| pair[1].1 < pair[0].1) {
            result += pair[0].1;
        }
    }
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
    let mut to_start = seconds(window.end - window.range_ms, first.0);
    let mut to_end = seconds(last.0, window.end);
    let sampled = seconds(first.0, last.0);
    let between = sampled / (window.samples.len() - 1) as f64;
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if counter && result > 0.0 && first.1 >= 0.0 {
        // A counter began at zero or above: no further back than that.
        to_start = to_start.min(sampled * (first.1 / result));
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if a_second {
        factor /= window.range_ms as f64 / 1000.0;
    }
    Some(result * factor)
}

fn last_two(window: &Window<'_>, rate: bool) -> Option<f64> {
    let [.., before, last] = window.samples else {
        return None;
    };
    let reset = rate && last.1 < before.1;
    let change = if reset { last.1 } else { last.1 - before.1 };
    let ms = last.0 - before.0;
    if ms == 0 {
        return None;
    }
    Some(if rate { change / (ms as f64 / 1000.0) } else { change })
}

fn deriv(window: &Window<'_>, _: f64) -> Option<f64> {
    let [first, _, ..] = window.samples else { return None };
    Some(math::regression(window.samples, first.0).0)
}

fn predict(window: &Window<'_>, seconds: f64) -> Option<f64> {
    let [_, _, ..] = window.samples else { return None };
    let (slope, now) = math::regression(window.samples, window.now);
    Some(slope * seconds + now)
}
