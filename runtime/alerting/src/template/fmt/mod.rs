//! Go's `fmt`: what its verbs make of each type, and what it says of verbs and arguments that don't go together.

mod float;
mod integer;
mod printer;
mod text;
mod verbs;

use super::value::{Time, Value};
use super::world::{Failure, too_long};
use printer::Printer;

pub(super) use text::{escaped as quoted, is_printed};

/// As an action prints it.
pub(super) fn printed(value: &Value, max: usize) -> Result<String, Failure> {
    let mut printer = Printer::new(max);
    show(&mut printer, value);
    printer.finish()
}

fn show(printer: &mut Printer, value: &Value) {
    match value {
        Value::Nil => printer.push("<no value>"),
        Value::Element(_) => printer.value(value, 'v', 1, true),
        Value::Time(time) => printer.top(
            &Value::Time(Time {
                pointer: false,
                ..*time
            }),
            'v',
        ),
        _ => printer.top(value, 'v'),
    }
}

/// `print`: a space between two that are no strings.
pub(super) fn sprint(values: &[Value], max: usize) -> Result<String, Failure> {
    let mut printer = Printer::new(max);
    spaced(
        &mut printer,
        values,
        |value| value.str().is_some(),
        |printer, value| {
            printer.top(value, 'v');
        },
    );
    printer.finish()
}

/// The same of values that are each as an action prints them.
pub(super) fn sprint_shown(values: &[Value], max: usize) -> Result<String, Failure> {
    let mut printer = Printer::new(max);
    let is_text = |value: &Value| value.str().is_some() || matches!(value, Value::Nil);
    spaced(&mut printer, values, is_text, show);
    printer.finish()
}

fn spaced(
    printer: &mut Printer,
    values: &[Value],
    is_text: impl Fn(&Value) -> bool,
    print: impl Fn(&mut Printer, &Value),
) {
    let mut before = true;
    for (n, value) in values.iter().enumerate() {
        let text = is_text(value);
        if n > 0 && !text && !before {
            printer.push(" ");
        }
        print(printer, value);
        before = text;
    }
}

/// `println`: a space between all of them.
pub(super) fn sprintln(values: &[Value], max: usize) -> Result<String, Failure> {
    let mut printer = Printer::new(max);
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            printer.push(" ");
        }
        printer.top(value, 'v');
    }
    printer.push("\n");
    printer.finish()
}

/// `%.4g` and the like, of which no limit needs to be feared.
pub(super) fn general(value: f64, digits: usize) -> String {
    float::plain(value, 'g', Some(digits))
}

/// As `%v` prints it.
pub(super) fn shortest(value: f64) -> String {
    float::plain(value, 'g', None)
}

/// `printf`
pub(super) fn sprintf(format: &str, values: &[Value], max: usize) -> Result<String, Failure> {
    if format.len() > max {
        return Err(too_long(max));
    }
    let mut printer = Printer::new(max);
    verbs::format(&mut printer, format, values);
    printer.finish()
}
