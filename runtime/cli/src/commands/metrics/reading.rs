//! One exposition text, read as a scrape of a target without labels reads it.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use evenkeel_alerting::exposition::{Entry, Fault, Format, Limits, Sample, parse};
use evenkeel_alerting::promql::Labels;
use evenkeel_alerting::scrape::{Options, series_labels};
use evenkeel_model::problem::{File, Problem};
use serde::Serialize;

use crate::render::safe;

/// What the names of a family's samples end with.
const SUFFIXES: [&str; 7] = ["_total", "_bucket", "_sum", "_count", "_created", "_info", "_gcount"];
/// Bytes that are underlined at most.
const UNDERLINED: usize = 80;

pub struct Reading {
    pub counts: Counts,
    pub problem: Option<Problem>,
    pub stored: Vec<Stored>,
    /// The text for people: nothing in it acts on a terminal.
    pub text: String,
}

#[derive(Clone, Copy, Default, Serialize)]
pub struct Counts {
    pub families: usize,
    pub series: usize,
    pub samples: usize,
    /// Samples of a series that had one for the same time already.
    pub repeated: usize,
}

#[derive(Serialize)]
pub struct Stored {
    labels: BTreeMap<String, String>,
    /// A text, for JSON has no infinities.
    value: String,
    /// Milliseconds since 1970; none: the time of the scrape.
    timestamp_ms: Option<i64>,
}

#[derive(Default)]
struct Taken {
    families: HashSet<String>,
    series: HashSet<Labels>,
    times: HashSet<(Labels, Option<i64>)>,
    /// Series as they are written.
    texts: HashSet<String>,
    counts: Counts,
    stored: Vec<Stored>,
    fault: Option<Fault>,
}

pub fn read(name: &str, body: &[u8], format: Format) -> Reading {
    let mut taken = Taken::default();
    let parsed = match body {
        // A scrape that gets nothing looks no further.
        [] => Ok(()),
        body => parse(body, format, &Limits::default(), |entry| taken.take(body, &entry)),
    };
    let fault = taken.fault.take().or(parsed.err());
    taken.counts.families = taken.families.len();
    taken.counts.series = taken.series.len();
    let text = fault.as_ref().map(|_| shown(body)).unwrap_or_default();
    let problem = fault.map(|fault| problem(name, &text, &fault));
    Reading {
        counts: taken.counts,
        stored: if problem.is_some() { Vec::new() } else { taken.stored },
        problem,
        text,
    }
}

impl Taken {
    fn take(&mut self, body: &[u8], entry: &Entry<'_>) {
        if self.fault.is_some() {
            return;
        }
        match entry {
            Entry::Help { family, .. } | Entry::Type { family, .. } | Entry::Unit { family, .. } => {
                self.families.insert(family.to_string());
            }
            Entry::Sample(sample) => self.sample(body, sample),
        }
    }

    fn sample(&mut self, body: &[u8], sample: &Sample<'_>) {
        self.counts.samples += 1;
        let labels = match series_labels(sample, &Labels::default(), &Options::default()) {
            Ok(labels) => labels,
            Err(why) => {
                self.fault = Some(Fault {
                    help: Some(
                        "a series is found by its name and its labels: each has its name once, and the metric has one",
                    ),
                    ..Fault::at(body, sample.at, why.to_string())
                });
                return;
            }
        };
        self.family(&sample.name.read());
        self.series.insert(labels.clone());
        // One without a time is dropped after one with a time, too.
        let is_new = self.texts.insert(sample.series.to_owned()) || sample.timestamp.is_some();
        if !is_new || !self.times.insert((labels.clone(), sample.timestamp)) {
            self.counts.repeated += 1;
            return;
        }
        self.stored.push(Stored {
            labels: labels
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            value: number(sample.value),
            timestamp_ms: sample.timestamp,
        });
    }

    /// A sample that no family was told of is a family by itself.
    fn family(&mut self, name: &str) {
        let mut stems = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix));
        if !self.families.contains(name) && !stems.any(|stem| self.families.contains(stem)) {
            self.families.insert(name.to_owned());
        }
    }
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn problem(name: &str, text: &str, fault: &Fault) -> Problem {
    let span = token(text, fault);
    let file = File {
        path: &safe::text(name),
        text,
    };
    let problem = file.problem("exposition", span, &*fault.message);
    match fault.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// The bad place: what is there up to the next blank, or one byte.
fn token(text: &str, fault: &Fault) -> Range<usize> {
    let line_start = match fault.line {
        1 => 0,
        line => {
            let ends = text.match_indices('\n').nth(line - 2);
            ends.map_or(text.len(), |(end, _)| end + 1)
        }
    };
    let start = (line_start + fault.column - 1).min(text.len());
    let rest = &text[text.floor_char_boundary(start)..];
    let word = rest.find([' ', '\t', '\n']).unwrap_or(rest.len()).clamp(1, UNDERLINED);
    start..(start + word).min(text.len())
}

/// The same text, byte by byte, but for what a terminal acts on and what is no UTF-8.
fn shown(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        for character in chunk.valid().chars() {
            if matches!(character, '\n' | '\t')
                || safe::text(character.encode_utf8(&mut [0; 4])).len() == character.len_utf8()
            {
                text.push(character);
            } else {
                text.extend(std::iter::repeat_n('?', character.len_utf8()));
            }
        }
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    text
}
