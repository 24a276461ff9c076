//! `eq` and its kin, with Go's rules for what may be compared.

use std::cmp::Ordering;
use std::sync::Arc;

use super::fmt;
use super::value::Value;
use super::world::{Answer, Failure, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Uint,
    Float,
    Text,
    Other,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) | Value::Month(_) | Value::Weekday(_) => Kind::Int,
        Value::Byte(_) => Kind::Uint,
        Value::Float(_) => Kind::Float,
        Value::Text(_) | Value::Html(_) => Kind::Text,
        _ => Kind::Other,
    }
}

pub(super) fn eq(world: &World<'_>, args: &[Value]) -> Answer {
    let (first, others) = (&args[0], &args[1..]);
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(world, first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn ne(world: &World<'_>, args: &[Value]) -> Answer {
    equal(world, &args[0], &args[1]).map(|equal| Value::Bool(!equal))
}

pub(super) fn lt(args: &[Value]) -> Answer {
    less(&args[0], &args[1]).map(Value::Bool)
}

pub(super) fn le(world: &World<'_>, args: &[Value]) -> Answer {
    at_most(world, args).map(Value::Bool)
}

/// Go takes it for the opposite of `le`, of what can't be ordered too.
pub(super) fn gt(world: &World<'_>, args: &[Value]) -> Answer {
    at_most(world, args).map(|at_most| Value::Bool(!at_most))
}

pub(super) fn ge(args: &[Value]) -> Answer {
    less(&args[0], &args[1]).map(|less| Value::Bool(!less))
}

fn at_most(world: &World<'_>, args: &[Value]) -> Result<bool, Failure> {
    Ok(less(&args[0], &args[1])? || equal(world, &args[0], &args[1])?)
}

fn equal(world: &World<'_>, a: &Value, b: &Value) -> Result<bool, Failure> {
    let (left, right) = (kind(a), kind(b));
    if let Some(order) = whole_numbers(a, b) {
        return Ok(order == Ordering::Equal);
    }
    if left != right {
        // Nothing is comparable with anything, and equal to nothing but itself.
        return if matches!(a, Value::Nil) || matches!(b, Value::Nil) {
            Ok(false)
        } else {
            Err(incompatible(a, b))
        };
    }
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Element(a), Value::Element(b)) => Arc::ptr_eq(a, b),
        (Value::Time(a), Value::Time(b)) if !a.pointer && !b.pointer => a == b,
        (Value::Time(_), Value::Time(_)) => return Err("comparing times is left out here".into()),
        _ if shape(a) == Shape::Pointer && shape(b) == Shape::Pointer => false,
        _ if left == Kind::Text => a.str() == b.str(),
        _ => return Err(not_comparable(world, a, b)),
    })
}

fn less(a: &Value, b: &Value) -> Result<bool, Failure> {
    if kind(a) == Kind::Other || kind(b) == Kind::Other {
        return Err("invalid type for comparison".into());
    }
    if let Some(order) = whole_numbers(a, b) {
        return Ok(order == Ordering::Less);
    }
    if kind(a) != kind(b) {
        return Err(incompatible(a, b));
    }
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Bool(_), _) => Err("invalid type for comparison".into()),
        _ => Ok(a.str() < b.str()),
    }
}

fn whole_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    Some(a.int()?.cmp(&b.int()?))
}

fn incompatible(a: &Value, b: &Value) -> Failure {
    format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    )
    .into()
}

/// What Go compares of the types that are no basic ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Struct,
    Map,
    Slice,
    Pointer,
}

fn shape(value: &Value) -> Shape {
    match value {
        Value::Labels(_) | Value::Args(_) => Shape::Map,
        Value::Elements(_) => Shape::Slice,
        Value::Element(_) => Shape::Pointer,
        Value::Time(time) if time.pointer => Shape::Pointer,
        _ => Shape::Struct,
    }
}

fn not_comparable(world: &World<'_>, a: &Value, b: &Value) -> Failure {
    let shown = |format, value| fmt::sprintf(format, std::slice::from_ref(value), world.limits().text_bytes);
    let (left, right) = (a.type_name(), b.type_name());
    let message = if shape(a) == shape(b) {
        shown("%s", b).map(|b| format!("non-comparable type {b}: {right}"))
    } else {
        shown("%s", a).and_then(|a| {
            Ok(format!(
                "non-comparable types {a}: {left}, {right}: {}",
                shown("%v", b)?
            ))
        })
    };
    message.map_or_else(|failure| failure, Failure::from)
}
