//! What one scrape or one evaluation appends: to the series at once, and to what is kept over a restart at its end.

use super::Shared;
use crate::promql::{Labels, Sample, Series, Source, SourceError};
use crate::scrape::{Handle, Refused};
use crate::series::{self, Store};
use crate::{rules, scrape};

use evenkeel_model::runbook::Matcher;

pub(super) struct Batch<'s> {
    series: &'s Store,
    appended: Vec<(series::Handle, Sample)>,
    /// The first word of the store that it is full.
    full: Option<series::Refused>,
    at_ms: i64,
    /// When the series ends that goes furthest beyond that; what is said of this time was refused for it.
    ends_ms: Option<i64>,
}

impl<'s> Batch<'s> {
    /// What has no time of its own is of `at_ms`.
    pub fn new(series: &'s Store, at_ms: i64) -> Self {
        Self {
            series,
            appended: Vec::new(),
            full: None,
            at_ms,
            ends_ms: None,
        }
    }

    /// Writes it down. The answer is why something was not taken in that an operator has to know of.
    pub fn write(self, shared: &Shared) -> Option<String> {
        if !self.appended.is_empty() {
            shared.logged(shared.ports.keep.log(self.series, &self.appended));
        }
        let set_back = self.ends_ms.map(|ends_ms| {
            let ahead = ends_ms.abs_diff(self.at_ms) / 1_000;
            format!(
                "the clock was set back: samples of {ahead} s from now are there, and none is taken in before that time"
            )
        });
        self.full.map(|full| full.to_string()).or(set_back)
    }

    fn refused(&mut self, refused: series::Refused) -> Refused {
        match refused {
            series::Refused::OutOfOrder { at_ms, last_ms } => {
                if at_ms == self.at_ms {
                    self.ends_ms = self.ends_ms.max(Some(last_ms));
                }
                Refused::OutOfOrder
            }
            series::Refused::Duplicate { .. } => Refused::Duplicate,
            series::Refused::TooOld { .. } | series::Refused::BadTime { .. } => Refused::OutOfBounds,
            series::Refused::Gone => Refused::Unknown,
            full => {
                self.full.get_or_insert(full);
                Refused::Full
            }
        }
    }
}

impl scrape::Sink for Batch<'_> {
    fn series(&mut self, labels: Labels) -> Result<Handle, Refused> {
        match self.series.series(&labels) {
            Ok(handle) => Ok(Handle(handle.to_bits())),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    fn append(&mut self, Handle(bits): Handle, at_ms: i64, value: f64) -> Result<(), Refused> {
        let handle = series::Handle::from_bits(bits);
        match self.series.append(handle, at_ms, value) {
            Ok(()) => {
                self.appended.push((handle, (at_ms, value)));
                Ok(())
            }
            Err(refused) => Err(self.refused(refused)),
        }
    }
}

impl rules::Sink for Batch<'_> {
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError> {
        let handle = self.series.series(labels);
        let appended = handle.and_then(|handle| self.series.append(handle, at_ms, value).map(|()| handle));
        let handle = appended.map_err(|refused| SourceError(refused.to_string()))?;
        self.appended.push((handle, (at_ms, value)));
        Ok(())
    }
}

impl Source for Batch<'_> {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        self.series.select(matchers, start_ms, end_ms)
    }

    fn latest(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<(Labels, Sample)>, SourceError> {
        self.series.latest(matchers, start_ms, end_ms)
    }
}
