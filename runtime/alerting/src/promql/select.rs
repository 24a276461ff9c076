//! What selectors and subqueries read: a source is asked once a selector, and windows move over what it gave.

use std::borrow::Cow;

use evenkeel_model::runbook::Matcher;

use super::ast::{At, Kind, Node, Selector, Shift, Subquery};
use super::error::Error;
use super::eval::{Column, Evaluator, Grid};
use super::labels::Labels;
use super::source::{Sample, Series, is_stale};

/// The windows of one range vector: for each step the samples after `end - range` up to `end`.
pub(super) struct Windows<'s> {
    pub ends: Vec<i64>,
    pub range_ms: i64,
    /// Without the markers of staleness.
    pub series: Vec<(Labels, Cow<'s, [Sample]>)>,
}

/// One window at one step.
pub(super) struct Window<'w> {
    pub samples: &'w [Sample],
    pub end: i64,
    pub range_ms: i64,
    /// The time of the step, which an offset moves away from the window.
    pub now: i64,
}

impl<'s> Evaluator<'s> {
    /// The last value of each series at each step, if it isn't older than the lookback nor stale; or its time in seconds.
    pub fn instants(&self, selector: &Selector, grid: Grid, time: bool) -> Result<Vec<Column>, Error> {
        let lookback = self.options.lookback_ms;
        let ends: Vec<i64> = grid.times().map(|now| self.shifted(now, selector.shift)).collect();
        if let [end] = ends[..] {
            return self.latest(selector, end, time);
        }
        let mut columns = Vec::new();
        for series in self.select(&selector.matchers, &ends, lookback)? {
            self.charge(grid.count)?;
            let samples = &series.samples;
            let mut seen = ends
                .first()
                .map_or(0, |first| samples.partition_point(|sample| sample.0 <= *first));
            let mut any = false;
            let mut value_at = |end: &i64| {
                seen += samples[seen..].iter().take_while(|sample| sample.0 <= *end).count();
                let last = samples[..seen].last()?;
                let fresh = last.0 > end - lookback && !is_stale(last.1);
                any |= fresh;
                fresh.then_some(if time { last.0 as f64 / 1000.0 } else { last.1 })
            };
            let values = ends.iter().map(&mut value_at).collect();
            if any {
                columns.push(Column {
                    labels: series.labels,
                    values,
                });
            }
        }
        Ok(columns)
    }

    /// The same at one time: no samples but the last ones are read.
    fn latest(&self, selector: &Selector, end: i64, time: bool) -> Result<Vec<Column>, Error> {
        let start = end - self.options.lookback_ms + 1;
        let found = self.source.latest(&selector.matchers, start, end)?;
        self.bound(found.len())?;
        self.charge(found.len())?;
        let fresh = found.into_iter().filter(|(_, sample)| !is_stale(sample.1));
        let column = fresh.map(|(labels, sample)| Column {
            labels,
            values: vec![Some(if time { sample.0 as f64 / 1000.0 } else { sample.1 })],
        });
        Ok(column.collect())
    }

    /// The windows that a range vector is over the steps.
    pub fn windows(&self, node: &Node, grid: Grid) -> Result<Windows<'s>, Error> {
        match &node.kind {
            Kind::Range(selector, range_ms) => {
                let ends: Vec<i64> = grid.times().map(|now| self.shifted(now, selector.shift)).collect();
                let series = self.select(&selector.matchers, &ends, *range_ms)?;
                let series = series
                    .into_iter()
                    .map(|series| (series.labels, without_stale(series.samples)))
                    .collect();
                Ok(Windows {
                    ends,
                    range_ms: *range_ms,
                    series,
                })
            }
            Kind::Subquery(subquery) => self.subquery(subquery, grid),
            _ => Ok(Windows {
                ends: Vec::new(),
                range_ms: 0,
                series: Vec::new(),
            }),
        }
    }

    fn subquery(&self, subquery: &Subquery, grid: Grid) -> Result<Windows<'s>, Error> {
        let ends: Vec<i64> = grid.times().map(|now| self.shifted(now, subquery.shift)).collect();
        let mut windows = Windows {
            range_ms: subquery.range_ms,
            series: Vec::new(),
            ends,
        };
        let (Some(first), Some(last)) = (windows.ends.first(), windows.ends.last()) else {
            return Ok(windows);
        };
        let step = subquery.step_ms.unwrap_or(self.options.subquery_step_ms).max(1);
        // The first multiple of the step within the window, which is open to the left.
        let start = (first - subquery.range_ms).div_euclid(step) * step + step;
        let inner = self.grid(start, *last, step)?;
        for column in self.vector(&subquery.inner, inner)? {
            let samples = inner
                .times()
                .zip(&column.values)
                .filter_map(|(time, value)| Some((time, (*value)?)));
            windows.series.push((column.labels, Cow::Owned(samples.collect())));
        }
        Ok(windows)
    }

    fn shifted(&self, now: i64, shift: Shift) -> i64 {
        let time = match shift.at {
            None => now,
            Some(At::Start) => self.whole.0,
            Some(At::End) => self.whole.1,
            Some(At::Time(time)) => time,
        };
        time - shift.offset_ms
    }

    fn select(&self, matchers: &[Matcher], ends: &[i64], before_ms: i64) -> Result<Vec<Series<'s>>, Error> {
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
            return Ok(Vec::new());
        };
        let found = self.source.select(matchers, first - before_ms + 1, *last)?;
        self.bound(found.len())?;
        Ok(found)
    }

    fn bound(&self, found: usize) -> Result<(), Error> {
        let limit = self.options.limits.series;
        if found > limit {
            return Err(Error::TooManySeries { found, limit });
        }
        Ok(())
    }
}

impl Windows<'_> {
    /// The windows of one series, step by step; empty ones too.
    pub fn of<'w>(&'w self, samples: &'w [Sample], grid: Grid) -> impl Iterator<Item = Window<'w>> {
        let range_ms = self.range_ms;
        let begin = self
            .ends
            .first()
            .map_or(0, |end| samples.partition_point(|sample| sample.0 <= end - range_ms));
        let (mut from, mut to) = (begin, begin);
        self.ends.iter().enumerate().map(move |(step, end)| {
            from += samples[from..]
                .iter()
                .take_while(|sample| sample.0 <= end - range_ms)
                .count();
            to = to.max(from);
            to += samples[to..].iter().take_while(|sample| sample.0 <= *end).count();
            Window {
                samples: &samples[from..to],
                end: *end,
                range_ms,
                now: grid.at(step),
            }
        })
    }
}

fn without_stale(samples: Cow<'_, [Sample]>) -> Cow<'_, [Sample]> {
    if samples.iter().any(|sample| is_stale(sample.1)) {
        samples.iter().filter(|sample| !is_stale(sample.1)).copied().collect()
    } else {
        samples
    }
}
