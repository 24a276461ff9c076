//! Since when alerts are pending, out of what was written before a restart.

use std::collections::HashMap;

use evenkeel_model::runbook::{MatchOp, Matcher};

use super::alert::{ALERTNAME, ALERTS_FOR_STATE};
use super::definition::Does;
use super::group::{Group, Rule};
use crate::promql::{Labels, NAME, STALE, Sample, Source};

/// How much of an outage is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgiven {
    /// What was written longer ago than this counts for nothing.
    pub outage_tolerance_ms: i64,
    /// An alert that was pending waits at least so long before it fires, so that what repaired it is seen.
    pub grace_period_ms: i64,
}

impl Default for Forgiven {
    fn default() -> Self {
        Self {
            outage_tolerance_ms: 3_600_000,
            grace_period_ms: 600_000,
        }
    }
}

impl Group {
    /// Gives its pending alerts the times that they had before a restart. Called once, behind the second evaluation: by then
    /// what its rules ask for has been scraped. From then on `ALERTS` is written.
    pub fn restore(&mut self, at_ms: i64, source: &dyn Source, forgiven: Forgiven) {
        for rule in &mut self.rules {
            if let Does::Alert { for_ms, .. } = rule.definition.does
                && !rule.restored
                && for_ms >= forgiven.grace_period_ms
            {
                rule.restore(for_ms, at_ms, source, forgiven);
            }
            rule.restored = true;
        }
    }
}

impl Rule {
    /// What can't be read is as if nothing had been written: the alert waits for as long as any new one.
    fn restore(&mut self, for_ms: i64, at_ms: i64, source: &dyn Source, forgiven: Forgiven) {
        let equal = |label: &str, value: &str| Matcher {
            label: label.to_owned(),
            op: MatchOp::Equal(value.to_owned()),
        };
        let matchers = [equal(NAME, ALERTS_FOR_STATE), equal(ALERTNAME, &self.definition.name)];
        let from_ms = at_ms.saturating_sub(forgiven.outage_tolerance_ms);
        let Ok(series) = source.select(&matchers, from_ms, at_ms) else {
            return;
        };
        let last = |samples: &[Sample]| {
            samples
                .iter()
                .rfind(|(time, _)| (from_ms..=at_ms).contains(time))
                .copied()
        };
        let found = series
            .iter()
            .filter_map(|series| Some((series.labels.without_name(), last(&series.samples)?)));
        let before: HashMap<Labels, Sample> = found.collect();
        for alert in self.active.values_mut().filter(|alert| alert.is_active()) {
            if let Some((down_ms, since)) = before.get(&alert.labels).filter(|(_, value)| value.to_bits() != STALE) {
                alert.active_at_ms = active_since(*since, *down_ms, for_ms, at_ms, forgiven);
            }
        }
    }
}

/// `since` is the value of `ALERTS_FOR_STATE`, in seconds, and `down_ms` when it was written last.
fn active_since(since: f64, down_ms: i64, for_ms: i64, at_ms: i64, forgiven: Forgiven) -> i64 {
    // A cast of what no clock says saturates.
    let since_ms = (since as i64).saturating_mul(1_000);
    let down_ms = down_ms.div_euclid(1_000).saturating_mul(1_000);
    let left_ms = for_ms.saturating_sub(down_ms.saturating_sub(since_ms));
    if left_ms <= 0 {
        // It fired when everything went down, and fires again with the next evaluation.
        since_ms
    } else if left_ms < forgiven.grace_period_ms {
        at_ms.saturating_add(forgiven.grace_period_ms).saturating_sub(for_ms)
    } else {
        // Time in which nobody looked doesn't count.
        since_ms.saturating_add(at_ms.saturating_sub(down_ms))
    }
}
