//! What YAML's scalars without quotes are, as Go reads them.

use super::tree::{Scalar, Value};

/// What a scalar without quotes is.
pub(super) fn resolved(text: String) -> Value {
    let scalar = match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => number(&text).unwrap_or(Scalar::Plain),
    };
    Value::Scalar(scalar, text)
}

/// Numbers as Go's YAML takes them: `_` anywhere, `0x`, `0o`, `0b` and a leading zero for octal.
fn number(text: &str) -> Option<Scalar> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    if is_date(text) {
        return Some(Scalar::Date);
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix(['-', '+']) {
        Some(digits) => (plain.starts_with('-'), digits),
        None => (false, plain.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, radix)));
    let (digits, radix) = match radix {
        Some(found) => found,
        None if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| (b'0'..=b'7').contains(&b)) => {
            (&lower[1..], 8)
        }
        None => (lower.as_str(), 10),
    };
    // With a leading zero it is octal, or a float.
    let is_integer = radix != 10 || digits.len() < 2 || !digits.starts_with('0');
    if is_integer && !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        let value = i128::from_str_radix(digits, radix)
            .ok()
            .map(|value| if negative { -value } else { value });
        if let Some(value) = value.and_then(|value| i64::try_from(value).ok()) {
            return Some(Scalar::Integer(value));
        }
    }
    let float = radix == 10
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'))
        && digits.bytes().any(|b| b.is_ascii_digit());
    float.then(|| plain.parse().ok().map(Scalar::Float))?
}

/// `2024-1-2`, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let date: Vec<&str> = text.splitn(3, '-').collect();
    let [year, month, rest] = date[..] else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let day = rest.split(['T', 't', ' ']).next().unwrap_or_default();
    year.len() == 4 && [year, month, day].into_iter().all(digits) && month.len() <= 2 && day.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_go_s() {
        for (text, number) in [
            ("8", 8),
            ("0x10", 16),
            ("010", 8),
            ("0o10", 8),
            ("1_000", 1000),
            ("-3", -3),
            ("0b11", 3),
        ] {
            assert_eq!(number_of(text), Some(Scalar::Integer(number)), "{text}");
        }
        for (text, number) in [("1e3", 1000.0), ("5.", 5.0), (".5", 0.5), ("099", 99.0), ("-1.5", -1.5)] {
            assert_eq!(number_of(text), Some(Scalar::Float(number)), "{text}");
        }
        for text in ["1.2.3", "0x", "5m", "-", ".", "1e", "--1"] {
            assert_eq!(number_of(text), Some(Scalar::Plain), "{text}");
        }
        assert_eq!(number_of("2024-01-02"), Some(Scalar::Date));
        assert_eq!(number_of("~"), None);
    }

    fn number_of(text: &str) -> Option<Scalar> {
        match resolved(text.to_owned()) {
            Value::Scalar(scalar, _) => Some(scalar),
            _ => None,
        }
    }
}
