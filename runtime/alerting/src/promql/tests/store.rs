use std::borrow::Cow;

use evenkeel_model::runbook::Matcher;

use crate::promql::{Answer, Labels, NAME, Options, Query, STALE, Sample, Series, Source, SourceError, Steps};

/// Series in memory.
#[derive(Default)]
pub struct Fake(Vec<(Labels, Vec<Sample>)>);

impl Fake {
    /// `name{label=value}` without quotes, and a value a minute from 0; `_` is no sample, `stale` the marker.
    pub fn with(self, series: &str, values: &str) -> Self {
        self.every(60, series, values)
    }

    pub fn every(mut self, seconds: i64, series: &str, values: &str) -> Self {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pairs = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|pair| pair.split_once('='));
        let labels = Labels::new(pairs.chain([(NAME, name)]));
        let samples = values.split_whitespace().enumerate().filter_map(|(i, value)| {
            let value = match value {
                "_" => return None,
                "stale" => f64::from_bits(STALE),
                value => value.parse().unwrap(),
            };
            Some((i as i64 * seconds * 1000, value))
        });
        self.0.push((labels, samples.collect()));
        self
    }
}

impl Source for Fake {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        let fits = |labels: &Labels| {
            matchers
                .iter()
                .all(|matcher| matcher.matches(labels.get(&matcher.label)))
        };
        let found = self
            .0
            .iter()
            .filter(|(labels, _)| fits(labels))
            .map(|(labels, samples)| {
                let from = samples.partition_point(|sample| sample.0 < start_ms);
                let to = samples.partition_point(|sample| sample.0 <= end_ms).max(from);
                Series {
                    labels: labels.clone(),
                    samples: Cow::Borrowed(&samples[from..to]),
                }
            });
        Ok(found.collect())
    }
}

/// The answer at a time in seconds, series in their order; or what went wrong.
pub fn show(source: &Fake, query: &str, at: i64) -> String {
    let query = match Query::check(query) {
        Ok(query) => query,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    match query.instant(source, at * 1000, &Options::default()) {
        Ok(Answer::Scalar(value)) => value.to_string(),
        Ok(Answer::Text(text)) => text,
        Ok(Answer::Vector(elements)) => {
            let all = elements
                .iter()
                .map(|element| format!("{} {}", element.labels, element.value));
            all.collect::<Vec<_>>().join("; ")
        }
        Ok(Answer::Matrix(lines)) => {
            let all = lines.iter().map(|line| format!("{} {:?}", line.labels, line.samples));
            all.collect::<Vec<_>>().join("; ")
        }
        Err(error) => format!("error: {error}"),
    }
}

/// Values a minute from `start` to `end` minutes, with their times in seconds.
pub fn show_range(source: &Fake, query: &str, start: i64, end: i64) -> String {
    let steps = Steps {
        start_ms: start * 60_000,
        end_ms: end * 60_000,
        step_ms: 60_000,
    };
    let lines = match Query::check(query).unwrap().range(source, steps, &Options::default()) {
        Ok(lines) => lines,
        Err(error) => return format!("error: {error}"),
    };
    let all = lines.iter().map(|line| {
        let samples = line
            .samples
            .iter()
            .map(|(time, value)| format!("{value}@{}", time / 1000));
        format!("{} {}", line.labels, samples.collect::<Vec<_>>().join(" "))
    });
    all.collect::<Vec<_>>().join("; ")
}
