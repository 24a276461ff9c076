//! Exposition text: what a scraped target answers. Strict, without a copy, and without I/O.
//!
//! The grammar is the one that Prometheus 3.5 reads, not the one that the formats' pages print: what a
//! Prometheus takes is taken, and what it refuses is refused, each text as a whole. So the text format
//! also takes line breaks in label values, `a+1` and names in quotes whatever version it says, and
//! OpenMetrics is not asked whether its families belong together.
//!
//! Where this differs, on purpose:
//!
//! - A NUL is taken in label values, help and comments alone. Prometheus ends there in silence, or cuts the
//!   value beside it.
//! - Blanks before a metric's name are no part of it.
//! - Names in `HELP`, `TYPE` and `UNIT` are not empty, as those of samples, and the lines are UTF-8.
//! - In OpenMetrics, `{up}` without quotes is no name. Prometheus cuts it at both ends, and dies of `{u}`.
//! - What is escaped in those names and in an exemplar's labels is decoded as anywhere else.
//! - The [`Limits`].
//!
//! An empty OpenMetrics body is refused for its missing end; a Prometheus that scrapes one asks no parser.
//! Labels that are named twice, and what several lines mean together, are for the caller to judge.

mod fault;
mod format;
mod labels;
mod number;
mod openmetrics;
mod scan;
mod text;
mod written;

use std::borrow::Cow;

pub use fault::{Fault, Limit, Limits};
pub use format::{ACCEPT, Format, Unreadable};
pub use written::Written;

use fault::Slip;
use scan::Cursor;

/// One line that says something.
#[derive(Clone, Debug)]
pub enum Entry<'t> {
    Help {
        family: Cow<'t, str>,
        text: Cow<'t, str>,
    },
    Type {
        family: Cow<'t, str>,
        kind: Kind,
    },
    /// Empty: the family has none.
    Unit {
        family: Cow<'t, str>,
        unit: &'t str,
    },
    Sample(Sample<'t>),
}

#[derive(Clone, Copy, Debug)]
pub struct Sample<'t> {
    /// The byte of the text that it begins at; [`Fault::at`] makes line and column of it.
    pub at: usize,
    /// Name and labels as they stand in the text: equal bytes are the same series, and a hash of them
    /// finds it again without reading the labels.
    pub series: &'t str,
    pub name: Written<'t>,
    /// In the text's order, the name not among them. A name may come twice.
    pub labels: &'t [Label<'t>],
    /// A NaN is always `f64::NAN`, so it is never taken for a staleness marker.
    pub value: f64,
    /// Milliseconds of Unix time; none: the time of the scrape.
    pub timestamp: Option<i64>,
    pub exemplar: Option<Exemplar<'t>>,
    /// Of an OpenMetrics `_created`: when the series beside it began, in milliseconds of Unix time.
    pub created: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Label<'t> {
    pub name: Written<'t>,
    pub value: Written<'t>,
}

#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'t> {
    pub labels: &'t [Label<'t>],
    pub value: f64,
    /// Milliseconds of Unix time.
    pub timestamp: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    /// The text format's `untyped`, OpenMetrics' `unknown`.
    Unknown,
}

/// Reads a whole text and hands out what it says, line by line.
///
/// What was handed out before a fault is void with the rest. Allocates when something is decoded, not for a sample.
///
/// # Errors
///
/// The first place that a Prometheus would refuse the text for, or that is past a limit.
pub fn parse(body: &[u8], format: Format, limits: &Limits, mut take: impl FnMut(Entry<'_>)) -> Result<(), Fault> {
    match std::str::from_utf8(body) {
        Ok(text) => Reader::new(text, format, limits, &[]).read(&mut take),
        Err(_) => {
            let (text, spoilt) = patched(body);
            Reader::new(&text, format, limits, &spoilt).read(&mut take)
        }
    }
}

/// The text with `?` for each byte that is no UTF-8, and where these are. In a comment they do no harm.
fn patched(body: &[u8]) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(body.len());
    let mut spoilt = Vec::new();
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        for _ in chunk.invalid() {
            spoilt.push(text.len());
            text.push('?');
        }
    }
    (text, spoilt)
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    format: Format,
    /// Bytes that are no UTF-8, from the cursor on.
    spoilt: &'t [usize],
    /// Of the last `TYPE`, whatever it was about: so it is in Prometheus.
    kind: Option<Kind>,
    samples: usize,
    labels: Vec<Label<'t>>,
    exemplar_labels: Vec<Label<'t>>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, format: Format, limits: &'t Limits, spoilt: &'t [usize]) -> Self {
        Self {
            cursor: Cursor::new(text, limits),
            format,
            spoilt,
            kind: None,
            samples: 0,
            labels: Vec::new(),
            exemplar_labels: Vec::new(),
        }
    }

    fn read(mut self, take: &mut impl FnMut(Entry<'_>)) -> Result<(), Fault> {
        let text = self.cursor.text();
        loop {
            match self.entry() {
                Ok(Some(entry)) => take(entry),
                Ok(None) => return Ok(()),
                Err(slip) => return Err(self.first(slip).into_fault(text)),
            }
        }
    }

    /// The next entry; none at the end.
    fn entry(&mut self) -> Result<Option<Entry<'_>>, Box<Slip>> {
        match self.format {
            Format::Text => self.text_entry(),
            Format::OpenMetrics => self.openmetrics_entry(),
        }
    }

    /// Ends an entry that began at `start`: its length and its bytes are judged.
    fn end_of_entry(&mut self, start: usize) -> Result<(), Box<Slip>> {
        self.cursor.check_line(start)?;
        match self.spoilt.first() {
            Some(at) if *at < self.cursor.at() => Err(not_utf8(*at)),
            _ => Ok(()),
        }
    }

    fn count_sample(&mut self, start: usize) -> Result<(), Box<Slip>> {
        self.samples += 1;
        self.cursor.check(self.samples, Limit::Samples, start)
    }

    /// What was read up to the slip may not be UTF-8: then that is what is wrong.
    fn first(&self, slip: Box<Slip>) -> Box<Slip> {
        let end = self.cursor.at().max(slip.at + 1);
        match self.spoilt.first() {
            Some(at) if *at < end => not_utf8(*at),
            _ => slip,
        }
    }

    /// What is no UTF-8 up to here was in a comment.
    fn forgive(&mut self) {
        let at = self.cursor.at();
        let passed = self.spoilt.partition_point(|spoilt| *spoilt < at);
        self.spoilt = &self.spoilt[passed..];
    }
}

fn not_utf8(at: usize) -> Box<Slip> {
    Slip::new(at, "not UTF-8").help("a text is in UTF-8, but for what stands in comments")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
