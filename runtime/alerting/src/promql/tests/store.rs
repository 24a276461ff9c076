use crate::notation;
use crate::promql::{Answer, Labels, Memory, NAME, Options, Query, Steps};

/// Fills a [`Memory`] in few words.
pub trait Fill: Sized {
    /// `name{label=value}` without quotes, and values in promtool's notation, one a minute from 0.
    fn with(self, series: &str, values: &str) -> Self {
        self.every(60, series, values)
    }

    fn every(self, seconds: i64, series: &str, values: &str) -> Self;
}

impl Fill for Memory {
    fn every(mut self, seconds: i64, series: &str, values: &str) -> Self {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pairs = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|pair| pair.split_once('='));
        let labels = Labels::new(pairs.chain([(NAME, name)]));
        for (i, value) in notation::values(values, 10_000).unwrap().into_iter().enumerate() {
            if let Some(value) = value {
                self.append(&labels, i as i64 * seconds * 1000, value).unwrap();
            }
        }
        self
    }
}

/// The answer at a time in seconds, series in their order; or what went wrong.
pub fn show(source: &Memory, query: &str, at: i64) -> String {
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
pub fn show_range(source: &Memory, query: &str, start: i64, end: i64) -> String {
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
