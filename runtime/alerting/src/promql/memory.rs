//! Series in memory, for tests of rules and questions about a file of series.

use std::borrow::Cow;
use std::collections::BTreeMap;

use evenkeel_model::runbook::Matcher;

use super::labels::Labels;
use super::source::{Sample, Series, Source, SourceError};

/// Series in the order of their labels. It keeps all it is given: who fills it bounds it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Vec<Sample>>,
}

/// A sample that is not younger than the last one of its series; it was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sample at {at_ms} ms is not after the last one, at {last_ms} ms")]
pub struct OutOfOrder {
    pub at_ms: i64,
    pub last_ms: i64,
}

impl Memory {
    /// # Errors
    /// The series has a sample at that time, or a later one.
    pub fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), OutOfOrder> {
        let Some(samples) = self.series.get_mut(labels) else {
            self.series.insert(labels.clone(), vec![(at_ms, value)]);
            return Ok(());
        };
        match samples.last() {
            Some((last_ms, _)) if *last_ms >= at_ms => Err(OutOfOrder {
                at_ms,
                last_ms: *last_ms,
            }),
            _ => {
                samples.push((at_ms, value));
                Ok(())
            }
        }
    }

    /// The last sample of a series.
    pub fn last(&self, labels: &Labels) -> Option<Sample> {
        self.series.get(labels)?.last().copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[Sample])> {
        self.series.iter().map(|(labels, samples)| (labels, samples.as_slice()))
    }
}

impl Source for Memory {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        let fits = |labels: &Labels| {
            matchers
                .iter()
                .all(|matcher| matcher.matches(labels.get(&matcher.label)))
        };
        let found = self.series.iter().filter(|(labels, _)| fits(labels));
        let found = found.map(|(labels, samples)| {
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

#[cfg(test)]
mod tests {
    use super::super::{NAME, Query, Steps};
    use super::*;

    #[test]
    fn time_only_goes_on() {
        let (mut memory, up) = (Memory::default(), Labels::new([(NAME, "up")]));
        memory.append(&up, 1000, 1.0).unwrap();
        let refused = memory.append(&up, 1000, 2.0).unwrap_err();
        assert_eq!((refused.at_ms, refused.last_ms), (1000, 1000));
        assert_eq!(memory.iter().map(|(_, samples)| samples.len()).sum::<usize>(), 1);
    }

    #[test]
    fn series_come_in_the_order_of_their_labels() {
        let mut memory = Memory::default();
        for job in ["b", "a", ""] {
            memory
                .append(&Labels::new([(NAME, "up"), ("job", job)]), 0, 1.0)
                .unwrap();
        }
        let steps = Steps {
            start_ms: 0,
            end_ms: 0,
            step_ms: 1,
        };
        let lines = Query::check("up").unwrap().range(&memory, steps, &Default::default());
        let jobs: Vec<_> = lines
            .unwrap()
            .iter()
            .map(|line| line.labels.get("job").to_owned())
            .collect();
        assert_eq!(jobs, ["", "a", "b"]);
    }
}
