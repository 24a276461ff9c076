use super::*;
use crate::promql::{NAME, STALE};

mod labels;
mod limits;
mod series;

/// A store that is as strict as that of Prometheus.
#[derive(Default)]
struct Memory {
    series: Vec<(Labels, Vec<(i64, f64)>)>,
    /// No more series than these.
    most: Option<usize>,
    /// Nothing older than this.
    oldest_ms: i64,
    /// Handles below this are unknown.
    dropped: u64,
}

impl Sink for Memory {
    fn series(&mut self, labels: Labels) -> Result<Handle, Refused> {
        let known = self.series[self.dropped as usize..]
            .iter()
            .position(|(known, _)| *known == labels);
        if let Some(place) = known {
            return Ok(Handle(self.dropped + place as u64));
        }
        if self.most.is_some_and(|most| self.series.len() >= most) {
            return Err(Refused::Full);
        }
        self.series.push((labels, Vec::new()));
        Ok(Handle(self.series.len() as u64 - 1))
    }

    fn append(&mut self, series: Handle, at_ms: i64, value: f64) -> Result<(), Refused> {
        if series.0 < self.dropped {
            return Err(Refused::Unknown);
        }
        if at_ms < self.oldest_ms {
            return Err(Refused::OutOfBounds);
        }
        let samples = &mut self.series[series.0 as usize].1;
        match samples.last() {
            Some((last, _)) if *last > at_ms => return Err(Refused::OutOfOrder),
            Some((last, old)) if *last == at_ms => {
                let is_same = old.to_bits() == value.to_bits();
                return if is_same { Ok(()) } else { Err(Refused::Duplicate) };
            }
            _ => samples.push((at_ms, value)),
        }
        Ok(())
    }
}

/// A target that is scraped at 1000 ms, 2000 ms and so on.
struct Scene {
    target: Target,
    memory: Memory,
    at_ms: i64,
}

impl Scene {
    fn new(labels: &[(&str, &str)], options: Options) -> Self {
        Self {
            target: Target::new(Labels::new(labels.iter().copied()), options),
            memory: Memory::default(),
            at_ms: 0,
        }
    }

    /// Without labels and with the usual options.
    fn plain() -> Self {
        Self::new(&[], Options::default())
    }

    fn when(&mut self) -> When {
        self.at_ms += 1000;
        When {
            at_ms: self.at_ms,
            took: Duration::from_millis(250),
        }
    }

    fn scrape(&mut self, body: &str) -> Outcome {
        self.scrape_as(Some("text/plain"), body)
    }

    fn scrape_as(&mut self, content_type: Option<&str>, body: &str) -> Outcome {
        let when = self.when();
        let answer = Answer {
            body: body.as_bytes(),
            content_type,
        };
        self.target.scraped(&answer, when, &mut self.memory)
    }

    fn unanswered(&mut self) -> Outcome {
        let when = self.when();
        self.target.unanswered("connection refused", when, &mut self.memory)
    }

    fn told(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let series = self.memory.series.iter();
        let mut told: Vec<_> = series
            .filter(|(labels, samples)| is_wanted(labels.get(NAME)) && !samples.is_empty())
            .map(|(labels, samples)| samples.iter().fold(labels.to_string(), sample))
            .collect();
        told.sort();
        told
    }

    /// Each series with its samples, without the reports.
    #[track_caller]
    fn holds(&self, expected: &[&str]) {
        assert_eq!(self.told(|name| !is_report(name)), expected);
    }

    /// The samples of a report.
    fn report(&self, name: &str) -> String {
        self.told(|other| other == name).join("; ")
    }
}

fn sample(told: String, (at_ms, value): &(i64, f64)) -> String {
    match value.to_bits() == STALE {
        true => format!("{told} end@{at_ms}"),
        false => format!("{told} {value}@{at_ms}"),
    }
}

fn is_report(name: &str) -> bool {
    name == "up" || name.starts_with("scrape_")
}

#[track_caller]
fn fails(outcome: &Outcome, expected: &str) {
    let failure = outcome.failure.as_ref().map(ToString::to_string);
    assert_eq!(failure.as_deref(), Some(expected));
}
