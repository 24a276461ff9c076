use std::borrow::Cow;

use evenkeel_model::runbook::Matcher;

use super::labels::Labels;

/// A time in milliseconds since 1970 and the value then.
pub type Sample = (i64, f64);

/// The value that ends a series: a NaN that no calculation makes.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

pub(super) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}

/// One series with its samples in the order of time, no time twice.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    pub labels: Labels,
    pub samples: Cow<'a, [Sample]>,
}

/// What a source could not do, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Where series come from.
pub trait Source {
    /// All series that every matcher matches, with their samples from `start_ms` to `end_ms`, both included; samples
    /// outside do no harm. A label that a series doesn't have is matched as an empty value. No two series
    /// have the same labels. Where an expression gives no order, theirs is the answer's.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError>;

    /// The last sample of each that has one from `start_ms` to `end_ms`, staleness markers included. For a source that can
    /// tell it without reading all samples.
    fn latest(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<(Labels, Sample)>, SourceError> {
        let last = |series: Series<'_>| {
            let until = series.samples.partition_point(|sample| sample.0 <= end_ms);
            let last = *series.samples.get(until.checked_sub(1)?)?;
            (last.0 >= start_ms).then_some((series.labels, last))
        };
        let found = self.select(matchers, start_ms, end_ms)?;
        Ok(found.into_iter().filter_map(last).collect())
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        (**self).select(matchers, start_ms, end_ms)
    }

    fn latest(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<(Labels, Sample)>, SourceError> {
        (**self).latest(matchers, start_ms, end_ms)
    }
}
