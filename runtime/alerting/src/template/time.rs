//! Times and durations.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::fmt;
use super::functions::{Function, Param, text};
use super::humanize;
use super::value::{Time, Value};
use super::world::{Answer, Failure};
use crate::promql::UNITS;

/// Methods that Go has for times, and that no template that we know of calls.
pub(super) const LEFT_OUT: [&str; 24] = [
    "Add",
    "AddDate",
    "After",
    "AppendBinary",
    "AppendFormat",
    "AppendText",
    "Before",
    "Clock",
    "Compare",
    "Date",
    "Equal",
    "GoString",
    "GobDecode",
    "GobEncode",
    "ISOWeek",
    "In",
    "Local",
    "Location",
    "MarshalBinary",
    "MarshalJSON",
    "MarshalText",
    "Round",
    "Sub",
    "Truncate",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The text of a month or a day of the week.
pub(super) const NAME: Function = Function::new("String", &[], None, |_, args| Ok(Value::text(name_of(&args[0]))));

const METHODS: &[Function] = &[
    NAME,
    Function::new("Format", &[Param::Text], None, |_, args| {
        Ok(Value::text(format(when(args), text(args, 1))))
    }),
    Function::new("Unix", &[], None, |_, args| Ok(Value::Int(when(args).timestamp()))),
    Function::new("UnixMilli", &[], None, |_, args| {
        Ok(Value::Int(when(args).timestamp_millis()))
    }),
    Function::new("UnixMicro", &[], None, |_, args| {
        Ok(Value::Int(when(args).timestamp_micros()))
    }),
    Function::new("UnixNano", &[], None, |_, args| {
        Ok(Value::Int(when(args).timestamp_millis().wrapping_mul(1_000_000)))
    }),
    Function::new("Year", &[], None, |_, args| Ok(Value::Int(when(args).year().into()))),
    Function::new("Month", &[], None, |_, args| Ok(Value::Month(when(args).month()))),
    Function::new("Weekday", &[], None, |_, args| {
        Ok(Value::Weekday(when(args).weekday().num_days_from_sunday()))
    }),
    Function::new("Day", &[], None, |_, args| Ok(int(when(args).day()))),
    Function::new("YearDay", &[], None, |_, args| Ok(int(when(args).ordinal()))),
    Function::new("Hour", &[], None, |_, args| Ok(int(when(args).hour()))),
    Function::new("Minute", &[], None, |_, args| Ok(int(when(args).minute()))),
    Function::new("Second", &[], None, |_, args| Ok(int(when(args).second()))),
    Function::new("Nanosecond", &[], None, |_, args| Ok(int(when(args).nanosecond()))),
    Function::new("IsZero", &[], None, |_, _| Ok(Value::Bool(false))),
    Function::new("UTC", &[], None, |_, args| match args {
        [Value::Time(time), ..] => Ok(Value::Time(Time {
            pointer: false,
            ..*time
        })),
        _ => Ok(Value::Nil),
    }),
];

pub(super) fn method(name: &str) -> Option<Function> {
    METHODS.iter().find(|method| method.name == name).copied()
}

fn int(value: u32) -> Value {
    Value::Int(value.into())
}

fn when(args: &[Value]) -> DateTime<Utc> {
    match args {
        [Value::Time(time), ..] => moment(*time),
        _ => DateTime::UNIX_EPOCH,
    }
}

/// Only what 64 bits of nanoseconds hold becomes a time, which is far from chrono's own bounds.
fn moment(time: Time) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.ms).unwrap_or_default()
}

pub(super) fn name_of(value: &Value) -> String {
    let place = |of: u32| usize::try_from(of).unwrap_or(usize::MAX);
    match value {
        Value::Month(of) => MONTHS
            .get(place(*of).wrapping_sub(1))
            .map_or_else(|| format!("%!Month({of})"), |name| (*name).to_owned()),
        Value::Weekday(of) => DAYS
            .get(place(*of))
            .map_or_else(|| format!("%!Weekday({of})"), |name| (*name).to_owned()),
        Value::Time(time) => string(*time),
        _ => String::new(),
    }
}

/// Seconds since 1970, kept in milliseconds.
pub(super) fn from_value(value: &Value) -> Result<Time, Failure> {
    let seconds = humanize::float(value)?;
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".into());
    }
    let nanoseconds = seconds * 1e9;
    if nanoseconds.abs() > 9_223_372_036_854_775_807.0 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            fmt::shortest(seconds)
        )
        .into());
    }
    Ok(Time {
        ms: nanoseconds as i64 / 1_000_000,
        pointer: true,
    })
}

pub(super) fn humanize(value: &Value) -> Answer {
    let seconds = humanize::float(value)?;
    if !seconds.is_finite() {
        return Ok(Value::text(fmt::general(seconds, 4)));
    }
    from_value(&Value::Float(seconds)).map(|time| Value::text(string(time)))
}

pub(super) fn string(time: Time) -> String {
    format(moment(time), "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// Go's layouts, longest first where one begins as another, each with what it stands for.
const LAYOUTS: [(&str, &str); 34] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("__2", "{yearday}"),
    ("_2006", "_%Y"),
    ("_2", "%e"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-070000", "+000000"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z07:00", "Z"),
    ("Z070000", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

fn format(time: DateTime<Utc>, layout: &str) -> String {
    let mut shown = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some((after, fraction)) = fraction(rest, time) {
            shown.push_str(&fraction);
            rest = after;
            continue;
        }
        let found = LAYOUTS.iter().find_map(|(written, format)| {
            let after = rest.strip_prefix(written)?;
            let lower = after.starts_with(|c: char| c.is_ascii_lowercase());
            (*written != "Jan" || !lower).then_some((after, *format))
        });
        match found {
            Some((after, "{yearday}")) => {
                shown.push_str(&format!("{:3}", time.ordinal()));
                rest = after;
            }
            Some((after, format)) => {
                shown.push_str(&time.format(format).to_string());
                rest = after;
            }
            None => {
                shown.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    shown
}

/// A point or a comma before zeros, or before nines that drop zeros at the end.
fn fraction(rest: &str, time: DateTime<Utc>) -> Option<(&str, String)> {
    let point = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let kind = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = rest[1..].trim_start_matches(kind);
    let digits = rest.len() - 1 - after.len();
    if after.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let all = format!("{:09}", time.nanosecond());
    let kept = format!("{}{}", &all[..digits.min(9)], "0".repeat(digits.saturating_sub(9)));
    if kind == '0' {
        return Some((after, format!("{point}{kept}")));
    }
    let kept = kept.trim_end_matches('0');
    Some((
        after,
        if kept.is_empty() {
            String::new()
        } else {
            format!("{point}{kept}")
        },
    ))
}

/// Whole numbers with units, the longer first, each at most once; in seconds.
pub(super) fn parse_duration(written: &str) -> Answer {
    if written == "0" {
        return Ok(Value::Float(0.0));
    }
    if written.is_empty() {
        return Err("empty duration string".into());
    }
    let wrong = || Failure::from(format!("not a valid duration string: {}", fmt::quoted(written)));
    let (mut rest, mut next, mut total) = (written, 0, 0u64);
    let mut overflows = false;
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &rest[..rest.len() - after.len()];
        let unit = &after[..after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len())];
        if digits.is_empty() || unit.is_empty() || digits.parse::<u64>().is_err() {
            return Err(wrong());
        }
        let place = UNITS.iter().position(|(name, _)| *name == unit);
        let place = place.ok_or_else(|| {
            let (unit, written) = (fmt::quoted(unit), fmt::quoted(written));
            Failure::from(format!("unknown unit {unit} in duration {written}"))
        })?;
        if place < next {
            return Err(wrong());
        }
        let part = digits
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(UNITS[place].1.unsigned_abs()));
        match part.and_then(|part| total.checked_add(part)) {
            Some(sum) => total = sum,
            None => overflows = true,
        }
        next = place + 1;
        rest = &after[unit.len()..];
    }
    if overflows || total > (i64::MAX / 1_000_000).unsigned_abs() {
        return Err("duration out of range".into());
    }
    Ok(Value::Float(total as f64 * 1e6 / 1e9))
}
