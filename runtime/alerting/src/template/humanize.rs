//! Numbers for people, as Prometheus writes them.

use super::fmt;
use super::value::Value;
use super::world::{Answer, Failure};
use crate::promql::go;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// A number, or a text that is one.
pub(super) fn float(value: &Value) -> Result<f64, Failure> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Text(text) => go::float(text)
            .map_err(|why| format!("strconv.ParseFloat: parsing {}: {}", fmt::quoted(text), why.as_str()).into()),
        _ => Err(format!("can't convert {} to float", value.type_name()).into()),
    }
}

pub(super) fn number(value: &Value) -> Answer {
    let value = float(value)?;
    if value == 0.0 || !value.is_finite() {
        return short(value, "");
    }
    let (value, prefix) = if value.abs() >= 1.0 {
        large(value, 1000.0, &LARGE)
    } else {
        small(value)
    };
    short(value, prefix)
}

pub(super) fn binary(value: &Value) -> Answer {
    let value = float(value)?;
    if value.abs() <= 1.0 || !value.is_finite() {
        return short(value, "");
    }
    let (value, prefix) = large(value, 1024.0, &BINARY);
    short(value, prefix)
}

pub(super) fn percentage(value: &Value) -> Answer {
    short(float(value)? * 100.0, "%")
}

pub(super) fn duration(value: &Value) -> Answer {
    let value = float(value)?;
    if !value.is_finite() {
        return short(value, "");
    }
    if value == 0.0 {
        return short(value, "s");
    }
    if value.abs() < 1.0 {
        let (value, prefix) = small(value);
        return short(value, &format!("{prefix}s"));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let magnitude = value.abs();
    let whole = seconds(magnitude);
    let (minutes, hours, days) = (whole / 60 % 60, whole / 3600 % 24, whole / 86400);
    let rest = whole % 60;
    if days != 0 {
        return Ok(Value::text(format!("{sign}{days}d {hours}h {minutes}m {rest}s")));
    }
    if hours != 0 {
        return Ok(Value::text(format!("{sign}{hours}h {minutes}m {rest}s")));
    }
    if minutes != 0 {
        return Ok(Value::text(format!("{sign}{minutes}m {rest}s")));
    }
    Ok(Value::text(format!("{sign}{}s", fmt::general(magnitude, 4))))
}

/// Whole seconds; what doesn't fit is the smallest number on the machines that Prometheus mostly runs on.
fn seconds(magnitude: f64) -> i64 {
    if magnitude < 9_223_372_036_854_775_808.0 {
        magnitude as i64
    } else {
        i64::MIN
    }
}

fn large(value: f64, base: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let (mut value, mut prefix) = (value, "");
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn small(value: f64) -> (f64, &'static str) {
    let (mut value, mut prefix) = (value, "");
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

fn short(value: f64, unit: &str) -> Answer {
    Ok(Value::text(format!("{}{unit}", fmt::general(value, 4))))
}
