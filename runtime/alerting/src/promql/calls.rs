//! Functions of instant vectors, scalars and the time.

use evenkeel_model::pattern::anchored;
use evenkeel_model::runbook::{MatchOp, Matcher};

use super::ast::{Call, Kind, Node};
use super::date::Date;
use super::error::Error;
use super::eval::{Column, Evaluator, Grid, Value, distinct, map};
use super::labels::{Labels, NAME};
use super::{go, histogram, over};

impl Evaluator<'_> {
    pub fn call(&self, call: &Call, grid: Grid) -> Result<Value, Error> {
        if let Some(function) = over::function(call.name) {
            return self.over(call, function, grid).map(Value::Vector);
        }
        if let Some(function) = elementwise(call.name) {
            return Ok(Value::Vector(map(self.argument(call, 0, grid)?, |_, value| {
                Some(function(value))
            })?));
        }
        if let Some(function) = of_date(call.name) {
            return self.date(call, function, grid).map(Value::Vector);
        }
        let seconds = || grid.times().map(|time| time as f64 / 1000.0);
        Ok(match call.name {
            "time" => Value::Scalar(seconds().collect()),
            "pi" => Value::Scalar(vec![std::f64::consts::PI; grid.count]),
            "scalar" => Value::Scalar(only(&self.argument(call, 0, grid)?, grid)),
            "vector" => {
                let values = self.number(call, 0, grid)?.into_iter().map(Some).collect();
                Value::Vector(vec![Column {
                    labels: Labels::default(),
                    values,
                }])
            }
            "timestamp" => Value::Vector(self.timestamp(&call.args[0], grid)?),
            "absent" | "absent_over_time" => Value::Vector(self.absent(call, grid)?),
            "sort" | "sort_desc" => Value::Vector(sorted(call.name, self.argument(call, 0, grid)?, grid)),
            "clamp" | "clamp_min" | "clamp_max" | "round" => Value::Vector(self.bounded(call, grid)?),
            "histogram_quantile" => {
                let phi = self.number(call, 0, grid)?;
                let columns = self.argument(call, 1, grid)?;
                self.charge(columns.len().saturating_mul(grid.count))?;
                Value::Vector(histogram::quantiles(&phi, &columns)?)
            }
            _ => Value::Vector(self.relabelled(call, grid)?),
        })
    }

    fn argument(&self, call: &Call, i: usize, grid: Grid) -> Result<Vec<Column>, Error> {
        call.args.get(i).map_or(Ok(Vec::new()), |arg| self.vector(arg, grid))
    }

    fn number(&self, call: &Call, i: usize, grid: Grid) -> Result<Vec<f64>, Error> {
        call.args
            .get(i)
            .map_or_else(|| Ok(vec![f64::NAN; grid.count]), |arg| self.scalar(arg, grid))
    }

    fn date(&self, call: &Call, function: fn(Date) -> i64, grid: Grid) -> Result<Vec<Column>, Error> {
        let columns = if call.args.is_empty() {
            let values = grid.times().map(|time| Some(time as f64 / 1000.0)).collect();
            vec![Column {
                labels: Labels::default(),
                values,
            }]
        } else {
            self.argument(call, 0, grid)?
        };
        map(columns, |_, value| {
            // Go leaves it to the processor what a number is that is none or too big; here it has no date.
            let is_time = value.abs() < i64::MAX as f64;
            Some(if is_time {
                function(Date::at(value as i64)) as f64
            } else {
                f64::NAN
            })
        })
    }

    /// The time of the samples themselves where a selector is asked, of the steps otherwise.
    fn timestamp(&self, arg: &Node, grid: Grid) -> Result<Vec<Column>, Error> {
        match &arg.kind {
            Kind::Selector(selector) => map(self.instants(selector, grid, true)?, |_, value| Some(value)),
            _ => map(self.vector(arg, grid)?, |step, _| Some(grid.at(step) as f64 / 1000.0)),
        }
    }

    fn absent(&self, call: &Call, grid: Grid) -> Result<Vec<Column>, Error> {
        let arg = &call.args[0];
        let there = if call.name == "absent" {
            let columns = self.vector(arg, grid)?;
            (0..grid.count)
                .map(|step| columns.iter().any(|column| column.values[step].is_some()))
                .collect()
        } else {
            self.any_over(arg, grid)?
        };
        let labels = match &arg.kind {
            Kind::Selector(selector) | Kind::Range(selector, _) => asked_for(&selector.matchers),
            _ => Labels::default(),
        };
        let values: Vec<Option<f64>> = there.into_iter().map(|there| (!there).then_some(1.0)).collect();
        let any = values.iter().any(Option::is_some);
        Ok(if any {
            vec![Column { labels, values }]
        } else {
            Vec::new()
        })
    }

    fn bounded(&self, call: &Call, grid: Grid) -> Result<Vec<Column>, Error> {
        let columns = self.argument(call, 0, grid)?;
        let first = match call.args.len() {
            1 => vec![1.0; grid.count],
            _ => self.number(call, 1, grid)?,
        };
        let second = if call.name == "clamp" {
            self.number(call, 2, grid)?
        } else {
            Vec::new()
        };
        map(columns, |step, value| match call.name {
            "clamp_min" => Some(go::greater(value, first[step])),
            "clamp_max" => Some(go::lesser(value, first[step])),
            "clamp" if second[step] < first[step] => None,
            "clamp" => Some(go::greater(first[step], go::lesser(second[step], value))),
            _ => {
                // As Prometheus: by the inverse, for whole steps of 0.1 and the like.
                let inverse = 1.0 / first[step];
                Some((value * inverse + 0.5).floor() / inverse)
            }
        })
    }

    fn relabelled(&self, call: &Call, grid: Grid) -> Result<Vec<Column>, Error> {
        let mut columns = self.argument(call, 0, grid)?;
        let text = |i: usize| match call.args.get(i).map(|arg| &arg.kind) {
            Some(Kind::Text(text)) => text.as_str(),
            _ => "",
        };
        if call.name == "label_join" {
            let from: Vec<&str> = (3..call.args.len()).map(text).collect();
            for column in &mut columns {
                let values: Vec<&str> = from.iter().map(|name| column.labels.get(name)).collect();
                column.labels = column.labels.with(text(1), &values.join(text(2)));
            }
        } else if let Ok(pattern) = anchored(text(4)) {
            for column in &mut columns {
                if let Some(found) = pattern.captures(column.labels.get(text(3))) {
                    let value = go::expand(text(2), &found);
                    column.labels = column.labels.with(text(1), &value);
                }
            }
        }
        distinct(columns)
    }
}

/// The value of the only series there is, for each step.
fn only(columns: &[Column], grid: Grid) -> Vec<f64> {
    let at = |step: usize| {
        let mut values = columns.iter().filter_map(|column| column.values[step]);
        values.next().filter(|_| values.next().is_none()).unwrap_or(f64::NAN)
    };
    (0..grid.count).map(at).collect()
}

/// The labels that a series would have at least: those with one `=` and nothing else asked of them.
fn asked_for(matchers: &[Matcher]) -> Labels {
    let asked = matchers.iter().filter_map(|matcher| {
        let times = matchers.iter().filter(|other| other.label == matcher.label).count();
        match &matcher.op {
            MatchOp::Equal(value) if times == 1 && matcher.label != NAME => {
                Some((matcher.label.as_str(), value.as_str()))
            }
            _ => None,
        }
    });
    Labels::new(asked)
}

/// Only an answer at one time has an order; NaN comes last either way.
fn sorted(name: &str, mut columns: Vec<Column>, grid: Grid) -> Vec<Column> {
    if grid.count == 1 {
        columns.retain(|column| column.values[0].is_some());
        columns.sort_by(|a, b| {
            let (a, b) = (a.values[0].unwrap_or(f64::NAN), b.values[0].unwrap_or(f64::NAN));
            let rank = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
            if name == "sort_desc" && !a.is_nan() && !b.is_nan() {
                rank.reverse()
            } else {
                rank
            }
        });
    }
    columns
}

fn elementwise(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => go::acosh,
        "asin" => f64::asin,
        "asinh" => go::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => go::cosh,
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => f64::sin,
        "sinh" => go::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

fn of_date(name: &str) -> Option<fn(Date) -> i64> {
    Some(match name {
        "day_of_month" => |date| date.day,
        "day_of_week" => |date| date.weekday(),
        "day_of_year" => |date| date.day_of_year(),
        "days_in_month" => |date| date.days_in_month(),
        "hour" => |date| date.hour(),
        "minute" => |date| date.minute(),
        "month" => |date| date.month,
        "year" => |date| date.year,
        _ => return None,
    })
}
