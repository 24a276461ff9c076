//! Numbers as Go's `strconv.ParseFloat` reads them, without what Prometheus leaves out: `p`, `P` and `_`.
//!
//! Without `p` there is no hexadecimal number either.

/// Why a word is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNumber {
    Syntax,
    /// Past the largest float; Go calls that an error too.
    Range,
}

/// The powers of ten that a float holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Every whole number up to here is a float.
const EXACT: u64 = 1 << 53;
/// So many digits never overflow a `u64`.
const DIGITS: usize = 19;

/// Reads the number that the bytes begin with, if its digits and its power of ten are floats: then one
/// multiplication or division rounds as it must. Gives its length as well; what follows is not judged.
#[inline]
pub(super) fn quick(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let (whole, mut at) = digits(bytes, start, 0);
    let mut count = at - start;
    let mut mantissa = whole;
    let mut power = 0;
    if bytes.get(at) == Some(&b'.') {
        let (with_fraction, end) = digits(bytes, at + 1, mantissa);
        power = -i32::try_from(end - at - 1).ok()?;
        count += end - at - 1;
        mantissa = with_fraction;
        at = end;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let (exponent, end) = exponent(bytes, at + 1)?;
        power += exponent;
        at = end;
    }
    if count == 0 || count > DIGITS || mantissa > EXACT {
        return None;
    }
    let ten = *TENS.get(usize::try_from(power.unsigned_abs()).ok()?)?;
    #[allow(clippy::cast_precision_loss, reason = "not more than 2^53")]
    let mantissa = mantissa as f64;
    let number = if power < 0 { mantissa / ten } else { mantissa * ten };
    Some((if negative { -number } else { number }, at))
}

/// Carries a number on by the digits from `at`; too many wrap, and are counted by whoever asks.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mut number: u64) -> (u64, usize) {
    while let Some(digit) = bytes
        .get(at)
        .map(|byte| byte.wrapping_sub(b'0'))
        .filter(|digit| *digit < 10)
    {
        number = number.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    (number, at)
}

fn exponent(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let sign = bytes.get(at).copied();
    let start = at + usize::from(matches!(sign, Some(b'+' | b'-')));
    let (number, end) = digits(bytes, start, 0);
    if !(1..=3).contains(&(end - start)) {
        return None;
    }
    let number = i32::try_from(number).ok()?;
    Some((if sign == Some(b'-') { -number } else { number }, end))
}

/// Reads a word that is a number as a whole.
pub(super) fn parse(word: &str) -> Result<f64, NoNumber> {
    if let Some((number, length)) = quick(word.as_bytes())
        && length == word.len()
    {
        return Ok(number);
    }
    if !is_decimal(word.as_bytes()) {
        return special(word).ok_or(NoNumber::Syntax);
    }
    match word.parse::<f64>() {
        Ok(number) if number.is_infinite() => Err(NoNumber::Range),
        Ok(number) => Ok(number),
        Err(_) => Err(NoNumber::Syntax),
    }
}

/// Reads a bound of a histogram or summary, where Prometheus leaves nothing out: underscores between digits, and
/// hexadecimal numbers, which need their `p`.
pub(super) fn parse_bound(word: &str) -> Result<f64, NoNumber> {
    if word.bytes().all(|byte| !matches!(byte, b'_' | b'p' | b'P')) {
        return parse(word);
    }
    if !are_underscores_between_digits(word) {
        return Err(NoNumber::Syntax);
    }
    let word = word.replace('_', "");
    match hexadecimal(&word) {
        Some(number) if number.is_infinite() => Err(NoNumber::Range),
        Some(number) => Ok(number),
        None => parse(&word),
    }
}

/// The prefix of a hexadecimal number counts as a digit.
fn are_underscores_between_digits(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-']);
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let is_digit = |byte: &u8| match digits {
        Some(_) => byte.is_ascii_hexdigit(),
        None => byte.is_ascii_digit(),
    };
    let mut is_after_digit = digits.is_some();
    let mut is_after_underscore = false;
    for byte in digits.unwrap_or(word).as_bytes() {
        let is_underscore = *byte == b'_';
        let is_between = is_underscore && !is_after_digit || is_after_underscore && !is_digit(byte);
        if is_between {
            return false;
        }
        is_after_underscore = is_underscore;
        is_after_digit = is_digit(byte);
    }
    !is_after_underscore
}

/// `0x1.8p3`, if a float holds its digits.
fn hexadecimal(word: &str) -> Option<f64> {
    let (sign, word) = match word.as_bytes().first()? {
        b'-' => (-1.0, &word[1..]),
        b'+' => (1.0, &word[1..]),
        _ => (1.0, word),
    };
    let word = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
    let (digits, power) = word.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = [whole, fraction].concat();
    let is_power = power
        .trim_start_matches(['+', '-'])
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) || !is_power {
        return None;
    }
    let mantissa = u64::from_str_radix(&digits, 16)
        .ok()
        .filter(|mantissa| *mantissa <= EXACT)?;
    let power: i32 = power.parse().ok()?;
    let power = power.checked_sub(i32::try_from(4 * fraction.len()).ok()?)?;
    // In two steps, for the power may be less than the least float.
    let half = power / 2;
    #[allow(clippy::cast_precision_loss, reason = "not more than 2^53")]
    let mantissa = mantissa as f64;
    Some(sign * mantissa * 2_f64.powi(half) * 2_f64.powi(power - half))
}

fn is_decimal(word: &[u8]) -> bool {
    let start = usize::from(matches!(word.first(), Some(b'+' | b'-')));
    let (_, mut at) = digits(word, start, 0);
    let mut count = at - start;
    if word.get(at) == Some(&b'.') {
        let (_, end) = digits(word, at + 1, 0);
        count += end - at - 1;
        at = end;
    }
    if let Some(b'e' | b'E') = word.get(at) {
        let start = at + 1 + usize::from(matches!(word.get(at + 1), Some(b'+' | b'-')));
        let (_, end) = digits(word, start, 0);
        if end == start {
            return false;
        }
        at = end;
    }
    count > 0 && at == word.len()
}

fn special(word: &str) -> Option<f64> {
    if word.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    let (infinity, rest) = match word.as_bytes().first()? {
        b'+' => (f64::INFINITY, &word[1..]),
        b'-' => (f64::NEG_INFINITY, &word[1..]),
        _ => (f64::INFINITY, word),
    };
    ["inf", "infinity"]
        .iter()
        .any(|name| rest.eq_ignore_ascii_case(name))
        .then_some(infinity)
}
