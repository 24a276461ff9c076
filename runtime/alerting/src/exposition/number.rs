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
