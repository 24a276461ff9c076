//! Whole numbers.

use super::printer::Printer;
use super::text;

pub(super) fn prints(verb: char) -> bool {
    matches!(verb, 'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' | 'c' | 'q' | 'U')
}

pub(super) fn signed(printer: &mut Printer, value: i64, verb: char) {
    print(printer, value < 0, value.unsigned_abs(), verb);
}

pub(super) fn unsigned(printer: &mut Printer, value: u8, verb: char) {
    if verb == 'v' && printer.flags.sharp_v {
        printer.flags.sharp = true;
        print(printer, false, value.into(), 'x');
        printer.flags.sharp = false;
    } else {
        print(printer, false, value.into(), verb);
    }
}

fn print(printer: &mut Printer, negative: bool, magnitude: u64, verb: char) {
    match verb {
        'c' => printer.pad(character(negative, magnitude).encode_utf8(&mut [0; 4])),
        'q' => {
            let c = character(negative, magnitude);
            let quoted = text::quoted(c.encode_utf8(&mut [0; 4]), '\'', printer.flags.plus);
            printer.pad(&quoted);
        }
        'U' => unicode(printer, negative, magnitude),
        _ => number(printer, negative, magnitude, verb),
    }
}

fn character(negative: bool, magnitude: u64) -> char {
    let code = if negative { None } else { u32::try_from(magnitude).ok() };
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn number(printer: &mut Printer, negative: bool, magnitude: u64, verb: char) {
    let flags = printer.flags;
    if flags.precision == Some(0) && magnitude == 0 {
        return printer.pad_with("", false);
    }
    let signed = negative || flags.plus || flags.space;
    let wanted = match (flags.precision, flags.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(usize::from(signed)),
        _ => 0,
    };
    let digits = match verb {
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => magnitude.to_string(),
    };
    if wanted > printer.max() {
        return printer.overflow();
    }
    let digits = format!("{}{digits}", "0".repeat(wanted.saturating_sub(digits.len())));
    let prefix = match verb {
        'b' if flags.sharp => "0b",
        'o' if flags.sharp && !digits.starts_with('0') => "0",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        'O' => "0o",
        _ => "",
    };
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    printer.pad_with(&format!("{sign}{prefix}{digits}"), false);
}

/// `U+0041`, and with `#` the character too.
fn unicode(printer: &mut Printer, negative: bool, magnitude: u64) {
    let code = if negative { magnitude.wrapping_neg() } else { magnitude };
    let digits = printer.flags.precision.unwrap_or(4).max(4);
    if digits > printer.max() {
        return printer.overflow();
    }
    let hex = format!("{code:X}");
    let mut shown = format!("U+{}{hex}", "0".repeat(digits.saturating_sub(hex.len())));
    if let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
        && printer.flags.sharp
        && text::is_printed(c)
    {
        shown = format!("{shown} '{c}'");
    }
    printer.pad_with(&shown, false);
}
