//! What a rule file says before anybody asks what it means: the same tree from YAML and from TOML, each thing with its place.

use std::ops::Range;
use std::rc::Rc;

use evenkeel_model::problem::File;

/// A thing of the file, and its bytes in the text.
#[derive(Debug)]
pub(crate) struct Node {
    pub span: Range<usize>,
    pub value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// YAML alone has it; it is as good as not there.
    Null,
    Scalar(Scalar, String),
    List(Vec<Rc<Node>>),
    /// No key twice.
    Map(Vec<(Written, Rc<Node>)>),
}

/// What a scalar is where its type matters; YAML gives its text to whoever asks for a string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Text,
    /// A string without quotes, as only YAML has it.
    Plain,
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date or a time.
    Date,
}

impl Node {
    /// With its article.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(Scalar::Text | Scalar::Plain, _) => "a string",
            Value::Scalar(Scalar::Integer(_), _) => "an integer",
            Value::Scalar(Scalar::Float(_), _) => "a number",
            Value::Scalar(Scalar::Bool(_), _) => "a boolean",
            Value::Scalar(Scalar::Date, _) => "a date or time",
            Value::List(_) => "a list",
            Value::Map(_) => "a table",
        }
    }
}

/// A string with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub text: String,
    pub span: Range<usize>,
}

impl Written {
    /// The place of a part of it, given in bytes of its value; the whole token where escapes hide it.
    pub fn inside(&self, file: File<'_>, part: &Range<usize>) -> Range<usize> {
        let raw = file.text.get(self.span.clone()).unwrap_or_default();
        let found = place(raw, &self.text, part.start).zip(place(raw, &self.text, part.end.max(part.start)));
        let Some((start, end)) = found else {
            return self.span.clone();
        };
        let (start, end) = (self.span.start + start, self.span.start + end);
        // A point is shown as the character after it.
        start..if end > start {
            end
        } else {
            file.text.ceil_char_boundary(start + 1)
        }
    }
}

/// Where in a raw token the byte `at` of its value stands. Whitespace is what indentation and folding change, so only the
/// other characters are followed.
fn place(raw: &str, value: &str, at: usize) -> Option<usize> {
    let (mut next, escapes) = opening(raw);
    let mut behind = next;
    for (offset, c) in value.char_indices() {
        if c.is_whitespace() {
            if offset >= at {
                return Some(behind);
            }
            continue;
        }
        let found = find(raw, next, c, escapes)?;
        if offset >= at {
            return Some(found);
        }
        next = found + c.len_utf8();
        behind = next;
    }
    Some(behind)
}

/// Where the value begins behind quotes or a block's first line, and whether `\` escapes in it.
fn opening(raw: &str) -> (usize, bool) {
    if raw.starts_with(['|', '>']) {
        return (raw.find('\n').map_or(raw.len(), |end| end + 1), false);
    }
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| raw.starts_with(quotes));
    (quotes.map_or(0, str::len), raw.starts_with('"'))
}

/// The character `c` from `next` on, behind nothing but whitespace and the signs that escape it.
fn find(raw: &str, mut next: usize, c: char, escapes: bool) -> Option<usize> {
    loop {
        let mut ahead = raw.get(next..)?.chars();
        let first = ahead.next()?;
        if escapes && first == '\\' {
            let escaped = ahead.next()?;
            match escaped {
                _ if escaped == c => return Some(next + 1),
                'n' | 't' | 'r' | ' ' | '\n' => next += 2,
                _ => return None,
            }
        } else if first == c {
            // A single quote within single quotes is written twice.
            let doubled = c == '\'' && raw.starts_with('\'') && ahead.next() == Some('\'');
            return Some(next + usize::from(doubled));
        } else if first.is_whitespace() {
            next += first.len_utf8();
        } else {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'t>(text: &'t str, raw: &str, value: &str, part: Range<usize>) -> &'t str {
        let start = text.find(raw).unwrap();
        let written = Written {
            text: value.into(),
            span: start..start + raw.len(),
        };
        let place = written.inside(File { path: "a.yml", text }, &part);
        &text[place]
    }

    #[test]
    fn parts_are_found_in_every_style() {
        assert_eq!(shown("expr: up +\n", "up +", "up +", 3..4), "+");
        assert_eq!(shown("expr: 'it''s x'\n", "'it''s x'", "it's x", 5..6), "x");
        assert_eq!(shown(r#"expr: "a\"b\nc""#, r#""a\"b\nc""#, "a\"b\nc", 4..5), "c");
        assert_eq!(
            shown("e: |\n  up\n    == 0\n", "|\n  up\n    == 0\n", "up\n  == 0\n", 5..7),
            "=="
        );
        assert_eq!(
            shown("e: >-\n  up\n  == 0\n", ">-\n  up\n  == 0\n", "up == 0", 3..5),
            "=="
        );
    }

    #[test]
    fn what_escapes_hide_is_the_whole_token() {
        assert_eq!(shown(r#"e: "\x41b""#, r#""\x41b""#, "Ab", 1..2), r#""\x41b""#);
    }

    #[test]
    fn an_end_is_shown_as_the_character_after_it() {
        assert_eq!(shown("e: up +\nf: 1", "up +", "up +", 4..4), "\n");
    }
}
