//! A format, verb by verb.

use super::super::value::Value;
use super::printer::{Flags, Printer};

/// A width or a precision beyond this is none.
const TOO_LARGE: i64 = 1_000_000;

pub(super) fn format(printer: &mut Printer, format: &str, values: &[Value]) {
    let mut reader = Reader {
        rest: format,
        values,
        next: 0,
        reordered: false,
        good: true,
        indexed: false,
    };
    while let Some(at) = reader.rest.find('%') {
        printer.push(&reader.rest[..at]);
        reader.rest = &reader.rest[at + 1..];
        reader.good = true;
        reader.indexed = false;
        printer.flags = Flags::default();
        reader.verb(printer);
        if printer.is_full() {
            return;
        }
    }
    printer.push(reader.rest);
    reader.extra(printer);
}

struct Reader<'f> {
    rest: &'f str,
    values: &'f [Value],
    next: usize,
    reordered: bool,
    /// The index of this verb, if it has one, is that of an argument.
    good: bool,
    /// An index was just read.
    indexed: bool,
}

impl Reader<'_> {
    fn verb(&mut self, printer: &mut Printer) {
        self.flags(printer);
        self.index();
        self.width(printer);
        self.precision(printer);
        if !self.indexed {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            return printer.push("%!(NOVERB)");
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            printer.push("%");
        } else if !self.good {
            printer.push("%!");
            printer.push(verb.encode_utf8(&mut [0; 4]));
            printer.push("(BADINDEX)");
        } else if let Some(value) = self.values.get(self.next) {
            self.next += 1;
            let flags = &mut printer.flags;
            if verb == 'v' {
                (flags.sharp_v, flags.sharp) = (flags.sharp, false);
                (flags.plus_v, flags.plus) = (flags.plus, false);
            }
            printer.top(value, verb);
        } else {
            printer.push("%!");
            printer.push(verb.encode_utf8(&mut [0; 4]));
            printer.push("(MISSING)");
        }
    }

    fn take(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn flags(&mut self, printer: &mut Printer) {
        while let Some(c) = self.rest.chars().next() {
            let flags = &mut printer.flags;
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = true,
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                ' ' => flags.space = true,
                _ => return,
            }
            self.rest = &self.rest[1..];
        }
    }

    /// `[n]`: the argument that is next.
    fn index(&mut self) {
        if !self.rest.starts_with('[') {
            return;
        }
        self.reordered = true;
        let Some(end) = self.rest.find(']') else {
            self.good = false;
            self.rest = &self.rest[1..];
            return;
        };
        let inside = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        let digits = !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_digit());
        match inside.parse::<usize>() {
            Ok(n) if digits && (1..=self.values.len()).contains(&n) => {
                self.next = n - 1;
                self.indexed = true;
            }
            Ok(_) if digits => {
                self.good = false;
                self.indexed = true;
            }
            _ => self.good = false,
        }
    }

    fn width(&mut self, printer: &mut Printer) {
        if self.take('*') {
            match self.int() {
                Some(width) => {
                    printer.flags.minus |= width < 0;
                    printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.push("%!(BADWIDTH)"),
            }
            self.indexed = false;
            return;
        }
        printer.flags.width = self.number();
        if self.indexed && printer.flags.width.is_some() {
            self.good = false;
        }
    }

    fn precision(&mut self, printer: &mut Printer) {
        if !self.take('.') {
            return;
        }
        if self.indexed {
            self.good = false;
        }
        self.indexed = false;
        self.index();
        if self.take('*') {
            // A negative precision is none, and wrong.
            printer.flags.precision = self.int().and_then(|precision| usize::try_from(precision).ok());
            if printer.flags.precision.is_none() {
                printer.push("%!(BADPREC)");
            }
            self.indexed = false;
            return;
        }
        printer.flags.precision = Some(self.number().unwrap_or(0));
    }

    /// An argument that is a width or a precision.
    fn int(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        value.int().filter(|int| (-TOO_LARGE..=TOO_LARGE).contains(int))
    }

    /// Digits; where they are too many, Go gives up on all that follows.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(10)) {
            let before = number.unwrap_or(0);
            if before > TOO_LARGE {
                self.rest = "";
                return None;
            }
            number = Some(before * 10 + i64::from(digit));
            self.rest = &self.rest[1..];
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    fn extra(&self, printer: &mut Printer) {
        if self.reordered || self.next >= self.values.len() {
            return;
        }
        printer.flags = Flags::default();
        printer.push("%!(EXTRA ");
        for (n, value) in self.values[self.next..].iter().enumerate() {
            printer.push(if n > 0 { ", " } else { "" });
            if matches!(value, Value::Nil) {
                printer.push("<nil>");
            } else {
                printer.push(value.type_name());
                printer.push("=");
                printer.top(value, 'v');
            }
        }
        printer.push(")");
    }
}
