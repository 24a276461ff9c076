//! What becomes of the alerts of one rule from one evaluation to the next.

use std::collections::BTreeMap;

use evenkeel_model::alert::Labels as Annotations;

use super::definition::Rule;
use super::expand::{Ask, Externals, Text};
use super::outgoing::Sent;
use crate::promql::{Element, Labels, NAME};

/// The label that an alert's name is in.
pub const ALERTNAME: &str = "alertname";
/// The series of all alerts that are pending or fire.
pub const ALERTS: &str = "ALERTS";
/// The series whose values are since when they are.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
const ALERTSTATE: &str = "alertstate";
/// So long a resolved alert is remembered, so that whoever missed its end is told again.
const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds, but not yet for as long as `for` says.
    Pending,
    Firing,
    /// It fired and no longer does.
    Inactive,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Inactive => "inactive",
        }
    }
}

/// One alert of a rule. All times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `alertname` among them.
    pub labels: Labels,
    pub annotations: Annotations,
    /// Of the expression when it held last.
    pub value: f64,
    pub state: State,
    pub active_at_ms: i64,
    pub fired_at_ms: Option<i64>,
    pub resolved_at_ms: Option<i64>,
    /// Since when it only fires on because of `keep_firing_for`.
    pub keep_firing_since_ms: Option<i64>,
    pub(super) sent: Sent,
}

/// Alerts by their labels.
pub(super) type Active = BTreeMap<Labels, Alert>;

/// How a rule judges what holds.
pub(super) struct Judge<'a> {
    pub rule: &'a Rule,
    pub for_ms: i64,
    pub keep_firing_for_ms: i64,
    pub annotations: &'a [(String, Text)],
    pub limit: Option<usize>,
}

impl Judge<'_> {
    /// The alerts that the elements are, each as if it were new.
    pub fn held(
        &self,
        elements: &[Element],
        at_ms: i64,
        externals: &Externals,
        ask: &mut Ask<'_>,
    ) -> Result<Active, String> {
        let mut held = Active::new();
        for element in elements {
            let mut expand = |text: &Text| text.expand(&self.rule.name, element, externals, ask);
            let own = self.rule.labels.iter().map(|(name, text)| (name.clone(), expand(text)));
            let own: Vec<_> = own.collect();
            let annotations = self.annotations.iter().map(|(name, text)| (name.clone(), expand(text)));
            let annotations: Annotations = annotations.collect();
            let mut labels = element.labels.without_name();
            for (name, value) in &own {
                labels = labels.with(name, value);
            }
            labels = labels.with(ALERTNAME, &self.rule.name);
            let alert = Alert {
                labels: labels.clone(),
                annotations,
                value: element.value,
                state: State::Pending,
                active_at_ms: at_ms,
                fired_at_ms: None,
                resolved_at_ms: None,
                keep_firing_since_ms: None,
                sent: Sent::default(),
            };
            if held.insert(labels, alert).is_some() {
                return Err("vector contains metrics with the same labelset after applying alert labels".to_owned());
            }
        }
        Ok(held)
    }

    /// Joins what holds now to what is known. Returns how many are pending or fire; past the limit all are forgotten.
    pub fn step(&self, active: &mut Active, held: Active, at_ms: i64) -> Result<usize, String> {
        let holding: Vec<Labels> = held.keys().cloned().collect();
        for (labels, new) in held {
            match active.get_mut(&labels).filter(|alert| alert.state != State::Inactive) {
                Some(known) => {
                    known.value = new.value;
                    known.annotations = new.annotations;
                }
                None => {
                    active.insert(labels, new);
                }
            }
        }
        let mut alive = 0;
        active.retain(|labels, alert| {
            let holds = holding.binary_search(labels).is_ok();
            let (stays, lives) = self.judge(alert, holds, at_ms);
            alive += usize::from(lives);
            stays
        });
        match self.limit {
            Some(limit) if alive > limit => {
                active.clear();
                Err(format!("exceeded limit of {limit} with {alive} alerts"))
            }
            _ => Ok(alive),
        }
    }

    /// Whether the alert is remembered, and whether it is pending or fires.
    fn judge(&self, alert: &mut Alert, holds: bool, at_ms: i64) -> (bool, bool) {
        if holds {
            alert.keep_firing_since_ms = None;
        } else {
            let keeps = alert.state == State::Firing && self.keep_firing_for_ms > 0 && {
                let since = *alert.keep_firing_since_ms.get_or_insert(at_ms);
                at_ms.saturating_sub(since) < self.keep_firing_for_ms
            };
            if !keeps {
                let long_gone = |resolved: i64| at_ms.saturating_sub(resolved) > RESOLVED_RETENTION_MS;
                let goes = alert.state == State::Pending || alert.resolved_at_ms.is_some_and(long_gone);
                if alert.state != State::Inactive {
                    alert.state = State::Inactive;
                    alert.resolved_at_ms = Some(at_ms);
                }
                return (!goes, false);
            }
        }
        if alert.state == State::Pending && at_ms.saturating_sub(alert.active_at_ms) >= self.for_ms {
            alert.state = State::Firing;
            alert.fired_at_ms = Some(at_ms);
        }
        (true, true)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of an alert. A label that is empty once it is filled in stands in them as it was
    /// written, as Prometheus has it.
    pub fn series(&self, alert: &Alert) -> [Element; 2] {
        let written = self
            .rule
            .labels
            .iter()
            .map(|(name, text)| (name.as_str(), text.source()));
        let labels = Labels::new(written.chain(alert.labels.iter()));
        let state = labels.with(NAME, ALERTS).with(ALERTSTATE, alert.state.as_str());
        [
            Element {
                labels: state,
                value: 1.0,
            },
            Element {
                labels: labels.with(NAME, ALERTS_FOR_STATE),
                // Whole seconds, as a Unix time.
                value: alert.active_at_ms.div_euclid(1_000) as f64,
            },
        ]
    }
}

impl Alert {
    /// Pending, or firing.
    pub fn is_active(&self) -> bool {
        self.state != State::Inactive
    }
}
