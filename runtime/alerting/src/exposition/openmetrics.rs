//! OpenMetrics 1.0: one blank wherever there is one, no comments, times in seconds, and `# EOF` at the end.

use std::borrow::Cow;

use super::fault::Slip;
use super::labels::{Braces, Name};
use super::scan::{Cursor, Parsed, Quotes, escaped};
use super::text::family;
use super::written::{Escapes, Written, unescaped};
use super::{Entry, Exemplar, Kind, Reader, Sample};

impl<'t> Reader<'t> {
    pub(super) fn openmetrics_entry(&mut self) -> Parsed<Option<Entry<'_>>> {
        let start = self.cursor.at();
        match self.cursor.peek() {
            None => Err(self
                .cursor
                .slip("expected `# EOF` before the text ends: it may be cut off")
                .help("the last line of a whole text is `# EOF`")),
            Some(b'#') if self.cursor.skip_words("# EOF") => {
                self.cursor.skip(b'\n');
                match self.cursor.peek() {
                    None => Ok(None),
                    Some(_) => Err(self.cursor.slip("expected nothing after `# EOF`").help(
                        "two texts that were put together are none: their families have to be, before one `# EOF`",
                    )),
                }
            }
            Some(b'#') => self.openmetrics_meta(start).map(Some),
            Some(_) => self.openmetrics_sample(start).map(Some),
        }
    }

    fn openmetrics_meta(&mut self, start: usize) -> Parsed<Entry<'_>> {
        let cursor = &mut self.cursor;
        let keyword = ["# HELP ", "# TYPE ", "# UNIT "]
            .into_iter()
            .find(|keyword| cursor.skip_words(keyword))
            .ok_or_else(|| {
                cursor
                    .slip("expected `# HELP `, `# TYPE `, `# UNIT ` or `# EOF`: comments are not allowed")
                    .help("OpenMetrics has no comments and no empty lines: take the line away")
            })?;
        let family = family(cursor)?;
        let at = cursor.at() + 1;
        let text = meta_text(cursor)?;
        self.end_of_entry(start)?;
        self.cursor.step();
        match keyword {
            "# HELP " => Ok(Entry::Help {
                family: family.read(),
                text: unescaped(text, &Escapes::Quoted),
            }),
            "# TYPE " => {
                let kind = kind(text).ok_or_else(|| unknown_kind(at, text))?;
                self.kind = Some(kind);
                Ok(Entry::Type {
                    family: family.read(),
                    kind,
                })
            }
            _ => unit(family, text, at),
        }
    }

    fn openmetrics_sample(&mut self, start: usize) -> Parsed<Entry<'_>> {
        let cursor = &mut self.cursor;
        self.labels.clear();
        let mut name = match cursor.bare_name()? {
            Some(name) => Name::Known(name),
            None if cursor.peek() == Some(b'{') => Name::Awaited,
            None => return Err(cursor.expected("a metric's name, `{` or `# `").help(SAMPLE)),
        };
        if cursor.skip(b'{') {
            braces(self.kind).read(cursor, &mut name, &mut self.labels)?;
        }
        let name = name.known(start)?;
        let series = cursor.since(start);
        let value = number(cursor, "a value")?;
        let timestamp = match cursor.peek() {
            Some(b' ') if !is_exemplar(cursor) => Some(seconds(cursor)?),
            _ => None,
        };
        let exemplar = self.exemplar()?;
        if self.cursor.peek() != Some(b'\n') {
            return Err(self
                .cursor
                .expected(match (timestamp, exemplar) {
                    (_, Some(_)) => "the end of the line after the exemplar",
                    (Some(_), None) => "` # {` or the end of the line after the time",
                    (None, None) => "a time, ` # {` or the end of the line after the value",
                })
                .help(SAMPLE));
        }
        self.end_of_entry(start)?;
        self.count_sample(start)?;
        self.cursor.step();
        let exemplar = exemplar.map(|(value, timestamp)| Exemplar {
            labels: &self.exemplar_labels,
            value,
            timestamp,
        });
        Ok(Entry::Sample(Sample {
            at: start,
            series,
            name,
            labels: &self.labels,
            value,
            timestamp,
            exemplar,
            created: created(self.kind, &name, value),
        }))
    }

    /// Value and time of the exemplar, if there is one; its labels are in their place.
    fn exemplar(&mut self) -> Parsed<Option<(f64, Option<i64>)>> {
        let cursor = &mut self.cursor;
        if !cursor.skip_words(EXEMPLAR) {
            return Ok(None);
        }
        self.exemplar_labels.clear();
        EXEMPLAR_BRACES.read(cursor, &mut Name::Never, &mut self.exemplar_labels)?;
        let value = number(cursor, "the exemplar's value")?;
        let timestamp = match cursor.peek() {
            Some(b' ') => Some(seconds(cursor)?),
            _ => None,
        };
        Ok(Some((value, timestamp)))
    }
}

const SAMPLE: &str = "a sample is written `name{label=\"value\"} 1`, in OpenMetrics with one blank and not one more; \
                      a time is in seconds";
const EXEMPLAR: &str = " # {";
const EXEMPLAR_BRACES: Braces = Braces {
    loose: false,
    names: Quotes {
        line_breaks: false,
        nuls: false,
    },
    values: Quotes {
        line_breaks: false,
        nuls: false,
    },
    kind: None,
};

fn braces(kind: Option<Kind>) -> Braces {
    Braces {
        loose: false,
        names: Quotes::NAME,
        values: Quotes {
            line_breaks: false,
            nuls: true,
        },
        kind,
    }
}

fn is_exemplar(cursor: &Cursor<'_>) -> bool {
    cursor.text().as_bytes()[cursor.at()..].starts_with(EXEMPLAR.as_bytes())
}

/// One blank and a number.
fn number(cursor: &mut Cursor<'_>, what: &str) -> Parsed<f64> {
    if !cursor.skip(b' ') {
        return Err(cursor.expected(&format!("one blank and {what}")).help(SAMPLE));
    }
    cursor.number(what, |byte| matches!(byte, b' ' | b'\n' | 0))
}

/// One blank and seconds, as milliseconds; what is less than one is cut off, as in Prometheus.
fn seconds(cursor: &mut Cursor<'_>) -> Parsed<i64> {
    let start = cursor.at();
    let seconds = number(cursor, "a time in seconds")?;
    if !seconds.is_finite() {
        return Err(Slip::new(
            start + 1,
            "expected a time in seconds, found one that is not finite",
        ));
    }
    Ok(milliseconds(seconds))
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a time past 64 bits becomes the last one"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

fn created(kind: Option<Kind>, name: &Written<'_>, value: f64) -> Option<i64> {
    let may = matches!(kind, Some(Kind::Counter | Kind::Histogram | Kind::Summary));
    (may && name.raw().ends_with("_created")).then(|| milliseconds(value))
}

/// What follows the name, up to the line break, which must be there.
fn meta_text<'t>(cursor: &mut Cursor<'t>) -> Parsed<&'t str> {
    if !cursor.skip(b' ') {
        return Err(cursor.expected("one blank after the metric's name"));
    }
    let text = cursor.go_to_line_end();
    match cursor.peek() {
        Some(_) => Ok(text),
        None => Err(cursor.slip("expected the end of the line, and `# EOF`, before the text ends")),
    }
}

fn unit<'t>(family: Written<'t>, unit: &'t str, at: usize) -> Parsed<Entry<'t>> {
    let is_suffix = |name: &str| name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'));
    if unit.is_empty() || is_suffix(family.raw()) {
        return Ok(Entry::Unit {
            family: family.read(),
            unit,
        });
    }
    let message = format!(
        "expected a unit that the name ends with, after a `_`; `{}` does not end with `_{}`",
        escaped(family.raw()),
        escaped(unit)
    );
    Err(Slip::new(at, Cow::Owned(message)))
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        "gaugehistogram" => Kind::GaugeHistogram,
        "summary" => Kind::Summary,
        "info" => Kind::Info,
        "stateset" => Kind::StateSet,
        "unknown" => Kind::Unknown,
        _ => return None,
    })
}

fn unknown_kind(at: usize, word: &str) -> Box<Slip> {
    let message = format!(
        "expected `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset` or `unknown`, found `{}`",
        escaped(word)
    );
    Slip::new(at, Cow::Owned(message))
}
