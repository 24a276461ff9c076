//! What a key can hold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::de::DeValue;

use super::At;
use crate::quantity;

pub(crate) enum Fault {
    /// Another type than [`Value::EXPECTED`].
    Type,
    /// A part of it is of another type: where, and which.
    Part(Range<usize>, &'static str),
    /// The right type, and no such thing: what to write, beside the token.
    Value(String),
}

pub(crate) trait Value: Sized {
    /// With its article: `a string`.
    const EXPECTED: &'static str;
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault>;
}

impl Value for String {
    const EXPECTED: &'static str = "a string";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        value.get_ref().as_str().map(str::to_owned).ok_or(Fault::Type)
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        value.get_ref().as_bool().ok_or(Fault::Type)
    }
}

/// At least one.
pub(crate) struct Count(pub u32);

impl Value for Count {
    const EXPECTED: &'static str = "a whole number from 1 up";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        match integer(value.get_ref()).map(u32::try_from) {
            Some(Ok(count)) if count > 0 => Ok(Self(count)),
            Some(_) => Err(Fault::Value("it is at least 1".to_owned())),
            None => Err(Fault::Type),
        }
    }
}

impl Value for Duration {
    const EXPECTED: &'static str = "a duration";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        let duration = quantity::duration(text);
        duration.ok_or_else(|| Fault::Value("write it like `90s`, `10m` or `1h30m`".to_owned()))
    }
}

/// A duration that is not zero.
pub(crate) struct Span(pub Duration);

impl Value for Span {
    const EXPECTED: &'static str = "a duration";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let duration = Duration::read(value)?;
        match duration.is_zero() {
            true => Err(Fault::Value("it is longer than nothing".to_owned())),
            false => Ok(Self(duration)),
        }
    }
}

/// Bytes.
pub(crate) struct Size(pub u64);

impl Value for Size {
    const EXPECTED: &'static str = "a size";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        match quantity::size(text) {
            Some(size) if size > 0 => Ok(Self(size)),
            _ => Err(Fault::Value("write it like `256KiB` or `4MiB`".to_owned())),
        }
    }
}

/// Strings, each with its place.
pub(crate) type Strings = Vec<At<String>>;

impl Value for Strings {
    const EXPECTED: &'static str = "an array of strings";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let items = value.get_ref().as_array().ok_or(Fault::Type)?;
        items.iter().map(string).collect()
    }
}

/// Strings by name, each with its place.
pub(crate) type StringTable = BTreeMap<String, At<String>>;

impl Value for StringTable {
    const EXPECTED: &'static str = "a table of strings";
    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let entries = value.get_ref().as_table().ok_or(Fault::Type)?;
        let entries = entries
            .iter()
            .map(|(key, value)| Ok((key.get_ref().to_string(), string(value)?)));
        entries.collect()
    }
}

/// A string within something.
fn string(value: &At<DeValue<'_>>) -> Result<At<String>, Fault> {
    match value.get_ref().as_str() {
        Some(text) => Ok(At::new(value.span(), text.to_owned())),
        None => Err(Fault::Part(value.span(), kind_of(value.get_ref()))),
    }
}

pub(crate) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// With its article.
pub(crate) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
