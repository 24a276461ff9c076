//! The text format, versions 0.0.4 and 1.0.0. Blanks count for nothing, a line feed ends a line and nothing
//! else does, and a comment that is no `HELP` or `TYPE` is only a comment.

use std::borrow::Cow;

use super::fault::{Limit, Slip};
use super::labels::{Braces, Name};
use super::scan::{Cursor, Parsed, Quotes};
use super::written::{Escapes, Written, unescaped};
use super::{Entry, Kind, Reader, Sample};

const SAMPLE: &str =
    "a sample is written `name{label=\"value\"} 1`; a time behind it is in whole milliseconds since 1970";

enum Keyword {
    Help,
    Type,
}

impl Reader<'_> {
    pub(super) fn text_entry(&mut self) -> Parsed<Option<Entry<'_>>> {
        loop {
            self.cursor.blanks();
            match self.cursor.peek() {
                None => return Ok(None),
                Some(b'\n') => self.cursor.step(),
                Some(b'#') => {
                    let start = self.cursor.at();
                    if let Some(keyword) = keyword(&mut self.cursor) {
                        return self.text_meta(start, &keyword).map(Some);
                    }
                    self.cursor.go_to_line_end();
                    self.forgive();
                }
                Some(_) => return self.text_sample().map(Some),
            }
        }
    }

    fn text_sample(&mut self) -> Parsed<Entry<'_>> {
        let cursor = &mut self.cursor;
        let start = cursor.at();
        self.labels.clear();
        let mut name = match cursor.bare_name()? {
            Some(name) => Name::Known(name),
            None if cursor.peek() == Some(b'{') => Name::Awaited,
            None => return Err(cursor.expected("a metric's name, `{` or `#`").help(SAMPLE)),
        };
        let mut end = cursor.at();
        cursor.blanks();
        if cursor.skip(b'{') {
            braces(self.kind).read(cursor, &mut name, &mut self.labels)?;
            end = cursor.at();
            cursor.blanks();
        }
        let name = name.known(start)?;
        let value = cursor.number("a value", |byte| byte == b'{' || Cursor::is_gap(byte))?;
        cursor.blanks();
        let timestamp = timestamp(cursor)?;
        let series = &cursor.text()[start..end];
        self.end_of_entry(start)?;
        self.count_sample(start)?;
        Ok(Entry::Sample(Sample {
            at: start,
            series,
            name,
            labels: &self.labels,
            value,
            timestamp,
            exemplar: None,
            created: None,
        }))
    }

    fn text_meta(&mut self, start: usize, keyword: &Keyword) -> Parsed<Entry<'_>> {
        let family = family(&mut self.cursor)?;
        let at = self.cursor.at();
        let text = meta_text(&mut self.cursor)?;
        self.end_of_entry(start)?;
        let family = family.read();
        Ok(match keyword {
            Keyword::Help => Entry::Help {
                family,
                text: unescaped(text, &Escapes::Help),
            },
            Keyword::Type => {
                let kind = kind(text).ok_or_else(|| unknown_kind(at, text))?;
                self.kind = Some(kind);
                Entry::Type { family, kind }
            }
        })
    }
}

fn braces(kind: Option<Kind>) -> Braces {
    Braces {
        loose: true,
        names: Quotes::NAME,
        values: Quotes {
            line_breaks: true,
            nuls: true,
        },
        kind,
    }
}

/// Goes over `# HELP ` or `# TYPE `, or over no more than the beginning of a comment.
fn keyword(cursor: &mut Cursor<'_>) -> Option<Keyword> {
    cursor.step();
    let start = cursor.at();
    cursor.blanks();
    if cursor.at() == start {
        return None;
    }
    let keyword = if cursor.skip_words("HELP") {
        Keyword::Help
    } else if cursor.skip_words("TYPE") {
        Keyword::Type
    } else {
        return None;
    };
    let end = cursor.at();
    cursor.blanks();
    (cursor.at() > end).then_some(keyword)
}

/// The name that a `HELP`, `TYPE` or `UNIT` is about.
pub(super) fn family<'t>(cursor: &mut Cursor<'t>) -> Parsed<Written<'t>> {
    if let Some(bare) = cursor.bare_name()? {
        return Ok(bare);
    }
    let open = cursor.at();
    if cursor.peek() != Some(b'"') {
        return Err(cursor.expected("a metric's name"));
    }
    let quoted = cursor.quoted(Quotes::NAME, Limit::NameBytes)?;
    if quoted.raw().is_empty() {
        return Err(Slip::new(open, "expected a name in these quotes"));
    }
    Ok(quoted)
}

/// The rest of the line without the byte that divides it from the name, whichever that is.
fn meta_text<'t>(cursor: &mut Cursor<'t>) -> Parsed<&'t str> {
    if let None | Some(b'\n') = cursor.peek() {
        return Ok("");
    }
    if !cursor.peek().is_some_and(|byte| byte.is_ascii() && byte != 0) {
        return Err(cursor.expected("a blank after the metric's name"));
    }
    cursor.step();
    let text = cursor.go_to_line_end();
    Ok(if text.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
        ""
    } else {
        text
    })
}

fn timestamp(cursor: &mut Cursor<'_>) -> Parsed<Option<i64>> {
    let start = cursor.at();
    let mut time: Option<i64> = Some(0);
    while let Some(digit @ b'0'..=b'9') = cursor.peek() {
        time = time.and_then(|time| time.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
        cursor.step();
    }
    let is_there = cursor.at() > start;
    let Some(time) = time else {
        return Err(Slip::new(
            start,
            "expected a time in milliseconds, found one past 64 bits",
        ));
    };
    cursor.blanks();
    match cursor.peek() {
        None | Some(b'\n') => Ok(is_there.then_some(time)),
        Some(_) if is_there => Err(cursor.expected("the end of the line after the time").help(SAMPLE)),
        Some(_) => Err(cursor
            .expected("a time in whole milliseconds or the end of the line")
            .help(SAMPLE)),
    }
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        "summary" => Kind::Summary,
        "untyped" => Kind::Unknown,
        _ => return None,
    })
}

fn unknown_kind(at: usize, word: &str) -> Box<Slip> {
    let message = format!(
        "expected `counter`, `gauge`, `histogram`, `summary` or `untyped`, found `{}`",
        super::scan::escaped(word)
    );
    Slip::new(at + usize::from(!word.is_empty()), Cow::Owned(message))
}
