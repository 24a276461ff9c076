//! Constants as Go writes them.

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
    match float(text) {
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

/// As Go's `strconv.ParseFloat` reads it; the reason is the one that it gives.
pub(super) fn float(text: &str) -> Result<f64, &'static str> {
    const SYNTAX: &str = "invalid syntax";
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        let magnitude = hexadecimal(hex).ok_or(SYNTAX)?;
        let value = if text.starts_with('-') { -magnitude } else { magnitude };
        return if value.is_infinite() {
            Err("value out of range")
        } else {
            Ok(value)
        };
    }
    if lower == "nan" && unsigned.len() < text.len() {
        return Err(SYNTAX);
    }
    let value: f64 = text.parse().map_err(|_| SYNTAX)?;
    if value.is_infinite() && !lower.starts_with('i') {
        return Err("value out of range");
    }
    Ok(value)
}

/// Digits, perhaps a point, and a binary exponent, which Go asks for; without the prefix.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat().chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || digits.len() > 24 {
        return None;
    }
    // More than 53 bits are rounded twice at worst, in what no template writes.
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    // In two halves, as one of them alone may be too small for a double.
    let power = exponent.checked_sub(places)?;
    Some(bits as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2))
}

/// The text of a string or a character in quotes; `None` where an escape is wrong.
///
/// Bytes that are no UTF-8 become U+FFFD, as they do in the JSON of Prometheus.
pub(super) fn unquote(quoted: &str) -> Option<String> {
    let quote = quoted.chars().next()?;
    let mut rest = quoted.get(1..quoted.len().checked_sub(1)?)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], quote, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What follows a backslash, without which `text` begins; the rest after it.
fn escape<'t>(text: &'t str, quote: char, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let c = text.chars().next()?;
    let rest = &text[c.len_utf8()..];
    let plain = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '\'' | '"' if c == quote => c as u8,
        'x' => {
            bytes.push(u8::try_from(code(rest, 2, 16)?).ok()?);
            return rest.get(2..);
        }
        '0'..='7' => {
            bytes.push(u8::try_from(code(text, 3, 8)?).ok()?);
            return text.get(3..);
        }
        'u' | 'U' => {
            let digits = if c == 'u' { 4 } else { 8 };
            let c = char::from_u32(code(rest, digits, 16)?)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return rest.get(digits..);
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(rest)
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
