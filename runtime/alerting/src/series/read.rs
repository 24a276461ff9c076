//! What rules and readers ask.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::RwLockReadGuard;
use std::sync::atomic::Ordering;

use evenkeel_model::runbook::Matcher;

use super::shard::{Reading, SIZE, Shard, Stored};
use super::{Store, read};
use crate::promql::{Labels, NAME, Sample, Series, Source, SourceError};

/// Some of what was asked for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// There are more than the limit.
    pub is_cut: bool,
}

/// What is in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub series: usize,
    pub samples: u64,
    /// Of memory, about.
    pub bytes: usize,
    pub label_names: usize,
    /// Different values of all labels.
    pub label_values: usize,
    /// Metrics with the most series, and how many.
    pub by_metric: Vec<(String, usize)>,
    /// Labels with the most values, and how many.
    pub by_label: Vec<(String, usize)>,
}

impl Store {
    pub fn len(&self) -> usize {
        read(&self.index).live()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of series that any of the selectors matches and that have samples around then: their first is not after
    /// `end_ms`, their last not before `start_ms`. No selector: of all. In the order of the labels.
    pub fn list_series(&self, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64, limit: usize) -> Listing<Labels> {
        let mut found = BTreeSet::new();
        self.around(selectors, start_ms, end_ms, |labels| {
            found.insert(labels.clone());
        });
        Listing::of(found, limit)
    }

    /// The names of labels of these series.
    pub fn label_names(&self, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64, limit: usize) -> Listing<String> {
        let mut found = BTreeSet::new();
        self.around(selectors, start_ms, end_ms, |labels| {
            for (name, _) in labels.iter() {
                if !found.contains(name) {
                    found.insert(name.to_owned());
                }
            }
        });
        Listing::of(found, limit)
    }

    /// The values that a label of these series has.
    pub fn label_values(
        &self,
        name: &str,
        selectors: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Listing<String> {
        let mut found = BTreeSet::new();
        self.around(selectors, start_ms, end_ms, |labels| {
            let value = labels.get(name);
            if !value.is_empty() && !found.contains(value) {
                found.insert(value.to_owned());
            }
        });
        Listing::of(found, limit)
    }

    /// With so many metrics and labels at the most.
    pub fn status(&self, top: usize) -> Status {
        let index = read(&self.index);
        let names = index.names();
        let metrics = names.get(NAME).into_iter().flat_map(|values| &values.by_value);
        let metrics = metrics.map(|(name, postings)| (name.to_string(), postings.as_slice().len()));
        let labels = names
            .iter()
            .map(|(name, values)| (name.to_string(), values.by_value.len()));
        Status {
            series: index.live(),
            samples: self.samples.load(Ordering::Relaxed),
            bytes: self.bytes(),
            label_names: names.len(),
            label_values: names.values().map(|values| values.by_value.len()).sum(),
            by_metric: most(metrics.collect(), top),
            by_label: most(labels.collect(), top),
        }
    }

    fn around(&self, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64, mut take: impl FnMut(&Labels)) {
        if end_ms < start_ms {
            return;
        }
        let everything = [Vec::new()];
        let selectors = if selectors.is_empty() { &everything } else { selectors };
        for matchers in selectors {
            self.visit(matchers, |stored, labels, _| {
                let first = stored.first_ms().is_some_and(|first| first <= end_ms);
                if first && stored.last.is_some_and(|last| last.0 >= start_ms) {
                    take(&labels);
                }
                true
            });
        }
    }

    /// Each series that all matchers match, until it answers false.
    fn visit(&self, matchers: &[Matcher], mut take: impl FnMut(&Stored, Labels, &mut Reading) -> bool) {
        let found = {
            let index = read(&self.index);
            index.resolve(&index.select(matchers))
        };
        let mut reading = Reading::default();
        let mut locked: Option<(usize, RwLockReadGuard<'_, Shard>)> = None;
        for (id, generation, labels) in found {
            let number = id as usize / SIZE;
            if locked.as_ref().is_none_or(|(locked, _)| *locked != number) {
                drop(locked.take());
                reading.times.forget();
                locked = self.shards.get(number).map(|shard| (number, read(shard)));
            }
            let shard = locked.as_ref().map(|(_, shard)| shard);
            let Some(stored) = shard.and_then(|shard| shard.get(id as usize % SIZE, generation)) else {
                continue;
            };
            if !take(stored, labels, &mut reading) {
                return;
            }
        }
    }
}

impl Source for Store {
    /// Series without a sample in between are not among them. Their order is the one in which they were made, but that
    /// the place of one that is gone is taken again.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        let mut all = Vec::new();
        let mut left = self.limits.selected;
        let mut is_too_much = false;
        self.visit(matchers, |stored, labels, reading| {
            let samples = stored.between(start_ms, end_ms, reading);
            is_too_much = samples.len() > left;
            left = left.saturating_sub(samples.len());
            if !samples.is_empty() {
                all.push(Series {
                    labels,
                    samples: Cow::Owned(samples),
                });
            }
            !is_too_much
        });
        if is_too_much {
            return Err(SourceError(format!(
                "a selector reads more than {} samples: ask for less, or for a shorter time",
                self.limits.selected
            )));
        }
        Ok(all)
    }

    fn latest(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<(Labels, Sample)>, SourceError> {
        let mut all = Vec::new();
        self.visit(matchers, |stored, labels, reading| {
            if let Some(sample) = stored.latest(start_ms, end_ms, reading) {
                all.push((labels, sample));
            }
            true
        });
        Ok(all)
    }
}

impl<T> Listing<T> {
    fn of(found: BTreeSet<T>, limit: usize) -> Self {
        let is_cut = found.len() > limit;
        let items = found.into_iter().take(limit).collect();
        Self { items, is_cut }
    }
}

fn most(mut counts: Vec<(String, usize)>, top: usize) -> Vec<(String, usize)> {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(top);
    counts
}
