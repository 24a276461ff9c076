//! Floating-point numbers, digit by digit as Go rounds and writes them.

use super::printer::Printer;

pub(super) fn prints(verb: char) -> bool {
    matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E')
}

pub(super) fn print(printer: &mut Printer, value: f64, verb: char) {
    let flags = printer.flags;
    let (verb, usual) = match verb {
        'v' => ('g', None),
        'F' => ('f', Some(6)),
        'f' | 'e' | 'E' => (verb, Some(6)),
        _ => (verb, None),
    };
    let precision = flags.precision.or(usual);
    if precision.is_some_and(|precision| precision > printer.max()) {
        return printer.overflow();
    }
    let mut number = plain(value, verb, precision);
    let sign = match number.strip_prefix(['-', '+']).map(str::to_owned) {
        Some(rest) => {
            let minus = number.starts_with('-');
            number = rest;
            if minus { "-" } else { "+" }
        }
        None => "+",
    };
    let sign = if flags.space && sign == "+" && !flags.plus {
        " "
    } else {
        sign
    };
    if !value.is_finite() {
        let bare = value.is_nan() && !flags.space && !flags.plus;
        let shown = if bare { number } else { format!("{sign}{number}") };
        return printer.pad_with(&shown, false);
    }
    if flags.sharp && verb != 'b' {
        number = with_point(&number, verb, precision);
    }
    if !flags.plus && sign == "+" {
        return printer.pad(&number);
    }
    let missing = flags.width.unwrap_or(0).saturating_sub(number.len() + 1);
    if flags.zero && !flags.minus && missing > 0 {
        if missing > printer.max() {
            return printer.overflow();
        }
        number = format!("{}{number}", "0".repeat(missing));
    }
    printer.pad_with(&format!("{sign}{number}"), flags.zero);
}

/// `#`: always a point, and for `%g` the zeros that it would drop.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let hex = matches!(verb, 'x' | 'X');
    let tail = number
        .find(|c| matches!(c, 'p' | 'P') || !hex && matches!(c, 'e' | 'E'))
        .unwrap_or(number.len());
    let (head, tail) = number.split_at(tail);
    let mut wanted = match verb {
        'g' | 'G' | 'x' | 'X' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = head.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    wanted = wanted.saturating_sub(significant);
    let point = if head.contains('.') {
        ""
    } else {
        wanted = wanted.saturating_sub(usize::from(head == "0"));
        "."
    };
    format!("{head}{point}{}{tail}", "0".repeat(wanted))
}

/// As `strconv.FormatFloat` writes it; no precision is as many digits as it takes to read the same number again.
pub(super) fn plain(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    let number = match verb {
        'f' => match precision {
            Some(precision) => {
                let digits = format!("{magnitude:.*}", precision.min(EXACT));
                zeros_after(&digits, precision.saturating_sub(EXACT))
            }
            None => format!("{magnitude}"),
        },
        'e' | 'E' => {
            let digits = match precision {
                Some(precision) => format!("{magnitude:.*e}", precision.min(EXACT)),
                None => format!("{magnitude:e}"),
            };
            let (digits, power) = digits.split_once('e').unwrap_or((&digits, "0"));
            let zeros = precision.map_or(0, |precision| precision.saturating_sub(EXACT));
            exponent(&format!("{}e{power}", zeros_after(digits, zeros)), verb)
        }
        'g' | 'G' => general(magnitude, verb, precision),
        'x' | 'X' => hexadecimal(magnitude, verb, precision),
        _ => binary(magnitude),
    };
    format!("{sign}{number}")
}

/// Digits after the point with which every double is written exactly. Rust takes no precision that doesn't fit 16 bits.
const EXACT: usize = 1100;

fn zeros_after(digits: &str, count: usize) -> String {
    format!("{digits}{}", "0".repeat(count))
}

/// Rust's `1e5` as `1e+05`.
fn exponent(number: &str, verb: char) -> String {
    let (digits, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    format!("{digits}{verb}{sign}{exponent:0>2}")
}

fn general(magnitude: f64, verb: char, precision: Option<usize>) -> String {
    let scientific = match precision {
        Some(precision) => format!("{magnitude:.*e}", precision.clamp(1, EXACT) - 1),
        None => format!("{magnitude:e}"),
    };
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let digits = if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    };
    let count = digits.chars().filter(char::is_ascii_digit).count();
    let limit = match precision {
        Some(precision) => {
            let wanted = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            if wanted > count && count > power { count } else { wanted }
        }
        None => 6,
    };
    if power < -4 || power >= limit {
        return exponent(&format!("{digits}e{power}"), if verb == 'G' { 'E' } else { 'e' });
    }
    let decimals = i32::try_from(count)
        .unwrap_or(i32::MAX)
        .saturating_sub(power + 1)
        .max(0);
    format!("{magnitude:.*}", usize::try_from(decimals).unwrap_or(0))
}

const FRACTION_BITS: u32 = 52;

/// Mantissa and exponent of two: the number is their product.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let mantissa = bits & ((1 << FRACTION_BITS) - 1);
    let biased = i32::try_from(bits >> FRACTION_BITS & 0x7ff).unwrap_or(0);
    if biased == 0 {
        (mantissa, -1074)
    } else {
        (mantissa | 1 << FRACTION_BITS, biased - 1075)
    }
}

fn binary(magnitude: f64) -> String {
    let (mantissa, power) = parts(magnitude);
    format!("{mantissa}p{power:+}")
}

fn hexadecimal(magnitude: f64, verb: char, precision: Option<usize>) -> String {
    let (mut mantissa, mut power) = parts(magnitude);
    if mantissa == 0 {
        power = 0;
    } else {
        // One digit before the point, in the bit above 60 others.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        power += 60 - i32::try_from(shift).unwrap_or(0);
    }
    let digits = precision.unwrap_or(15);
    if digits < 15 {
        let drop = u32::try_from(60 - 4 * digits).unwrap_or(0);
        let (half, rest) = (1u64 << (drop - 1), mantissa & ((1 << drop) - 1));
        let mut kept = mantissa >> drop;
        if rest > half || rest == half && kept & 1 == 1 {
            kept += 1;
        }
        mantissa = kept << drop;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            power += 1;
        }
    }
    let all = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => all.trim_end_matches('0').to_owned(),
        Some(digits) => zeros_after(&all[..digits.min(15)], digits.saturating_sub(15)),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if power < 0 { '-' } else { '+' };
    let shown = format!("0x{}{point}{fraction}p{sign}{:02}", mantissa >> 60, power.abs());
    if verb == 'X' { shown.to_uppercase() } else { shown }
}
