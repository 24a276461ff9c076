//! Go's own functions, and those of Prometheus for the answers of queries.

use std::sync::Arc;

use super::fmt;
use super::functions::{elements, nil_pointer, text};
use super::value::{Args, Elements, Value};
use super::world::{Answer, Failure, World};

/// Arguments within arguments.
const DEEPEST: usize = 16;

pub(super) fn len(value: &Value) -> Answer {
    let length = match value {
        Value::Text(text) | Value::Html(text) => text.len(),
        Value::Labels(labels) => labels.iter().count(),
        Value::Args(args) => args.named.len(),
        Value::Elements(elements) => elements.list().len(),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        _ => return Err(format!("len of type {}", value.pointed_type_name()).into()),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

pub(super) fn index(args: &[Value]) -> Answer {
    let mut item = args[0].clone();
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in &args[1..] {
        item = match &item {
            Value::Text(text) | Value::Html(text) => {
                let at = position(key, text.len())?;
                let byte = text.as_bytes().get(at).copied();
                byte.map(Value::Byte).ok_or("reflect: string index out of range")?
            }
            Value::Elements(elements) => {
                let at = position(key, elements.list().len())?;
                let element = elements.list().get(at).cloned();
                element.map(Value::Element).ok_or("reflect: slice index out of range")?
            }
            Value::Labels(labels) => Value::text(labels.get(map_key(key)?)),
            Value::Args(args) => args.named.get(map_key(key)?).cloned().unwrap_or(Value::Nil),
            Value::Nil => return Err("index of untyped nil".into()),
            _ => return Err(format!("can't index item of type {}", item.pointed_type_name()).into()),
        };
    }
    Ok(item)
}

/// An index up to and with the length; what is beyond the last is for the caller to see.
fn position(key: &Value, length: usize) -> Result<usize, Failure> {
    let Some(at) = key.int() else {
        return Err(match key {
            Value::Nil => "cannot index slice/array with nil".into(),
            _ => format!("cannot index slice/array with type {}", key.type_name()).into(),
        });
    };
    match usize::try_from(at) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(format!("index out of range: {at}").into()),
    }
}

fn map_key(key: &Value) -> Result<&str, Failure> {
    match key {
        Value::Text(text) => Ok(text),
        Value::Nil => Err("value is nil; should be of type string".into()),
        _ => Err(format!("value has type {}; should be string", key.type_name()).into()),
    }
}

pub(super) fn slice(args: &[Value]) -> Answer {
    let (item, indexes) = (&args[0], &args[1..]);
    if matches!(item, Value::Nil) {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let (length, capacity) = match item {
        Value::Text(_) | Value::Html(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Text(text) | Value::Html(text) => (text.len(), text.len()),
        Value::Elements(elements) => (elements.list().len(), elements.all.len() - elements.from),
        _ => return Err(format!("can't slice item of type {}", item.pointed_type_name()).into()),
    };
    let mut bounds = [0, length, capacity];
    for (bound, key) in bounds.iter_mut().zip(indexes) {
        *bound = position(key, capacity)?;
    }
    let [from, to, end] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    if indexes.len() == 3 && to > end {
        return Err(format!("invalid slice index: {to} > {end}").into());
    }
    Ok(match item {
        Value::Text(text) => Value::text(String::from_utf8_lossy(&text.as_bytes()[from..to])),
        Value::Html(text) => Value::Html(String::from_utf8_lossy(&text.as_bytes()[from..to]).into()),
        Value::Elements(elements) => Value::Elements(Elements {
            all: elements.all.clone(),
            from: elements.from + from,
            to: elements.from + to,
        }),
        _ => Value::Nil,
    })
}

pub(super) fn print(world: &mut World<'_>, args: &[Value]) -> Answer {
    fmt::sprint(args, world.limits().text_bytes).map(Value::text)
}

pub(super) fn println(world: &mut World<'_>, args: &[Value]) -> Answer {
    fmt::sprintln(args, world.limits().text_bytes).map(Value::text)
}

pub(super) fn printf(world: &mut World<'_>, args: &[Value]) -> Answer {
    fmt::sprintf(text(args, 0), &args[1..], world.limits().text_bytes).map(Value::text)
}

/// There are no functions among the values. The last argument is what the first is called.
pub(super) fn call(args: &[Value]) -> Answer {
    Err(match args {
        [Value::Nil, ..] => "call of nil".into(),
        [value, .., name] => format!(
            "non-function {} of type {}",
            name.str().unwrap_or_default(),
            value.type_name()
        )
        .into(),
        _ => "call of nil".into(),
    })
}

pub(super) fn query(world: &mut World<'_>, args: &[Value]) -> Answer {
    let found = world.ask(text(args, 0))?;
    Ok(Value::Elements(Elements::new(
        found.into_iter().map(Arc::new).collect(),
    )))
}

pub(super) fn first(found: &Value) -> Answer {
    let first = elements(found).and_then(|elements| elements.list().first());
    let first = first.ok_or("first() called on vector with no elements")?;
    Ok(Value::Element(first.clone()))
}

pub(super) fn label(name: &str, of: &Value) -> Answer {
    match of {
        Value::Element(element) => Ok(Value::text(element.labels.get(name))),
        _ => Err(nil_pointer()),
    }
}

pub(super) fn value(of: &Value) -> Answer {
    match of {
        Value::Element(element) => Ok(Value::Float(element.value)),
        _ => Err(nil_pointer()),
    }
}

pub(super) fn sort_by_label(world: &mut World<'_>, name: &str, of: &Value) -> Answer {
    let mut sorted = elements(of)
        .map(|elements| elements.list().to_vec())
        .unwrap_or_default();
    world.charge(sorted.len())?;
    sorted.sort_by(|a, b| a.labels.get(name).cmp(b.labels.get(name)));
    Ok(Value::Elements(Elements::new(sorted)))
}

pub(super) fn args(args: &[Value]) -> Answer {
    let depth = args
        .iter()
        .map(|value| if let Value::Args(args) = value { args.depth } else { 0 });
    let depth = depth.max().unwrap_or(0) + 1;
    if depth > DEEPEST {
        return Err(Failure::limit(format!("`args` within `args` more than {DEEPEST} deep")));
    }
    let named = args
        .iter()
        .enumerate()
        .map(|(n, value)| (format!("arg{n}"), value.clone()));
    Ok(Value::Args(Arc::new(Args {
        named: named.collect(),
        depth,
    })))
}
