//! Constants as Go writes them.

use crate::promql::go;
use crate::promql::unquote;

/// A number, as each type that it fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub int: Option<i64>,
    pub float: f64,
    /// It has a point or an exponent, so where any type will do it is a float.
    pub floating: bool,
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(super) fn number(text: &str) -> Result<Number, String> {
    if text.ends_with('i') {
        return Err(format!("complex numbers such as {text:?} are left out here"));
    }
    let hex = text
        .trim_start_matches(['+', '-'])
        .to_ascii_lowercase()
        .starts_with("0x");
    let floating = text.contains(['.', 'p', 'P']) || (!hex && text.contains(['e', 'E']));
    if let Some(int) = integer(text) {
        return match i64::try_from(int) {
            Ok(int) => Ok(Number {
                int: Some(int),
                float: int as f64,
                floating: false,
            }),
            Err(_) if int > 0 && int <= i128::from(u64::MAX) => Ok(Number {
                int: None,
                float: int as f64,
                floating: false,
            }),
            Err(_) => Err(format!("integer overflow: {text:?}")),
        };
    }
    match go::float(text) {
        Ok(_) if !floating => Err(format!("integer overflow: {text:?}")),
        Ok(float) => Ok(Number {
            int: None,
            float,
            floating,
        }),
        Err(_) => Err(format!("illegal number syntax: {text:?}")),
    }
}

/// In base 2, 8, 10 or 16 as the prefix says.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let prefixed = body.len() < lower.len();
    // An underscore is between digits, or between the prefix and a digit.
    let misplaced = body.ends_with('_') || body.contains("__") || (!prefixed && body.starts_with('_'));
    let bare: String = body.chars().filter(|c| *c != '_').collect();
    if misplaced || !bare.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from_str_radix(&bare, base).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// The text of a string or a character in quotes; `None` where an escape is wrong.
///
/// Bytes that are no UTF-8 become U+FFFD, as they do in the JSON of Prometheus.
pub(super) fn unquote(quoted: &str) -> Option<String> {
    let bytes = unquote::bytes(quoted).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn code(text: &str, digits: usize, base: u32) -> Option<u32> {
    let digits = text.get(..digits)?;
    let all = digits.chars().all(|c| c.is_digit(base));
    all.then(|| u32::from_str_radix(digits, base).ok()).flatten()
}

/// The number of a character in single quotes.
pub(super) fn character(quoted: &str) -> Option<i64> {
    let inside = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if let Some(byte) = inside.strip_prefix("\\x").filter(|digits| digits.len() == 2) {
        return code(byte, 2, 16).map(i64::from);
    }
    let text = unquote(quoted)?;
    let mut chars = text.chars();
    let first = chars.next()?;
    chars.next().is_none().then(|| i64::from(u32::from(first)))
}
