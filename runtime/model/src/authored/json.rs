//! TOML that is data (`with`, `vars`) as JSON, with the place of each part.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::value::integer;
use super::{At, Table};

#[derive(Clone, Debug, Default)]
pub(crate) struct Json {
    pub value: Value,
    pub place: Place,
}

/// Where a value and its parts stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// None for the elements of an array, and the whole.
    pub key: Option<Range<usize>>,
    pub value: Range<usize>,
    parts: BTreeMap<String, Place>,
}

impl Place {
    /// The deepest part on the way that there is.
    pub fn at(&self, path: &[String]) -> &Self {
        let part = path
            .split_first()
            .and_then(|(first, rest)| Some(self.parts.get(first)?.at(rest)));
        part.unwrap_or(self)
    }
}

impl Json {
    /// An empty object that is not in the text.
    pub fn absent(place: Range<usize>) -> Self {
        Self {
            value: Value::Object(Map::new()),
            place: Place {
                value: place,
                ..Place::default()
            },
        }
    }

    /// Dates and times become strings. A number that JSON lacks is a problem.
    pub fn read(table: &Table<'_, '_>, value: &At<DeValue<'_>>) -> Self {
        let mut place = Place {
            value: value.span(),
            ..Place::default()
        };
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(boolean) => Value::Bool(*boolean),
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => number(table, value),
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(n, item)| {
                    let item = Self::read(table, item);
                    place.parts.insert(n.to_string(), item.place);
                    item.value
                });
                Value::Array(items.collect())
            }
            DeValue::Table(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let mut entry = Self::read(table, value);
                    entry.place.key = Some(key.span());
                    place.parts.insert(key.get_ref().to_string(), entry.place);
                    (key.get_ref().to_string(), entry.value)
                });
                Value::Object(entries.collect())
            }
        };
        Self { value, place }
    }

    /// Every string in it, with its place.
    pub fn strings(&self) -> Vec<At<String>> {
        let mut strings = Vec::new();
        collect(&self.value, &self.place, &mut strings);
        strings
    }
}

fn collect(value: &Value, place: &Place, strings: &mut Vec<At<String>>) {
    match value {
        Value::String(text) => strings.push(At::new(place.value.clone(), text.clone())),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                if let Some(part) = place.parts.get(&n.to_string()) {
                    collect(item, part, strings);
                }
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                if let Some(part) = place.parts.get(key) {
                    collect(item, part, strings);
                }
            }
        }
        _ => {}
    }
}

fn number(table: &Table<'_, '_>, value: &At<DeValue<'_>>) -> Value {
    if let Some(integer) = integer(value.get_ref()) {
        return Value::Number(integer.into());
    }
    let float = value.get_ref().as_float().and_then(|float| float.as_str().parse().ok());
    match float.and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => {
            let problem = table.problem("bad-value", value.span(), "this number can't be passed on");
            table.say(problem.label("not finite, or past 64 bits"));
            Value::Null
        }
    }
}
