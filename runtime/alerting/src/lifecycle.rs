//! When two messages speak of one alert, and which of them is news.
//!
//! The rules are Alertmanager's (`types.Alert.Merge` and `provider/mem`), with what a runbook needs
//! besides: a message that comes late changes nothing, and each firing is told once.
//!
//! *Invariant:* of one `startsAt`, one [`Change::Fired`] goes on unless an [`Change::Expired`] came
//! between, and at most one [`Change::Resolved`], however often a source repeats itself.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::alert::{Alert, Change};

/// How a source tells of its alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It repeats what fires, with an end that it supposes, minutes ahead (a Prometheus). What
    /// overlaps is one alert: after a restart, or in a pair, `startsAt` differs a little.
    Repeats,
    /// It tells each start and each end (an Alertmanager): a later `startsAt` is another firing,
    /// whether or not the end of the one before was told.
    Tells,
}

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The end was said, not supposed.
    pub resolved: bool,
}

impl Span {
    pub fn of(alert: &Alert) -> Self {
        Self {
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            resolved: alert.resolved,
        }
    }
    pub fn firing(&self, now: DateTime<Utc>) -> bool {
        !self.resolved && self.ends_at > now
    }
}

/// The last edge of this firing that went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Fired,
    Expired,
    Resolved,
}

impl Told {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Fired => "fired",
            Self::Expired => "expired",
            Self::Resolved => "resolved",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Nothing, Self::Fired, Self::Expired, Self::Resolved]
            .into_iter()
            .find(|told| told.as_str() == text)
    }
}

/// What is kept of an alert besides its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub span: Span,
    pub told: Told,
    /// The latest `startsAt` that was said of this firing. A resolve that ended before is about
    /// an earlier one, although the merged span may reach back that far.
    pub latest_start: DateTime<Utc>,
    /// The `startsAt` that its edges carry. The span's may move back when a pair of Prometheus
    /// disagrees by seconds; an occurrence must not.
    pub since: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    pub known: Known,
    /// A firing that another took the place of: its end was never told.
    pub lost: Option<Known>,
    pub change: Option<Change>,
    /// It came late and says nothing that isn't known.
    pub stale: bool,
}

/// Joins what came in to what is known of the same labels.
pub fn merge(known: Option<&Known>, incoming: Span, manner: Manner, now: DateTime<Utc>) -> Merged {
    match known {
        None => begin(incoming, now),
        Some(known) if is_stale(known, &incoming, now) => Merged {
            known: *known,
            lost: None,
            change: None,
            stale: true,
        },
        Some(known) if is_same(&known.span, &incoming, manner) => {
            let latest_start = known.latest_start.max(incoming.starts_at);
            let known = Known { latest_start, ..*known };
            go_on(&known, join(&known.span, &incoming, manner), now)
        }
        Some(known) => Merged {
            lost: (known.told == Told::Fired).then_some(*known),
            ..begin(incoming, now)
        },
    }
}

/// Ends a firing that nothing was heard of until its supposed end.
pub fn expire(known: &Known, now: DateTime<Utc>) -> Option<Known> {
    let silent = known.told == Told::Fired && !known.span.resolved && known.span.ends_at <= now;
    silent.then_some(Known {
        told: Told::Expired,
        ..*known
    })
}

/// The longest pause between two looks at the silent alerts that is none.
pub const ATTENTION: TimeDelta = TimeDelta::seconds(90);

/// How long nobody listened between two looks; deadlines don't count it.
pub fn deaf(last: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    let pause = now - last;
    if pause > ATTENTION { pause } else { TimeDelta::zero() }
}

fn begin(span: Span, now: DateTime<Utc>) -> Merged {
    // A resolve of what never fired here is kept, for it may come again, but is no news.
    let fires = span.firing(now);
    Merged {
        known: Known {
            span,
            told: if fires { Told::Fired } else { Told::Nothing },
            latest_start: span.starts_at,
            since: span.starts_at,
        },
        lost: None,
        change: fires.then_some(Change::Fired),
        stale: false,
    }
}

fn go_on(known: &Known, span: Span, now: DateTime<Utc>) -> Merged {
    let (change, told) = match known.told {
        Told::Nothing | Told::Expired if span.firing(now) => (Some(Change::Fired), Told::Fired),
        Told::Fired | Told::Expired if span.resolved => (Some(Change::Resolved), Told::Resolved),
        told => (None, told),
    };
    let since = if known.told == Told::Nothing {
        span.starts_at
    } else {
        known.since
    };
    Merged {
        known: Known {
            span,
            told,
            since,
            ..*known
        },
        lost: None,
        change,
        stale: false,
    }
}

/// It speaks of a time before what is known began, or supposed an end that has passed meanwhile.
fn is_stale(known: &Known, incoming: &Span, now: DateTime<Utc>) -> bool {
    if !incoming.resolved {
        return incoming.ends_at <= now || incoming.ends_at <= known.span.starts_at;
    }
    incoming.starts_at < known.latest_start && incoming.ends_at <= known.latest_start
}

fn is_same(known: &Span, incoming: &Span, manner: Manner) -> bool {
    match (known.resolved, incoming.resolved) {
        // The word that the labels don't fire any more ends whatever fires under them.
        (false, true) => true,
        (true, true) => incoming.starts_at <= known.ends_at,
        _ if manner == Manner::Tells => incoming.starts_at <= known.starts_at,
        _ => incoming.starts_at == known.starts_at || overlap(known, incoming),
    }
}

fn overlap(known: &Span, incoming: &Span) -> bool {
    incoming.starts_at < known.ends_at && incoming.ends_at > known.starts_at
}

/// The earliest start; the latest end, unless the last word changed between firing and resolved:
/// then the end that it says.
fn join(known: &Span, incoming: &Span, manner: Manner) -> Span {
    let ends_at = if known.resolved == incoming.resolved {
        known.ends_at.max(incoming.ends_at)
    } else {
        incoming.ends_at
    };
    let starts_at = match manner {
        Manner::Repeats => known.starts_at.min(incoming.starts_at),
        // Going back would make the next message about this very firing look like a new one.
        Manner::Tells => known.starts_at,
    };
    Span {
        starts_at,
        ends_at,
        resolved: incoming.resolved,
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
