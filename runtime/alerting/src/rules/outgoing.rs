//! What an Alertmanager would be told of alerts: that they fire, again and again, and that they ended.

use std::fmt::Write as _;

use chrono::DateTime;
use evenkeel_model::alert;

use super::alert::{Alert, State};
use super::expand::Externals;
use crate::intake::{self, Context};
use crate::promql::Labels;

/// Of an alert that is heard of no more; longer, it is over.
const LONGEST_MS: i64 = 6 * 3_600_000;

/// When an alert was told of last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    at_ms: Option<i64>,
}

/// How often it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// After so long a firing alert is told of again.
    pub delay_ms: i64,
}

impl Default for Resend {
    fn default() -> Self {
        Self { delay_ms: 60_000 }
    }
}

/// One alert as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    pub labels: Labels,
    pub annotations: alert::Labels,
    pub starts_at_ms: i64,
    /// When it ended, or when it ends unless it is told of again.
    pub ends_at_ms: i64,
    /// It ended: the end is no supposition.
    pub resolved: bool,
    /// For how long it is pending after a restart, and nothing is heard of it.
    pub silent_ms: i64,
    pub expr: String,
}

/// What is to be told at this time; it counts as told then.
pub(super) fn tell(
    alert: &mut Alert,
    (expr, for_ms): (&str, i64),
    at_ms: i64,
    interval_ms: i64,
    resend: Resend,
) -> Option<Outgoing> {
    if alert.state == State::Pending || !is_due(alert, at_ms, resend) {
        return None;
    }
    alert.sent.at_ms = Some(at_ms);
    // Two evaluations, or two attempts to tell, may fail.
    let between_ms = interval_ms.max(resend.delay_ms);
    let assumed = at_ms.saturating_add(between_ms.saturating_mul(4));
    Some(Outgoing {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at_ms: alert.fired_at_ms.unwrap_or(alert.active_at_ms),
        ends_at_ms: alert.resolved_at_ms.unwrap_or(assumed),
        resolved: alert.resolved_at_ms.is_some(),
        silent_ms: for_ms.saturating_add(between_ms.saturating_mul(2)),
        expr: expr.to_owned(),
    })
}

fn is_due(alert: &Alert, at_ms: i64, resend: Resend) -> bool {
    let Some(sent) = alert.sent.at_ms else {
        return true;
    };
    alert.resolved_at_ms.is_some_and(|resolved| resolved > sent) || sent.saturating_add(resend.delay_ms) < at_ms
}

impl Outgoing {
    /// As if it had been pushed here: external labels fill in what it has no label for.
    pub fn into_alert(self, externals: &Externals, context: &Context<'_>) -> Result<alert::Alert, String> {
        let external = externals.labels.iter();
        let labels = external.chain(self.labels.iter());
        // A firing alert that is told late still fires; and over a restart it is the same one, also if its rule has it pending
        // first: its supposed end is that much later than what a Prometheus would say.
        let ends_at_ms = match self.resolved {
            true => self.ends_at_ms,
            false => self.ends_at_ms.saturating_add(self.silent_ms.clamp(0, LONGEST_MS)),
        };
        let ends_at = DateTime::from_timestamp_millis(ends_at_ms);
        let ends_at = ends_at.filter(|end| self.resolved || *end > context.now);
        let sent = intake::Sent {
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            annotations: self.annotations,
            starts_at: DateTime::from_timestamp_millis(self.starts_at_ms),
            ends_at,
            generator_url: graph(&externals.url, &self.expr),
        };
        sent.into_alert(context, context.resolve_timeout)
    }
}

/// Where the expression is shown as a table.
fn graph(url: &str, expr: &str) -> String {
    let mut link = format!("{}/graph?g0.expr=", url.trim_end_matches('/'));
    for byte in expr.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => link.push(char::from(byte)),
            b' ' => link.push('+'),
            _ => write!(link, "%{byte:02X}").expect("a string takes all that is written"),
        }
    }
    link.push_str("&g0.tab=1");
    link
}
