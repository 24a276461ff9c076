//! Names and values as they stand in the text, and what they mean.

use std::borrow::Cow;

use super::number;

/// A name or a value as it is written, between its quotes if it has some; read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Written<'t> {
    raw: &'t str,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Escaped,
    /// A `le` or `quantile`: 1, 1.0 and 1e0 are one series.
    Bound,
}

impl<'t> Written<'t> {
    pub(super) fn new(raw: &'t str, form: Form) -> Self {
        Self { raw, form }
    }

    pub(super) fn as_bound(self) -> Self {
        Self::new(self.raw, Form::Bound)
    }

    /// As it is written, escapes and all.
    pub fn raw(&self) -> &'t str {
        self.raw
    }

    /// What it means. Bounds of histograms and summaries are spelt as Prometheus 3 spells them: `1.0`, `+Inf`.
    pub fn read(&self) -> Cow<'t, str> {
        match self.form {
            Form::Plain => Cow::Borrowed(self.raw),
            Form::Escaped => unescaped(self.raw, &Escapes::Quoted),
            Form::Bound => bound(unescaped(self.raw, &Escapes::Quoted)),
        }
    }
}

/// Where a backslash stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// In quotes, and in OpenMetrics' help: `\\`, `\n` and `\"`.
    Quoted,
    /// In the text format's help: `\\` and `\n`.
    Help,
}

/// Any other escape stands for itself, backslash and all: that is not refused.
pub(super) fn unescaped<'t>(raw: &'t str, escapes: &Escapes) -> Cow<'t, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    text.push_str(plain);
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let (meant, length) = match (rest.as_bytes().get(at + 1), escapes) {
            (Some(b'\\'), _) => ('\\', 2),
            (Some(b'n'), _) => ('\n', 2),
            (Some(b'"'), Escapes::Quoted) => ('"', 2),
            _ => ('\\', 1),
        };
        text.push(meant);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// A number as OpenMetrics writes it; what is none stays as it is.
fn bound(value: Cow<'_, str>) -> Cow<'_, str> {
    let Ok(number) = number::parse_bound(&value) else {
        return value;
    };
    let canonical = canonical(number);
    if canonical == *value {
        value
    } else {
        Cow::Owned(canonical)
    }
}

/// Shortest digits, with an exponent from 1e+06 on and below 1e-04 (Go's `%g`), and never without a dot or one.
fn canonical(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{number:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
