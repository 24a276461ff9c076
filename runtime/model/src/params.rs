//! Parameters against the JSON schema in a plugin's manifest (draft 2020-12).

mod schemas;

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

pub use schemas::Schemas;

/// A schema, compiled. Nothing that it refers to is ever fetched.
#[derive(Debug)]
pub struct Schema(Validator);

/// One thing that a schema rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// From the parameters down; indices of arrays are numbers.
    pub path: Vec<String>,
    pub reason: Reason,
    /// Lower case, without the path.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The key of that name is missing.
    Missing(String),
    /// There is no such key; the path leads to it.
    UnknownKey,
    /// The type of the value at the path is wrong.
    Type,
    /// The value itself.
    Value,
}

impl Schema {
    /// The error says why this is no schema.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let options = jsonschema::options().with_draft(Draft::Draft202012).offline();
        options.build(schema).map(Self).map_err(|error| error.to_string())
    }

    /// All that is wrong with `params`.
    pub fn rejections(&self, params: &Value) -> Vec<Rejection> {
        self.0
            .iter_errors(params)
            .flat_map(|error| rejections(&error))
            .collect()
    }

    /// Whether a plugin may see these parameters. The errors are sentences that name the place.
    pub fn validate(&self, params: &Value) -> Result<(), Vec<String>> {
        let rejections = self.rejections(params);
        if rejections.is_empty() {
            Ok(())
        } else {
            Err(rejections.iter().map(ToString::to_string).collect())
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_slice() {
            [] => f.write_str(&self.message),
            path => write!(f, "`{}`: {}", path.join("."), self.message),
        }
    }
}

fn rejections(error: &ValidationError<'_>) -> Vec<Rejection> {
    let path = error
        .instance_path()
        .segments()
        .map(|segment| segment.to_string())
        .collect::<Vec<_>>();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|key| Rejection {
                path: path.iter().chain([key]).cloned().collect(),
                reason: Reason::UnknownKey,
                message: "there is no such parameter".to_owned(),
            })
            .collect(),
        kind => vec![Rejection {
            path,
            reason: reason(kind),
            message: message(kind, error),
        }],
    }
}

fn reason(kind: &Kind) -> Reason {
    match kind {
        Kind::Required { property } => Reason::Missing(property.as_str().unwrap_or_default().to_owned()),
        Kind::Type { .. } => Reason::Type,
        _ => Reason::Value,
    }
}

fn message(kind: &Kind, error: &ValidationError<'_>) -> String {
    match kind {
        Kind::Required { property } => format!("`{}` is missing", property.as_str().unwrap_or_default()),
        Kind::Type { kind } => format!("must be {}, not {}", types(kind), type_of(error.instance())),
        Kind::Enum { options } => match options.as_array() {
            Some(options) => format!("must be one of {}", list(options)),
            None => error.to_string(),
        },
        Kind::Constant { expected_value } => format!("must be `{expected_value}`"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} elements"),
        Kind::MaxItems { limit } => format!("must have at most {limit} elements"),
        Kind::UniqueItems => "must have no element twice".to_owned(),
        Kind::Pattern { pattern } => format!("must match `{pattern}`"),
        Kind::Format { format } => format!("must be a valid {format}"),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match constants(context) {
            Some(options) => format!("must be one of {}", list(&options)),
            None => "has none of the forms that the schema allows".to_owned(),
        },
        Kind::OneOfMultipleValid { .. } => "has several of the forms that the schema tells apart".to_owned(),
        _ => error.to_string(),
    }
}

/// The values of forms that are one value each, as of an enumeration with a description a value.
fn constants(forms: &[Vec<ValidationError<'_>>]) -> Option<Vec<Value>> {
    let value = |errors: &Vec<ValidationError<'_>>| {
        errors.iter().find_map(|error| match error.kind() {
            Kind::Constant { expected_value } => Some(vec![expected_value.as_ref().clone()]),
            Kind::Enum { options } => options.as_array().cloned(),
            _ => None,
        })
    };
    let values: Option<Vec<_>> = forms.iter().map(value).collect();
    values.map(|values| values.concat())
}

fn types(kind: &jsonschema::error::TypeKind) -> String {
    let name = |kind: jsonschema::JsonType| match kind {
        jsonschema::JsonType::Array => "an array",
        jsonschema::JsonType::Boolean => "a boolean",
        jsonschema::JsonType::Integer => "an integer",
        jsonschema::JsonType::Null => "null",
        jsonschema::JsonType::Number => "a number",
        jsonschema::JsonType::Object => "a table",
        jsonschema::JsonType::String => "a string",
    };
    match kind {
        jsonschema::error::TypeKind::Single(kind) => name(*kind).to_owned(),
        jsonschema::error::TypeKind::Multiple(kinds) => {
            // Nothing in TOML is null.
            let kinds = kinds.iter().filter(|kind| *kind != jsonschema::JsonType::Null);
            kinds.map(name).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}

fn list(options: &[Value]) -> String {
    let quoted = |option: &Value| match option {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    options.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "root": { "type": "string" },
                "warn": { "type": "integer", "minimum": 1, "maximum": 100 },
                "mode": { "enum": ["a", "b"] },
                "keep": { "type": ["array", "null"], "items": { "type": "string" } }
            },
            "required": ["root"],
            "additionalProperties": false
        })
    }

    #[test]
    fn good_parameters_pass() {
        let params = json!({ "root": "data", "warn": 80, "keep": ["x"] });
        assert_eq!(Schema::new(&schema()).unwrap().validate(&params), Ok(()));
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let params = json!({ "warn": 900, "mode": "c", "keep": [1], "rot": "x" });
        let mut errors = Schema::new(&schema()).unwrap().validate(&params).unwrap_err();
        errors.sort();
        assert_eq!(
            errors,
            [
                "`keep.0`: must be a string, not an integer",
                "`mode`: must be one of `a`, `b`",
                "`root` is missing",
                "`rot`: there is no such parameter",
                "`warn`: must be at most 100",
            ]
        );
    }

    #[test]
    fn values_with_a_description_each_are_listed() {
        let mode = json!([
            { "const": "a", "type": "string", "description": "the first" },
            { "enum": ["b", "c"], "type": "string" }
        ]);
        for forms in ["oneOf", "anyOf"] {
            let schema = json!({ "type": "object", "properties": { "mode": { forms: mode.clone() } } });
            for wrong in [json!("d"), json!(1)] {
                assert_eq!(
                    Schema::new(&schema)
                        .unwrap()
                        .validate(&json!({ "mode": wrong }))
                        .unwrap_err(),
                    ["`mode`: must be one of `a`, `b`, `c`"]
                );
            }
        }
        let schema = json!({ "type": "object", "properties": { "mode": { "oneOf": [{ "const": "a" }, { "type": "integer" }] } } });
        assert_eq!(
            Schema::new(&schema)
                .unwrap()
                .validate(&json!({ "mode": "b" }))
                .unwrap_err(),
            ["`mode`: has none of the forms that the schema allows"]
        );
    }

    #[test]
    fn a_schema_that_refers_elsewhere_is_refused_and_not_fetched() {
        assert!(Schema::new(&json!({ "$ref": "https://example.com/x.json" })).is_err());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(Schema::new(&json!({ "type": "strin" })).is_err());
        assert!(Schema::new(&json!(7)).is_err());
    }
}
