//! Strings.

use super::printer::Printer;

pub(super) fn prints(verb: char) -> bool {
    matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
}

pub(super) fn string(printer: &mut Printer, text: &str, verb: char) {
    let flags = printer.flags;
    match verb {
        'v' if flags.sharp_v => printer.pad(&quoted(text, '"', false)),
        'x' | 'X' => hexadecimal(printer, text, verb),
        'q' => {
            let text = truncated(text, flags.precision);
            if flags.sharp && can_backquote(text) {
                printer.pad(&format!("`{text}`"));
            } else {
                printer.pad(&quoted(text, '"', flags.plus));
            }
        }
        _ => printer.pad(truncated(text, flags.precision)),
    }
}

fn truncated(text: &str, precision: Option<usize>) -> &str {
    let end = precision.and_then(|precision| text.char_indices().nth(precision));
    end.map_or(text, |(end, _)| &text[..end])
}

/// Byte by byte; a precision is a number of bytes.
fn hexadecimal(printer: &mut Printer, text: &str, verb: char) {
    let flags = printer.flags;
    let length = flags
        .precision
        .map_or(text.len(), |precision| precision.min(text.len()));
    let prefix = match (flags.sharp, verb) {
        (true, 'x') => "0x",
        (true, _) => "0X",
        _ => "",
    };
    let mut shown = String::new();
    for (n, byte) in text.as_bytes()[..length].iter().enumerate() {
        if flags.space && n > 0 {
            shown.push(' ');
        }
        if n == 0 || flags.space {
            shown.push_str(prefix);
        }
        shown.push_str(&if verb == 'x' {
            format!("{byte:02x}")
        } else {
            format!("{byte:02X}")
        });
    }
    printer.pad(&shown);
}

/// As `strconv.Quote` writes it.
pub(in super::super) fn escaped(text: &str) -> String {
    quoted(text, '"', false)
}

pub(super) fn quoted(text: &str, quote: char, ascii: bool) -> String {
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            _ if c == quote => shown.extend(['\\', quote]),
            '\u{7}' => shown.push_str("\\a"),
            '\u{8}' => shown.push_str("\\b"),
            '\u{c}' => shown.push_str("\\f"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\u{b}' => shown.push_str("\\v"),
            _ if is_printed(c) && (c.is_ascii() || !ascii) => shown.push(c),
            _ if c < ' ' || c == '\u{7f}' => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ if c <= '\u{ffff}' => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => shown.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    shown.push(quote);
    shown
}

/// Letters, marks, numbers, punctuation, symbols and the space.
pub(in super::super) fn is_printed(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // By itself a mark would be escaped.
    let after = ['a', c].iter().collect::<String>();
    after.escape_debug().count() == 2
}

fn can_backquote(text: &str) -> bool {
    text.chars()
        .all(|c| c != '\u{feff}' && c != '`' && c != '\u{7f}' && (c >= ' ' || c == '\t'))
}
