//! What Prometheus takes from Go's library and other libraries have otherwise.

use regex::Captures;

/// Why `strconv.ParseFloat` reads no number, in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFloat {
    Syntax,
    Range,
}

impl NoFloat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        }
    }
}

/// As `strconv.ParseFloat`: `_` between digits, hexadecimal with `p`, and nothing past the largest float.
pub(crate) fn float(word: &str) -> Result<f64, NoFloat> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let signed = |value: f64| if word.starts_with('-') { -value } else { value };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(signed(f64::INFINITY)),
        "nan" if unsigned.len() == word.len() => return Ok(f64::NAN),
        _ => {}
    }
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let value: Option<f64> = match hexadecimal {
        Some(digits) => plain(digits, true).and_then(|digits| hexadecimal_float(&digits)),
        None if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            plain(unsigned, false).and_then(|digits| digits.parse().ok())
        }
        None => None,
    };
    let value = value.ok_or(NoFloat::Syntax)?;
    match value.is_finite() {
        true => Ok(signed(value)),
        false => Err(NoFloat::Range),
    }
}

/// Without the `_`, which stand between digits.
pub(super) fn plain(digits: &str, after_prefix: bool) -> Option<String> {
    let bytes = digits.as_bytes();
    let is_digit = |i: Option<usize>| match i {
        None => after_prefix,
        Some(i) => bytes.get(i).is_some_and(u8::is_ascii_hexdigit),
    };
    let misplaced = |i: usize| bytes[i] == b'_' && !(is_digit(i.checked_sub(1)) && is_digit(Some(i + 1)));
    (!(0..bytes.len()).any(misplaced)).then(|| digits.replace('_', ""))
}

/// Digits, perhaps a point, and a binary exponent, which Go asks for; without the prefix.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // More than 53 bits are rounded twice at worst, in what nobody writes.
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    // In two halves, as one of them alone may be too small for a double.
    let power = exponent.clamp(-3000, 3000) - places;
    Some(bits as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2))
}

/// As `Regexp.Expand`: `$1`, `$name`, `${name}` and `$$`; a name goes on as far as letters, digits and `_` do, and
/// `$01` is a name.
pub(super) fn expand(template: &str, found: &Captures<'_>) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = name(rest) else {
            out.push('$');
            continue;
        };
        rest = after;
        let number = Some(name).filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let group = match number {
            Some(number) if number.len() > 1 && number.starts_with('0') => found.name(name),
            Some(number) => number.parse().ok().and_then(|number| found.get(number)),
            None => found.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
    out.push_str(rest);
    out
}

/// A name behind a `$`, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let name = braced.unwrap_or(text);
    let end = name
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(name.len());
    let (name, after) = name.split_at(end);
    let after = match braced {
        Some(_) => after.strip_prefix('}')?,
        None => after,
    };
    (!name.is_empty()).then_some((name, after))
}

/// As `math.Max`: `+Inf` is greater than NaN too.
pub(super) fn greater(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else {
        a.max(b)
    }
}

/// As `math.Min`: `-Inf` is less than NaN too.
pub(super) fn lesser(a: f64, b: f64) -> f64 {
    -greater(-a, -b)
}

/// Where its square is out of range too.
pub(super) fn asinh(value: f64) -> f64 {
    if value.abs() > LARGE {
        (value.abs().ln() + std::f64::consts::LN_2).copysign(value)
    } else {
        value.asinh()
    }
}

/// Where its square is out of range too.
pub(super) fn acosh(value: f64) -> f64 {
    if value > LARGE {
        value.ln() + std::f64::consts::LN_2
    } else {
        value.acosh()
    }
}

/// Where half of it would not be out of range either.
pub(super) fn cosh(value: f64) -> f64 {
    if value.abs() > 21.0 {
        value.abs().exp() * 0.5
    } else {
        value.cosh()
    }
}

/// Where half of it would not be out of range either.
pub(super) fn sinh(value: f64) -> f64 {
    if value.abs() > 21.0 {
        (value.abs().exp() * 0.5).copysign(value)
    } else {
        value.sinh()
    }
}

/// From here on `x² + 1` is `x²`.
const LARGE: f64 = (1_u64 << 28) as f64;

/// As `sort.Search`: the first index for which it holds, if it holds for all after it; otherwise any, but the same.
pub(super) fn search(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn floats_are_go_s() {
        for (word, value) in [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1_0", Some(10.0)),
            ("0x1p1", Some(2.0)),
            ("-0X1.8p-1", Some(-0.75)),
            ("0x_Ap0", Some(10.0)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("0x1p-2000", Some(0.0)),
            ("1__0", None),
            ("_1", None),
            ("0x1", None),
            ("0xp1", None),
            ("1e400", None),
            ("0x1p2000", None),
            ("+nan", None),
            (" 1", None),
            ("", None),
            ("+-1", None),
            (".", None),
        ] {
            assert_eq!(float(word).ok(), value, "{word}");
        }
        assert!(float("NaN").unwrap().is_nan());
        assert_eq!(
            (float("1e400"), float("1__0")),
            (Err(NoFloat::Range), Err(NoFloat::Syntax))
        );
        // Too small in one step, and rounded once.
        assert_eq!(float("0x.0000000000001p-1022"), Ok(f64::from_bits(1)));
        assert_eq!(float("0x1.fffffffffffffp-1023"), Ok(f64::from_bits(1 << 52)));
    }

    #[test]
    fn templates_are_expanded_as_go_does() {
        let pattern = Regex::new("(?P<name>a)(b)").unwrap();
        let found = pattern.captures("ab").unwrap();
        for (template, text) in [
            ("$1-$2", "a-b"),
            ("${1}x", "ax"),
            ("$1x", ""),
            ("$1é", ""),
            ("$01", ""),
            ("$0", "ab"),
            ("$name!", "a!"),
            ("$9", ""),
            ("$$1", "$1"),
            ("${1", "${1"),
            ("a$", "a$"),
            ("$-", "$-"),
            ("$99999999999999999999", ""),
        ] {
            assert_eq!(expand(template, &found), text, "{template}");
        }
    }

    #[test]
    fn infinities_win_over_nan() {
        assert_eq!(greater(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert!(greater(f64::NAN, f64::NEG_INFINITY).is_nan());
        assert_eq!(lesser(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
        assert!(lesser(-0.0, 0.0).is_sign_negative() && greater(-0.0, 0.0).is_sign_positive());
        assert_eq!((cosh(710.0), sinh(-710.0)), (f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!(asinh(-1e308), -asinh(1e308));
        assert!((asinh(1e308) - 709.889_355_822_726).abs() < 1e-9);
    }
}
