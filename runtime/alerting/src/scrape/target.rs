//! One target, scrape after scrape.

use std::time::Duration;

use super::cache::{Cache, Place};
use super::metadata::{Families, Metadata};
use super::{Answer, Failure, Handle, Options, Outcome, Refused, Sink, When, series_labels};
use crate::exposition::{self, Entry, Fault, Format, Sample};
use crate::promql::{Labels, NAME, STALE};

/// How far ahead of the scrape the time of a sample may be.
const AHEAD_MS: i64 = 10 * 60 * 1000;

/// Before the first scrape. Nothing belongs to the scrape before that.
const NONE_YET: u64 = 1;

const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// What is known of a target between its scrapes.
#[derive(Debug)]
pub struct Target {
    labels: Labels,
    options: Options,
    cache: Cache,
    families: Families,
    reports: [Option<Handle>; REPORTS.len()],
    /// Number of the scrape.
    scrape: u64,
    read: Vec<Read>,
}

/// A sample that may be appended when the whole text is read.
#[derive(Debug)]
struct Read {
    place: Place,
    /// None: when the scrape was.
    at_ms: Option<i64>,
    value: f64,
}

impl Target {
    /// With the labels that all of its series get, `job` and `instance` among them.
    pub fn new(labels: Labels, options: Options) -> Self {
        Self {
            labels,
            options,
            cache: Cache::default(),
            families: Families::default(),
            reports: [None; REPORTS.len()],
            scrape: NONE_YET,
            read: Vec::new(),
        }
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.cache.len()
    }

    /// Families that came lately, and what was said of them, in no order.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &Metadata)> {
        self.families.iter()
    }

    /// Takes in what the target answered.
    pub fn scraped(&mut self, answer: &Answer<'_>, when: When, sink: &mut impl Sink) -> Outcome {
        self.scrape += 1;
        self.read.clear();
        let mut outcome = Outcome::default();
        match self.read(answer, when.at_ms, &mut outcome) {
            Ok(()) => self.append(when.at_ms, &mut outcome, sink),
            Err(failure) => {
                outcome.failure = Some(failure);
                self.note(&mut outcome);
            }
        }
        let is_whole = outcome.is_up() && !answer.body.is_empty();
        self.end(is_whole, when, &mut outcome, sink);
        outcome
    }

    /// Takes in that there was no answer, or none with status 200.
    pub fn unanswered(&mut self, why: impl Into<String>, when: When, sink: &mut impl Sink) -> Outcome {
        self.scrape += 1;
        let mut outcome = Outcome {
            failure: Some(Failure::Unanswered(why.into())),
            ..Outcome::default()
        };
        self.end(false, when, &mut outcome, sink);
        outcome
    }

    /// Ends all of its series: it is scraped no more.
    pub fn gone(mut self, at_ms: i64, sink: &mut impl Sink) {
        self.scrape += 1;
        self.end_gone(at_ms, sink);
        for report in self.reports.into_iter().flatten() {
            // It may have ended already, or be scraped by another target now.
            let _ = sink.append(report, at_ms, f64::from_bits(STALE));
        }
    }

    fn read(&mut self, answer: &Answer<'_>, at_ms: i64, outcome: &mut Outcome) -> Result<(), Failure> {
        if let Some(limit) = self.options.body_size_limit.filter(|limit| answer.body.len() >= *limit) {
            return Err(Failure::BodySize(limit));
        }
        if answer.body.is_empty() {
            return Ok(());
        }
        let format = Format::of(answer.content_type, self.options.fallback_scrape_protocol)?;
        let mut reading = Reading {
            labels: &self.labels,
            options: &self.options,
            cache: &mut self.cache,
            scrape: self.scrape,
            latest_ms: at_ms.saturating_add(AHEAD_MS),
            text: answer.body,
            read: &mut self.read,
            counted: 0,
            outcome,
            fault: None,
        };
        let families = &mut self.families;
        let scrape = self.scrape;
        let parsed = exposition::parse(answer.body, format, &self.options.limits, |entry| match entry {
            Entry::Sample(sample) => reading.take(&sample),
            about if reading.fault.is_none() => families.take(&about, scrape),
            _ => {}
        });
        let (fault, counted) = (reading.fault, reading.counted);
        if let Some(fault) = fault.or(parsed.err()) {
            return Err(Failure::Text(fault));
        }
        match self.options.sample_limit.filter(|limit| counted > *limit) {
            Some(limit) => Err(Failure::SampleLimit {
                scraped: outcome.scraped,
                limit,
            }),
            None => Ok(()),
        }
    }

    /// Appends what was read, now that all of it is.
    fn append(&mut self, at_ms: i64, outcome: &mut Outcome, sink: &mut impl Sink) {
        for read in std::mem::take(&mut self.read) {
            let at = read.at_ms.unwrap_or(at_ms);
            if let Err(why) = self.append_one(read.place, at, read.value, sink) {
                outcome.dropped.count(why);
                continue;
            }
            self.take_up(&read, outcome);
        }
    }

    #[inline]
    fn append_one(&mut self, place: Place, at_ms: i64, value: f64, sink: &mut impl Sink) -> Result<(), Refused> {
        let handle = match self.cache.series(place) {
            Some(series) => series.handle,
            None => self.ask(place, sink)?,
        };
        let appended = match sink.append(handle, at_ms, value) {
            Err(Refused::Unknown) => {
                let handle = self.ask(place, sink)?;
                sink.append(handle, at_ms, value)
            }
            appended => appended,
        };
        let scrape = self.scrape;
        let is_new = self.cache.entry(place).is_new;
        let Some(series) = self.cache.series(place) else {
            return appended;
        };
        match appended {
            Ok(()) => {
                series.appended = scrape;
                Ok(())
            }
            // The same series in other words: Prometheus notices when it commits, and has counted it by then.
            Err(Refused::Duplicate | Refused::OutOfOrder) if is_new && series.appended == scrape => Ok(()),
            refused => refused,
        }
    }

    fn ask(&mut self, place: Place, sink: &mut impl Sink) -> Result<Handle, Refused> {
        let handle = sink.series(self.cache.labels(place))?;
        self.cache.bind(place, handle);
        Ok(handle)
    }

    /// A failed scrape appends nothing; what came before the bad place is known from now on, and goes on.
    fn note(&mut self, outcome: &mut Outcome) {
        for read in std::mem::take(&mut self.read) {
            self.take_up(&read, outcome);
        }
    }

    #[inline]
    fn take_up(&mut self, read: &Read, outcome: &mut Outcome) {
        let entry = self.cache.entry(read.place);
        if entry.is_new {
            entry.is_new = false;
            outcome.series_added += 1;
        }
        let scrape = self.scrape;
        if (read.at_ms.is_none() || self.options.track_timestamps_staleness)
            && let Some(series) = self.cache.series(read.place)
        {
            series.tracked = scrape;
        }
    }

    fn end(&mut self, is_whole: bool, when: When, outcome: &mut Outcome, sink: &mut impl Sink) {
        self.end_gone(when.at_ms, sink);
        self.cache.end(self.scrape, is_whole, self.families.len());
        if is_whole {
            self.families.forget_old(self.scrape);
        }
        self.report(when, outcome, sink);
    }

    fn end_gone(&mut self, at_ms: i64, sink: &mut impl Sink) {
        for handle in self.cache.gone(self.scrape) {
            // It may have a later sample, with a time of its own or from another target, or be dropped: then it has ended.
            let _ = sink.append(handle, at_ms, f64::from_bits(STALE));
        }
    }

    fn report(&mut self, when: When, outcome: &mut Outcome, sink: &mut impl Sink) {
        let values = [
            f64::from(u8::from(outcome.is_up())),
            Duration::as_secs_f64(&when.took),
            count(outcome.scraped),
            count(outcome.post_relabeling),
            count(outcome.series_added),
        ];
        for (n, value) in values.into_iter().enumerate() {
            if let Err(why) = self.report_one(n, when.at_ms, value, sink) {
                outcome.dropped.count(why);
            }
        }
    }

    fn report_one(&mut self, n: usize, at_ms: i64, value: f64, sink: &mut impl Sink) -> Result<(), Refused> {
        if let Some(handle) = self.reports[n] {
            match sink.append(handle, at_ms, value) {
                Err(Refused::Unknown) => {}
                // It came back under a new target before the old one was told to end.
                Ok(()) | Err(Refused::OutOfOrder | Refused::Duplicate) => return Ok(()),
                refused => return refused,
            }
        }
        let name = [(NAME, REPORTS[n])];
        let handle = sink.series(Labels::new(self.labels.iter().chain(name)))?;
        self.reports[n] = Some(handle);
        match sink.append(handle, at_ms, value) {
            Err(Refused::OutOfOrder | Refused::Duplicate) => Ok(()),
            appended => appended,
        }
    }
}

/// The reading of one text.
struct Reading<'a> {
    labels: &'a Labels,
    options: &'a Options,
    cache: &'a mut Cache,
    scrape: u64,
    latest_ms: i64,
    text: &'a [u8],
    read: &'a mut Vec<Read>,
    /// Samples that count for `sample_limit`.
    counted: usize,
    outcome: &'a mut Outcome,
    /// The first series that can't be stored. What follows it is not looked at.
    fault: Option<Fault>,
}

impl Reading<'_> {
    #[inline]
    fn take(&mut self, sample: &Sample<'_>) {
        if self.fault.is_some() {
            return;
        }
        self.outcome.scraped += 1;
        let at_ms = sample.timestamp.filter(|_| self.options.honor_timestamps);
        match self.cache.find(sample.series) {
            Some(place) => {
                let seen = std::mem::replace(&mut self.cache.entry(place).seen, self.scrape);
                if seen == self.scrape && at_ms.is_none() {
                    self.outcome.dropped.duplicate += 1;
                } else if self.counts(at_ms) {
                    self.keep(place, at_ms, sample.value);
                }
            }
            None => match series_labels(sample, self.labels, self.options) {
                Err(why) => {
                    self.fault = Some(Fault::at(self.text, sample.at, why.to_string()));
                    return;
                }
                Ok(labels) => {
                    if self.counts(at_ms) {
                        let place = self.cache.add(sample.series, labels, self.scrape);
                        self.keep(place, at_ms, sample.value);
                    }
                }
            },
        }
        self.outcome.post_relabeling += 1;
    }

    /// Counts the sample, and says whether it may be kept.
    #[inline]
    fn counts(&mut self, at_ms: Option<i64>) -> bool {
        self.counted += 1;
        if self.options.sample_limit.is_some_and(|limit| self.counted > limit) {
            return false;
        }
        let is_too_far = at_ms.is_some_and(|at_ms| at_ms > self.latest_ms);
        self.outcome.dropped.out_of_bounds += usize::from(is_too_far);
        !is_too_far
    }

    #[inline]
    fn keep(&mut self, place: Place, at_ms: Option<i64>, value: f64) {
        self.read.push(Read { place, at_ms, value });
    }
}

#[allow(clippy::cast_precision_loss, reason = "no text has 2^53 samples")]
fn count(number: usize) -> f64 {
    number as f64
}
