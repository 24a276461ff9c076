//! Scrape after scrape of one target: nothing panics, what failed appends no sample, every series that ended has a
//! sample before, the reports are there each time, and what is known is bounded.

use std::collections::HashMap;
use std::time::Duration;

use evenkeel_alerting::exposition::{Format, Limits};
use evenkeel_alerting::promql::{Labels, NAME, STALE};
use evenkeel_alerting::scrape::{Answer, Handle, Options, Refused, Sink, Target, When};

use crate::bytes::Bytes;

/// A store as strict as a real one, which now and then drops a series or has no room.
#[derive(Default)]
struct Store {
    by_labels: HashMap<Labels, Handle>,
    samples: Vec<Vec<(i64, f64)>>,
    dropped: u64,
    most: usize,
    /// In this scrape.
    appended: usize,
    ended: usize,
    reports: usize,
    report: Vec<bool>,
}

impl Sink for Store {
    fn series(&mut self, labels: Labels) -> Result<Handle, Refused> {
        assert!(!labels.get(NAME).is_empty());
        if let Some(handle) = self.by_labels.get(&labels) {
            return Ok(*handle);
        }
        if self.by_labels.len() >= self.most {
            return Err(Refused::Full);
        }
        let name = labels.get(NAME);
        self.report.push(name == "up" || name.starts_with("scrape_"));
        let handle = Handle(self.samples.len() as u64);
        self.samples.push(Vec::new());
        self.by_labels.insert(labels, handle);
        Ok(handle)
    }

    fn append(&mut self, series: Handle, at_ms: i64, value: f64) -> Result<(), Refused> {
        if series.0 < self.dropped {
            return Err(Refused::Unknown);
        }
        let place = usize::try_from(series.0).expect("it is a place");
        let samples = &mut self.samples[place];
        match samples.last() {
            Some((last, _)) if *last > at_ms => return Err(Refused::OutOfOrder),
            Some((last, old)) if *last == at_ms && old.to_bits() == value.to_bits() => {}
            Some((last, _)) if *last == at_ms => return Err(Refused::Duplicate),
            _ => samples.push((at_ms, value)),
        }
        if value.to_bits() == STALE {
            assert!(self.samples[place].len() > 1, "a series ends that never was");
            self.ended += 1;
        } else if self.report[place] {
            self.reports += 1;
        } else {
            self.appended += 1;
        }
        Ok(())
    }
}

/// One byte for the options and one for the store; then texts, each up to a 0xff, and a byte before each for its format.
pub fn try_one(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let choice = bytes.byte();
    let options = options(choice);
    let limit = options.sample_limit;
    let labels = Labels::new([("job", "j"), ("instance", "i")]);
    let mut target = Target::new(labels, options);
    let mut store = Store {
        most: if choice & 64 == 0 { usize::MAX } else { 12 },
        ..Store::default()
    };
    let mut at_ms = 0;
    while !bytes.is_over() {
        at_ms += 1000;
        let kind = bytes.byte();
        let body = bytes.text();
        scrape(&mut target, &mut store, kind, &body, at_ms, limit);
    }
    let before = store.ended;
    let known = store.samples.len();
    target.gone(at_ms + 1000, &mut store);
    assert!(store.ended - before <= known);
}

fn scrape(target: &mut Target, store: &mut Store, kind: u8, body: &str, at_ms: i64, limit: Option<usize>) {
    let when = When {
        at_ms,
        took: Duration::from_millis(5),
    };
    if kind & 8 != 0 {
        store.dropped = store.samples.len() as u64;
        store.by_labels.clear();
    }
    (store.appended, store.ended, store.reports) = (0, 0, 0);
    let outcome = if kind & 4 != 0 {
        target.unanswered("refused", when, store)
    } else {
        let content_type = ["text/plain", "application/openmetrics-text", "text/html", ""][usize::from(kind & 3)];
        let answer = Answer {
            body: body.as_bytes(),
            content_type: Some(content_type),
        };
        target.scraped(&answer, when, store)
    };
    let dropped = outcome.dropped;
    if outcome.is_up() {
        assert!(store.appended <= outcome.scraped);
        assert!(outcome.series_added <= outcome.scraped);
        assert!(limit.is_none_or(|limit| store.appended <= limit), "{limit:?}");
    } else {
        assert_eq!(store.appended, 0, "a scrape that failed appends nothing");
    }
    assert!(outcome.post_relabeling <= outcome.scraped);
    // A text can say `up` itself, and then its word came first.
    assert!(store.reports >= 5 || dropped.full > 0 || body.contains("up") || body.contains("scrape"));
}

fn options(choice: u8) -> Options {
    let limited = (choice & 8 != 0).then_some(4);
    Options {
        honor_labels: choice & 1 != 0,
        honor_timestamps: choice & 2 != 0,
        track_timestamps_staleness: choice & 4 != 0,
        sample_limit: limited,
        label_limit: limited,
        label_name_length_limit: (choice & 16 != 0).then_some(10),
        label_value_length_limit: (choice & 16 != 0).then_some(10),
        body_size_limit: (choice & 32 != 0).then_some(200),
        fallback_scrape_protocol: (choice & 128 != 0).then_some(Format::Text),
        limits: Limits::default(),
    }
}
