//! Values by verb.

use super::super::time;
use super::super::value::Value;
use super::super::world::{Failure, too_long};
use super::{float, integer, text};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%+v`
    pub plus_v: bool,
    /// `%#v`
    pub sharp_v: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

pub(super) struct Printer {
    out: String,
    max: usize,
    pub flags: Flags,
    full: bool,
    /// What can't be printed here.
    refused: Option<&'static str>,
}

const ADDRESS: &str =
    "Go prints an address in memory here, which is left out: take `first`, or `range` over the answer";

impl Printer {
    pub fn new(max: usize) -> Self {
        Self {
            out: String::new(),
            max,
            flags: Flags::default(),
            full: false,
            refused: None,
        }
    }

    pub fn finish(self) -> Result<String, Failure> {
        match self.refused {
            Some(refused) => Err(refused.into()),
            None if self.full => Err(too_long(self.max)),
            None => Ok(self.out),
        }
    }

    /// Nothing that follows will be seen.
    pub fn is_full(&self) -> bool {
        self.full || self.refused.is_some()
    }

    pub fn max(&self) -> usize {
        self.max
    }

    pub fn overflow(&mut self) {
        self.full = true;
    }

    pub fn push(&mut self, text: &str) {
        if self.out.len() + text.len() > self.max {
            self.full = true;
        }
        if !self.is_full() {
            self.out.push_str(text);
        }
    }

    /// Text in the width that is asked for.
    pub fn pad(&mut self, text: &str) {
        self.pad_with(text, self.flags.zero);
    }

    pub fn pad_with(&mut self, text: &str, zero: bool) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(text.chars().count());
        if missing > self.max {
            self.full = true;
            return;
        }
        if self.flags.minus {
            self.push(text);
            self.push(&" ".repeat(missing));
        } else {
            self.push(&if zero { "0" } else { " " }.repeat(missing));
            self.push(text);
        }
    }

    /// An argument by itself.
    pub fn top(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad("<nil>"),
            (_, 'T') => text::string(self, value.type_name(), 's'),
            (Value::Element(_) | Value::Elements(_) | Value::Labels(_) | Value::Args(_) | Value::Time(_), 'p') => {
                self.refused = Some(ADDRESS);
            }
            (_, 'p') => self.bad(value, verb),
            _ => self.value(value, verb, 0, false),
        }
    }

    /// A value within others at that depth; `bare` without the pointer that leads to it.
    pub fn value(&mut self, value: &Value, verb: char, depth: usize, bare: bool) {
        if self.is_full() {
            return;
        }
        match value {
            // For errors to be wrapped, which are none of the values.
            _ if verb == 'w' => self.bad(value, verb),
            Value::Nil if self.flags.sharp_v && depth > 0 => self.push("interface {}(nil)"),
            Value::Nil if depth > 0 => self.push("<nil>"),
            Value::Nil => self.bad(value, verb),
            Value::Bool(of) if matches!(verb, 't' | 'v') => self.pad(if *of { "true" } else { "false" }),
            Value::Int(of) if integer::prints(verb) => integer::signed(self, *of, verb),
            Value::Byte(of) if integer::prints(verb) => integer::unsigned(self, *of, verb),
            Value::Month(of) | Value::Weekday(of) => {
                let name = time::name_of(value);
                self.named(&name, i64::from(*of), value, verb);
            }
            Value::Float(of) if float::prints(verb) => float::print(self, *of, verb),
            Value::Text(of) | Value::Html(of) if text::prints(verb) => text::string(self, of, verb),
            Value::Time(_) if self.flags.sharp_v => self.refused = Some("`%#v` of a time is left out here"),
            Value::Time(of) if text::prints(verb) => text::string(self, &time::string(*of), verb),
            Value::Time(_) => self.refused = Some("this verb for a time is left out here"),
            Value::Labels(labels) => {
                let pairs = labels.iter().map(|(name, of)| (name, Value::text(of)));
                self.map(value.type_name(), pairs, verb, depth);
            }
            Value::Args(args) => {
                let pairs = args.named.iter().map(|(name, of)| (name.as_str(), of.clone()));
                self.map(value.type_name(), pairs, verb, depth);
            }
            Value::Elements(elements) if elements.list().is_empty() => {
                let sharp = self.flags.sharp_v;
                self.push(if sharp { "template.queryResult{}" } else { "[]" });
            }
            Value::Element(element) if bare || depth == 0 => {
                self.push(if bare { "" } else { "&" });
                let fields = [
                    ("Labels", Value::Labels(element.labels.clone())),
                    ("Value", Value::Float(element.value)),
                ];
                self.structure("template.sample", &fields, verb, depth);
            }
            Value::Elements(_) | Value::Element(_) => self.refused = Some(ADDRESS),
            Value::Root(root) => {
                let fields = [
                    ("Labels", Value::Labels(root.labels.clone())),
                    ("ExternalLabels", Value::Labels(root.external_labels.clone())),
                    ("ExternalURL", Value::Text(root.external_url.clone())),
                    ("Value", Value::Float(root.value)),
                ];
                self.structure(value.type_name(), &fields, verb, depth);
            }
            _ => self.bad(value, verb),
        }
    }

    /// A type of whole numbers that have names.
    fn named(&mut self, name: &str, number: i64, value: &Value, verb: char) {
        if !self.flags.sharp_v && text::prints(verb) {
            text::string(self, name, verb);
        } else if integer::prints(verb) {
            integer::signed(self, number, verb);
        } else {
            self.bad(value, verb);
        }
    }

    fn map<'p>(&mut self, name: &str, pairs: impl Iterator<Item = (&'p str, Value)>, verb: char, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.push(name);
        }
        self.push(if sharp { "{" } else { "map[" });
        for (n, (key, value)) in pairs.enumerate() {
            if n > 0 {
                self.push(if sharp { ", " } else { " " });
            }
            self.value(&Value::text(key), verb, depth + 1, false);
            self.push(":");
            self.value(&value, verb, depth + 1, false);
        }
        self.push(if sharp { "}" } else { "]" });
    }

    fn structure(&mut self, name: &str, fields: &[(&str, Value)], verb: char, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.push(name);
        }
        self.push("{");
        for (n, (field, value)) in fields.iter().enumerate() {
            if n > 0 {
                self.push(if sharp { ", " } else { " " });
            }
            if sharp || self.flags.plus_v {
                self.push(field);
                self.push(":");
            }
            self.value(value, verb, depth + 1, false);
        }
        self.push("}");
    }

    /// A verb that the type doesn't have.
    pub fn bad(&mut self, value: &Value, verb: char) {
        self.push("%!");
        self.push(verb.encode_utf8(&mut [0; 4]));
        self.push("(");
        if matches!(value, Value::Nil) {
            self.push("<nil>");
        } else {
            self.push(value.type_name());
            self.push("=");
            self.value(value, 'v', 0, false);
        }
        self.push(")");
    }
}
