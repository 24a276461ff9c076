//! Templates (minijinja) in the values of a runbook and of a role.
//!
//! A missing variable is an error, and what a template may cost is bounded: it may stem from
//! an operator, but what it is filled with stems from anybody who can raise an alert.

mod variables;

use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

use crate::alert::Alert;
use crate::asset::{Asset, Customer};

pub use self::variables::{Kind, Path, variables};

/// Bytes of what one string may become.
pub const MAX_OUTPUT: usize = 64 << 10;

/// What `steps.ID` holds; whoever fills `steps` gives each of them.
pub const STEP_FIELDS: [&str; 7] = [
    "status", "severity", "changed", "summary", "findings", "output", "actions",
];

/// Instructions and data of one template, in minijinja's unit.
const FUEL: u64 = 100_000;

/// Why a template gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct TemplateError {
    /// Which value it stands in, as `paths[2].name`; empty: the value itself.
    pub path: String,
    pub message: String,
    /// Bytes in the template.
    pub span: Option<Range<usize>>,
}

/// What the templates of a runbook see. `input` and `steps` are objects; without an alert,
/// `alert` is none. What an asset or a customer doesn't have is missing, not none.
pub fn context(
    alert: Option<&Alert>,
    target: Option<&Asset>,
    customer: Option<&Customer>,
    input: &Value,
    steps: &Value,
) -> Value {
    json!({
        "alert": alert.map(alert_value),
        "target": target.map(plain),
        "customer": customer.map(plain),
        "input": input,
        "steps": steps,
    })
}

/// What the templates of a role see.
pub fn role_context(asset: &Asset, customer: &Customer) -> Value {
    json!({ "asset": plain(asset), "customer": plain(customer) })
}

/// Whether rendering would change the text.
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Whether rendering would change any string in it.
pub fn holds_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(holds_template),
        Value::Object(entries) => entries.values().any(holds_template),
        _ => false,
    }
}

/// Renders every string in `value`, through tables and arrays. A string that is one `{{ }}` and
/// nothing else becomes what it names, with its type; keys stay as they are.
pub fn render(value: &Value, context: &Value) -> Result<Value, TemplateError> {
    let context = values(context);
    render_at(value, &context, "")
}

/// Renders a text to a text.
pub fn render_text(text: &str, context: &Value) -> Result<String, TemplateError> {
    if is_template(text) {
        filled(text, &values(context))
    } else {
        Ok(text.to_owned())
    }
}

/// What an expression (`each`) comes to.
pub fn value(expression: &str, context: &Value) -> Result<Value, TemplateError> {
    bounded(evaluated(expression, &values(context))?)
}

/// Whether an expression (`when`) holds, by Python's rule: nothing, zero and empty don't.
pub fn truthy(expression: &str, context: &Value) -> Result<bool, TemplateError> {
    let value = evaluated(expression, &values(context))?;
    Ok(value.is_true())
}

/// The expression within, if `text` is one `{{ }}` and nothing else.
pub fn sole_expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    ENVIRONMENT
        .compile_expression_owned(inner.to_owned())
        .is_ok()
        .then_some(inner)
}

/// What later lines of a template can't see: the same environment for all.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are fine"));
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.remove_global("debug");
    environment
});

fn values(context: &Value) -> minijinja::Value {
    minijinja::Value::from(minijinja::value::Serde(context))
}

fn render_at(value: &Value, context: &minijinja::Value, path: &str) -> Result<Value, TemplateError> {
    match value {
        Value::String(text) if is_template(text) => render_string(text, context).map_err(|error| TemplateError {
            path: path.to_owned(),
            ..error
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, item)| render_at(item, context, &format!("{path}[{n}]")))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, item)| Ok((key.clone(), render_at(item, context, &below(path, key))?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        plain => Ok(plain.clone()),
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn render_string(text: &str, context: &minijinja::Value) -> Result<Value, TemplateError> {
    let Some(expression) = sole_expression(text) else {
        return filled(text, context).map(Value::String);
    };
    bounded(evaluated(expression, context)?)
}

fn bounded(value: minijinja::Value) -> Result<Value, TemplateError> {
    let value = serde_json::to_value(value).map_err(|error| plain_error(error.to_string()))?;
    if size(&value) > MAX_OUTPUT {
        return Err(too_large());
    }
    Ok(value)
}

fn filled(text: &str, context: &minijinja::Value) -> Result<String, TemplateError> {
    let template = ENVIRONMENT.template_from_str(text).map_err(explained)?;
    let mut output = Bounded(Vec::new());
    let rendered = template.render_captured_to(context.clone(), &mut output).map(|_| ());
    match rendered {
        Err(error) if error.kind() == ErrorKind::WriteFailure => Err(too_large()),
        Err(error) => Err(explained(error)),
        Ok(()) => String::from_utf8(output.0).map_err(|error| plain_error(error.to_string())),
    }
}

fn evaluated(expression: &str, context: &minijinja::Value) -> Result<minijinja::Value, TemplateError> {
    let compiled = ENVIRONMENT.compile_expression(expression).map_err(explained)?;
    let value = compiled.eval(context.clone()).map_err(explained)?;
    if holds_undefined(&value) {
        return Err(plain_error(format!("`{}` is not there", expression.trim())));
    }
    Ok(value)
}

/// A missing variable may hide in a list or a map that the expression makes.
fn holds_undefined(value: &minijinja::Value) -> bool {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::Undefined => true,
        ValueKind::Seq => value
            .try_iter()
            .is_ok_and(|mut items| items.any(|item| holds_undefined(&item))),
        ValueKind::Map => value
            .try_iter()
            .is_ok_and(|mut keys| keys.any(|key| value.get_item(&key).is_ok_and(|item| holds_undefined(&item)))),
        _ => false,
    }
}

fn explained(error: minijinja::Error) -> TemplateError {
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the template does too much work".to_owned(),
        (ErrorKind::UndefinedError, None) => "a variable is not there".to_owned(),
        (ErrorKind::UndefinedError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest, Some(detail)) => {
            detail.to_owned()
        }
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    TemplateError {
        path: String::new(),
        message,
        span: error.range(),
    }
}

fn plain_error(message: String) -> TemplateError {
    TemplateError {
        path: String::new(),
        message,
        span: None,
    }
}

fn too_large() -> TemplateError {
    plain_error(format!("the result is larger than {} KiB", MAX_OUTPUT >> 10))
}

/// Bytes of text in a value, counting each value without text as eight.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(entries) => entries.iter().map(|(key, item)| key.len() + size(item)).sum(),
        _ => 8,
    }
}

/// Fails the write that would pass the bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn alert_value(alert: &Alert) -> Value {
    json!({
        "name": alert.name(),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "grade": alert.grade,
        "starts_at": alert.starts_at,
        "fingerprint": alert.identity.fingerprint,
        "generator_url": alert.generator_url,
        "source": alert.source,
    })
}

/// Without what is none, so that naming it is an error and not the word `none`.
fn plain(thing: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(thing).expect("assets and customers are plain data");
    if let Value::Object(entries) = &mut value {
        entries.retain(|_, entry| !entry.is_null());
    }
    value
}

#[cfg(test)]
mod tests;
