//! What an Alertmanager would be told of alerts: that they fire, again and again, and that they ended.

use std::fmt::Write as _;

use chrono::DateTime;
use evenkeel_model::alert;

use super::alert::{Alert, State};
use super::expand::Externals;
use crate::intake::{self, Context};
use crate::promql::Labels;

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
    /// In the past: it ended then. Otherwise when it ends unless it is told of again.
    pub ends_at_ms: i64,
    pub expr: String,
}

/// What is to be told at this time; it counts as told then.
pub(super) fn tell(alert: &mut Alert, expr: &str, at_ms: i64, interval_ms: i64, resend: Resend) -> Option<Outgoing> {
    if alert.state == State::Pending || !is_due(alert, at_ms, resend) {
        return None;
    }
    alert.sent.at_ms = Some(at_ms);
    // Two evaluations, or two attempts to tell, may fail.
    let assumed = at_ms.saturating_add(interval_ms.max(resend.delay_ms).saturating_mul(4));
    Some(Outgoing {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at_ms: alert.fired_at_ms.unwrap_or(alert.active_at_ms),
        ends_at_ms: alert.resolved_at_ms.unwrap_or(assumed),
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
        let sent = intake::Sent {
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            annotations: self.annotations,
            starts_at: DateTime::from_timestamp_millis(self.starts_at_ms),
            ends_at: DateTime::from_timestamp_millis(self.ends_at_ms),
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
