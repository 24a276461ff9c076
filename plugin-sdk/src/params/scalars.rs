use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::sql::Value;

/// Values of a statement's placeholders: texts, whole numbers, numbers and booleans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scalars(pub Vec<Value>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<serde_json::Value>::deserialize(deserializer)?.into_iter();
        let read = |value: serde_json::Value| {
            scalar(&value).ok_or_else(|| de::Error::custom(format!("`{value}` can't be a parameter")))
        };
        values.map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl JsonSchema for Scalars {
    fn schema_name() -> Cow<'static, str> {
        "Scalars".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": ["string", "number", "boolean"] },
        })
    }
}

/// Nothing for a list, a table, or a number that is too large.
fn scalar(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Bool(value) => Some(Value::Boolean(*value)),
        serde_json::Value::String(text) => Some(Value::Text(text.clone())),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(Value::Integer(whole)),
            None => number.as_f64().filter(|_| number.is_f64()).map(Value::Real),
        },
        _ => None,
    }
}
