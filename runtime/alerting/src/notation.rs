//! Series in short, as promtool's unit tests have them: `up{job="x"}` and `0+10x5 _ _x3 7x2 stale`, a value an interval.
//!
//! A repetition `x` counts what comes after the first: `5x3` is four values, `1-2x3` is `1 -1 -3 -5`; but `_x3` is three
//! gaps. As in promtool each step is added to the value before, with its rounding; `0x10` is no hexadecimal number here,
//! and `010` is 8.
//!
//! *Invariant:* no text makes it panic, nor give more values than it is allowed.

use std::fmt;
use std::ops::Range;

use crate::promql::unquote::unquote;
use crate::promql::{Labels, NAME, STALE};

/// Words that begin an expression's operator or number, and so no series.
const NO_NAMES: [&str; 8] = [
    "atan2",
    "bool",
    "group_left",
    "group_right",
    "ignoring",
    "inf",
    "nan",
    "on",
];

/// What is wrong with a series or with its values, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the text.
    pub place: Range<usize>,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
}

/// A name, its labels or both.
///
/// # Errors
/// It is none, or no labels can be made of it.
pub fn series(text: &str) -> Result<Labels, Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.skip(char::is_whitespace);
    let start = reader.at;
    let name = reader.name(true);
    if NO_NAMES.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        let message = format!("`{name}` can't be the name of a series here: write `{{\"{name}\"}}`");
        return Err(reader.fault(start..reader.at, message));
    }
    let (mut pairs, mut quoted) = (Vec::new(), None);
    if reader.eat('{') {
        reader.labels(&mut pairs, &mut quoted)?;
    } else if name.is_empty() {
        return Err(reader.unexpected("a series is a name, labels in braces, or both"));
    }
    reader.skip(char::is_whitespace);
    if reader.peek().is_some() {
        return Err(reader.unexpected("a series ends with its name or with `}`"));
    }
    // Of two names promtool takes the one before the braces.
    if !name.is_empty() {
        pairs.retain(|(label, _)| label != NAME);
        pairs.push((NAME.to_owned(), name.to_owned()));
    } else if let Some(name) = quoted {
        pairs.push((NAME.to_owned(), name));
    }
    let mut names: Vec<&str> = pairs.iter().map(|(label, _)| label.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(reader.fault(start..text.len(), format!("`{}` is there twice", twice[0])));
    }
    let labels = Labels::new(pairs);
    if labels.is_empty() {
        return Err(reader.fault(start..text.len(), "a series without a label"));
    }
    Ok(labels)
}

/// A value an interval, the marker of staleness among them; `None` is no sample.
///
/// # Errors
/// They are no values, or more than `at_most`.
pub fn values(text: &str, at_most: usize) -> Result<Vec<Option<f64>>, Fault> {
    let (mut reader, mut values) = (Reader { text, at: 0 }, Vec::new());
    loop {
        reader.skip(|c| c == ' ' || c == '\t');
        let start = reader.at;
        if reader.text[start..].trim_ascii().is_empty() {
            return Ok(values);
        }
        let item = reader.item()?;
        if values.len().saturating_add(item.count) > at_most {
            return Err(reader.fault(start..reader.at, format!("these are more than {at_most} values")));
        }
        let mut value = item.first;
        for _ in 0..item.count {
            values.push(value);
            value = value.map(|value| item.step.map_or(value, |step| value + step));
        }
        if !matches!(reader.peek(), None | Some(' ' | '\t' | '\n' | '\r')) {
            return Err(reader.unexpected("a blank belongs between values"));
        }
    }
}

/// `count` values from the first on.
struct Item {
    first: Option<f64>,
    step: Option<f64>,
    count: usize,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) -> &'t str {
        let start = self.at;
        let rest = &self.text[start..];
        self.at += rest.find(|c| !skipped(c)).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn fault(&self, place: Range<usize>, message: impl Into<String>) -> Fault {
        Fault {
            column: self.text[..place.start].chars().count() + 1,
            place,
            message: message.into(),
        }
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let (found, length) = match self.peek() {
            None => ("the end".to_owned(), 0),
            Some('\n' | '\r') => ("a line break".to_owned(), 1),
            Some(c) => (format!("`{}`", c.escape_debug()), c.len_utf8()),
        };
        self.fault(self.at..self.at + length, format!("{wanted}, and this is {found}"))
    }

    /// An identifier; empty if there is none.
    fn name(&mut self, colons: bool) -> &'t str {
        let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
        if !self.peek().is_some_and(is_start) {
            return "";
        }
        self.skip(|c| is_start(c) || c.is_ascii_digit())
    }

    /// Up to the `}`: labels, and a quoted name by itself.
    fn labels(&mut self, pairs: &mut Vec<(String, String)>, name: &mut Option<String>) -> Result<(), Fault> {
        loop {
            self.skip(char::is_whitespace);
            if self.eat('}') {
                return Ok(());
            }
            let start = self.at;
            let quoted = matches!(self.peek(), Some('"' | '\'' | '`'));
            let label = if quoted {
                self.string()?
            } else {
                self.name(false).to_owned()
            };
            if label.is_empty() && !quoted {
                return Err(self.unexpected("a label or `}` belongs here"));
            }
            if label.is_empty() {
                return Err(self.fault(start..self.at, "an empty name"));
            }
            self.skip(char::is_whitespace);
            if self.eat('=') {
                self.skip(char::is_whitespace);
                pairs.push((label, self.string()?));
            } else if !quoted {
                return Err(self.unexpected("`=` follows a label"));
            } else if name.replace(label).is_some() {
                return Err(self.fault(start..self.at, "a second name"));
            }
            self.skip(char::is_whitespace);
            if !self.eat(',') && self.peek() != Some('}') {
                return Err(self.unexpected("`,` or `}` belongs here"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let Some(quote @ ('"' | '\'' | '`')) = self.peek() else {
            return Err(self.unexpected("a string belongs here"));
        };
        self.at += 1;
        loop {
            self.skip(|c| c != quote && c != '\\' && c != '\n');
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    let next = self.peek().filter(|_| quote != '`');
                    self.at += next.map_or(0, char::len_utf8);
                }
                Some(end) if end == quote => break,
                _ => return Err(self.fault(start..self.at, "a string without an end")),
            }
        }
        self.at += 1;
        unquote(&self.text[start..self.at]).map_err(|(at, message)| self.fault(start + at..self.at, message))
    }

    fn item(&mut self) -> Result<Item, Fault> {
        if self.eat('_') {
            let count = if self.eat('x') { self.repetition()? } else { 1 };
            return Ok(Item {
                first: None,
                step: None,
                count,
            });
        }
        if self.text[self.at..].starts_with("{{") {
            let message = "a native histogram, which is not evaluated here: ask a Prometheus";
            return Err(self.fault(self.at..self.text.len(), message));
        }
        let start = self.at;
        if self.name(false) == "stale" {
            return Ok(Item {
                first: Some(f64::from_bits(STALE)),
                step: None,
                count: 1,
            });
        }
        self.at = start;
        let first = Some(self.signed()?);
        let step = match self.peek() {
            Some('+' | '-') => Some(self.signed()?),
            _ => None,
        };
        let repeated = self.eat('x');
        if step.is_some() && !repeated {
            return Err(self.unexpected("`x` and how many times belong behind a step"));
        }
        let more = if repeated { self.repetition()? } else { 0 };
        Ok(Item {
            first,
            step,
            count: more.saturating_add(1),
        })
    }

    fn repetition(&mut self) -> Result<usize, Fault> {
        let start = self.at;
        let digits = self.skip(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        if digits.is_empty() {
            return Err(self.unexpected("how many times is a whole number"));
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.fault(start..self.at, format!("`{digits}` is no whole number")));
        }
        // A number that doesn't fit is more than anybody allows.
        Ok(digits.parse().unwrap_or(usize::MAX))
    }

    fn signed(&mut self) -> Result<f64, Fault> {
        let negative = self.peek() == Some('-');
        self.at += usize::from(matches!(self.peek(), Some('+' | '-')));
        let start = self.at;
        let word = self.name(false);
        if !word.is_empty() {
            let value = match word.to_ascii_lowercase().as_str() {
                "inf" => f64::INFINITY,
                "nan" => f64::NAN,
                _ => return Err(self.fault(start..self.at, format!("`{word}` is no value"))),
            };
            return Ok(if negative { -value } else { value });
        }
        let value = self.number()?;
        Ok(if negative { -value } else { value })
    }

    fn number(&mut self) -> Result<f64, Fault> {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit() || matches!(c, '_' | '.'));
        if self.at > start && matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some('+' | '-')));
            self.skip(|c| c.is_ascii_digit() || c == '_');
        }
        let word = &self.text[start..self.at];
        if word.is_empty() {
            return Err(self.unexpected("a value belongs here"));
        }
        match number(word) {
            Some(value) if value.is_finite() => Ok(value),
            Some(_) => Err(self.fault(start..self.at, format!("`{word}` is out of range"))),
            None => Err(self.fault(start..self.at, format!("`{word}` is no number"))),
        }
    }
}

/// As Go reads it: `_` stands between digits, and a whole number that begins with `0` is octal if it can be.
fn number(word: &str) -> Option<f64> {
    let bytes = word.as_bytes();
    let is_digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    let misplaced = |i: usize| bytes[i] == b'_' && !(is_digit(i.checked_sub(1)) && is_digit(Some(i + 1)));
    if (0..bytes.len()).any(misplaced) {
        return None;
    }
    let plain = word.replace('_', "");
    if plain.len() > 1
        && plain.starts_with('0')
        && let Ok(octal) = i64::from_str_radix(&plain, 8)
    {
        return Some(octal as f64);
    }
    plain.parse().ok()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.message, self.column)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
#[path = "notation_tests.rs"]
mod tests;
