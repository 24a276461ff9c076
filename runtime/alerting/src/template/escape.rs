//! Text made safe for where it goes.

use std::fmt::Write as _;

use super::fmt;
use super::value::Value;
use super::world::{Answer, World};

pub(super) fn with(world: &mut World<'_>, args: &[Value], escape: fn(&str) -> String) -> Answer {
    let text = match args {
        [Value::Text(text)] => text.to_string(),
        [value] => fmt::printed(value, world.limits().text_bytes)?,
        _ => fmt::sprint_shown(args, world.limits().text_bytes)?,
    };
    Ok(Value::text(escape(&text)))
}

pub(super) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => safe.push('\u{fffd}'),
            '"' => safe.push_str("&#34;"),
            '\'' => safe.push_str("&#39;"),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            _ => safe.push(c),
        }
    }
    safe
}

pub(super) fn js(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => safe.extend(['\\', c]),
            '<' | '>' | '&' | '=' | '\0'..='\u{1f}' => code(&mut safe, c),
            '\u{7f}' => safe.push(c),
            _ if fmt::is_printed(c) => safe.push(c),
            _ => code(&mut safe, c),
        }
    }
    safe
}

fn code(safe: &mut String, c: char) {
    write!(safe, "\\u{:04X}", u32::from(c)).expect("a string takes any text");
}

pub(super) fn query(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => safe.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => safe.push(char::from(byte)),
            _ => write!(safe, "%{byte:02X}").expect("a string takes any text"),
        }
    }
    safe
}
