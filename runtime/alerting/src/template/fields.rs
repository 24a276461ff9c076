//! Fields and methods of values.

use super::functions::Function;
use super::time;
use super::value::Value;
use super::world::Failure;

/// The method of that name, if the value has one.
pub(super) fn method(value: &Value, name: &str) -> Result<Option<Function>, Failure> {
    match value {
        Value::Time(_) => match time::method(name) {
            Some(method) => Ok(Some(method)),
            None if time::LEFT_OUT.contains(&name) => {
                Err(format!("the method {name} of times is left out here").into())
            }
            None => Ok(None),
        },
        Value::Month(_) | Value::Weekday(_) if name == "String" => Ok(Some(time::NAME)),
        _ => Ok(None),
    }
}

/// The value of a field, and whether it is of any type, as Go has it.
pub(super) fn field(value: &Value, boxed: bool, name: &str, given: bool) -> Result<(Value, bool), Failure> {
    let field = match value {
        // Without data there is nothing to find.
        Value::Nil if !boxed => return Ok((Value::Nil, false)),
        Value::Nil => return Err(format!("nil pointer evaluating interface {{}}.{name}").into()),
        Value::Root(root) => match name {
            "Labels" => Some((Value::Labels(root.labels.clone()), false)),
            "ExternalLabels" => Some((Value::Labels(root.external_labels.clone()), false)),
            "ExternalURL" => Some((Value::Text(root.external_url.clone()), false)),
            "Value" => Some((Value::Float(root.value), true)),
            _ => None,
        },
        Value::Element(element) => match name {
            "Labels" => Some((Value::Labels(element.labels.clone()), false)),
            "Value" => Some((Value::Float(element.value), false)),
            _ => None,
        },
        Value::Labels(_) | Value::Args(_) if given => {
            return Err(format!("{name} is not a method but has arguments").into());
        }
        Value::Labels(labels) => Some((Value::text(labels.get(name)), false)),
        Value::Args(args) => Some((args.named.get(name).cloned().unwrap_or(Value::Nil), true)),
        _ => None,
    };
    match field {
        Some(_) if given => Err(format!("{name} has arguments but cannot be invoked as function").into()),
        Some(field) => Ok(field),
        None => {
            let of = if boxed { "interface {}" } else { value.type_name() };
            Err(format!("can't evaluate field {name} in type {of}").into())
        }
    }
}
