//! Which format an answer is in: its Content-Type says so, and nothing else does.

use super::scan::escaped;

/// What to ask a target for: the order of Prometheus 3.5, without protobuf.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
    text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Versions 0.0.4 and 1.0.0: names in quotes are read in either, so the version decides nothing.
    Text,
    /// Versions 0.0.1 and 1.0.0.
    OpenMetrics,
}

/// Why an answer is not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the answer has no Content-Type, and the target has no format to fall back on")]
    Missing,
    #[error("the answer's Content-Type `{0}` is malformed, and the target has no format to fall back on")]
    Malformed(String),
    #[error(
        "the answer's Content-Type is `{0}`, and only `text/plain` and `application/openmetrics-text` are read; \
         the target has no format to fall back on"
    )]
    Unknown(String),
    #[error("the answer is protobuf, which was not asked for and is not read")]
    Protobuf,
}

impl Format {
    /// As Prometheus 3 decides it (`textparse.New`). An unknown type is an error unless there is something to fall
    /// back on; protobuf is one even then.
    ///
    /// # Errors
    ///
    /// When there is nothing that the answer could be read as.
    pub fn of(content_type: Option<&str>, fallback: Option<Self>) -> Result<Self, Unreadable> {
        let why = match known(content_type.unwrap_or_default()) {
            Ok(format) => return Ok(format),
            Err(Unreadable::Protobuf) => return Err(Unreadable::Protobuf),
            Err(why) => why,
        };
        fallback.ok_or(why)
    }
}

fn known(content_type: &str) -> Result<Format, Unreadable> {
    if content_type.is_empty() {
        return Err(Unreadable::Missing);
    }
    let (media_type, parameters) = content_type.split_at(content_type.find(';').unwrap_or(content_type.len()));
    let media_type = media_type.trim().to_lowercase();
    if !is_media_type(&media_type) || !are_parameters(parameters) {
        return Err(Unreadable::Malformed(escaped(content_type)));
    }
    match media_type.as_str() {
        "text/plain" => Ok(Format::Text),
        "application/openmetrics-text" => Ok(Format::OpenMetrics),
        "application/vnd.google.protobuf" => Err(Unreadable::Protobuf),
        _ => Err(Unreadable::Unknown(escaped(content_type))),
    }
}

/// A word, or two with a slash between (Go's `mime.ParseMediaType`).
fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_token_byte);
    match text.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(text),
    }
}

/// `; name=value` any number of times, and a `;` at the very end does no harm. A name that comes twice must
/// have one value.
fn are_parameters(mut text: &str) -> bool {
    let mut seen: Vec<(String, String)> = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() || text.trim_end() == ";" {
            return true;
        }
        let Some((name, value, rest)) = parameter(text) else {
            return false;
        };
        if seen
            .iter()
            .any(|(other, other_value)| *other == name && *other_value != value)
        {
            return false;
        }
        seen.push((name, value));
        text = rest;
    }
}

fn parameter(text: &str) -> Option<(String, String, &str)> {
    let text = text.strip_prefix(';')?.trim_start();
    let (name, text) = token(text)?;
    let text = text.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_value(quoted)?,
        None => token(text).map(|(value, rest)| (value.to_owned(), rest))?,
    };
    Some((name.to_lowercase(), value, rest))
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Up to the closing quote. A backslash that escapes no special character is meant itself.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\r' | '\n' => return None,
            '\\' => match characters.next_if(|(_, next)| u8::try_from(*next).is_ok_and(is_special)) {
                Some((_, special)) => value.push(special),
                None => value.push('\\'),
            },
            _ => value.push(character),
        }
    }
    None
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !is_special(byte)
}

fn is_special(byte: u8) -> bool {
    b"()<>@,;:\\\"/[]?=".contains(&byte)
}
