//! PromQL: no expression panics, and one that is accepted has an answer or a refusal within the limits.

use std::borrow::Cow;

use evenkeel_alerting::promql::{
    Answer, Labels, Limits, NAME, Options, Query, STALE, Sample, Series, Source, SourceError, Steps,
};
use evenkeel_model::runbook::Matcher;

/// Expressions beyond this say nothing new, slowly.
const LONGEST: usize = 400;
/// When the series end, in milliseconds.
const NOW_MS: i64 = 1_000_000;

/// A dozen series: counters, gauges, a histogram, one that ended and one of odd numbers.
struct Store(Vec<(Labels, Vec<Sample>)>);

impl Source for Store {
    fn select(&self, matchers: &[Matcher], _start_ms: i64, _end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        let found = self.0.iter().filter(|(labels, _)| {
            let is_match = |matcher: &Matcher| matcher.matches(labels.get(&matcher.label));
            matchers.iter().all(is_match)
        });
        let series = found.map(|(labels, samples)| Series {
            labels: labels.clone(),
            samples: Cow::Borrowed(samples),
        });
        Ok(series.collect())
    }
}

/// One byte for the time, and the expression.
pub fn try_one(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]);
    let query = match Query::check(&text) {
        Ok(query) => query,
        Err(refusal) => {
            assert!(text.get(refusal.place.clone()).is_some(), "{refusal:?} in {text:?}");
            assert!(!refusal.message.is_empty());
            return;
        }
    };
    let limits = Limits {
        series: 100,
        samples: 20_000,
        steps: 500,
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let store = store();
    let at_ms = NOW_MS - i64::from(choice / 16) * 20_000;
    if let Ok(answer) = query.instant(&store, at_ms, &options) {
        assert!(size(&answer) <= limits.samples, "{text:?}");
    }
    let steps = Steps {
        start_ms: at_ms - 120_000,
        end_ms: at_ms,
        step_ms: 7000 * i64::from(1 + choice % 16),
    };
    if let Ok(lines) = query.range(&store, steps, &options) {
        for line in &lines {
            assert!(line.samples.is_sorted_by(|a, b| a.0 < b.0), "{text:?}");
        }
    }
}

fn size(answer: &Answer) -> usize {
    match answer {
        Answer::Scalar(_) | Answer::Text(_) => 1,
        Answer::Vector(elements) => elements.len(),
        Answer::Matrix(lines) => lines.iter().map(|line| line.samples.len()).sum(),
    }
}

fn store() -> Store {
    let mut series = Vec::new();
    for n in 0..3 {
        let n_label = n.to_string();
        let every = |value: &dyn Fn(i64) -> f64| -> Vec<Sample> {
            (0..40).map(|k| (NOW_MS - 600_000 + k * 15_000, value(k))).collect()
        };
        let labels = |name: &str, more: &[(&str, &str)]| {
            Labels::new(
                [(NAME, name), ("n", &n_label)]
                    .iter()
                    .chain(more)
                    .map(|(a, b)| (*a, *b)),
            )
        };
        series.push((labels("c", &[]), every(&|k| ((k * (n + 1)) % 30) as f64)));
        series.push((labels("g", &[("x", "y")]), every(&|k| (k - 20) as f64 / 3.0)));
        for le in ["0.1", "1.0", "+Inf"] {
            series.push((
                labels("h_bucket", &[("le", le)]),
                every(&|k| (k * le.len() as i64) as f64),
            ));
        }
    }
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        -0.0,
        f64::MIN_POSITIVE,
        1e-320,
    ];
    let odd = odd
        .iter()
        .zip(0..)
        .map(|(value, k)| (NOW_MS - 70_000 + k * 10_000, *value));
    series.push((Labels::new([(NAME, "odd")]), odd.collect()));
    let ended = vec![(NOW_MS - 30_000, 1.0), (NOW_MS - 15_000, f64::from_bits(STALE))];
    series.push((Labels::new([(NAME, "ended")]), ended));
    Store(series)
}
