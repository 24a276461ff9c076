//! One runbook, one target, one run: what becomes of a second one is for the runbook to say.
//!
//! Two kinds of runs are not in the way: one that waits for an alert that nobody hears of, and an
//! earlier one of the same alert that has not started, for the new firing takes its place.

use chrono::{DateTime, Utc};
use evenkeel_model::name::RunId;
use evenkeel_model::run::Occurrence;
use evenkeel_model::runbook::Overlap;

use super::{Answer, Ask, alert};

pub const NAME: &str = "overlap";

/// So many runs of one runbook wait for one target at most, with `overlap = "queue"`.
pub const QUEUE: usize = 100;

/// Another run of the same runbook on the same target that has not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    pub run: RunId,
    pub occurrence: Occurrence,
    pub started: bool,
    /// It has begun an action, or may have.
    pub changing: bool,
    /// Somebody wants it to stop.
    pub cancelled: bool,
    /// The gate that it waits for.
    pub waits_for: Option<String>,
}

pub fn ask(ask: &Ask<'_>, _now: DateTime<Utc>) -> Answer {
    let others: Vec<&Other> = ask.others.iter().filter(|other| in_the_way(other, ask)).collect();
    match ask.runbook.limits.overlap {
        Overlap::Skip => skip(ask, &others),
        Overlap::Queue => queue(ask, &others),
        Overlap::Replace => replace(ask, &others),
    }
}

fn in_the_way(other: &Other, ask: &Ask<'_>) -> bool {
    let waits_for_its_alert = other.waits_for.as_deref() == Some(alert::NAME);
    other.started || !(waits_for_its_alert || other.cancelled || same_alert(other, ask))
}

fn same_alert(other: &Other, ask: &Ask<'_>) -> bool {
    match (&other.occurrence, &ask.request.occurrence) {
        (Occurrence::Alert { identity, .. }, Occurrence::Alert { identity: ours, .. }) => identity == ours,
        _ => false,
    }
}

fn skip(ask: &Ask<'_>, others: &[&Other]) -> Answer {
    // One that came later and is at work already, or of an earlier firing, ends before this goes on.
    let waited = others
        .iter()
        .find(|other| other.started && (other.run > ask.run || same_alert(other, ask)));
    if let Some(other) = waited {
        return wait(ask, other);
    }
    match others.iter().find(|other| other.run < ask.run) {
        None => Answer::Pass,
        Some(other) => Answer::Refuse {
            gate: NAME,
            why: format!("{} (`overlap = \"skip\"`)", told(ask, other)),
        },
    }
}

fn queue(ask: &Ask<'_>, others: &[&Other]) -> Answer {
    let before = others.iter().filter(|other| other.run < ask.run).count();
    if before > QUEUE {
        return Answer::Refuse {
            gate: NAME,
            why: format!("{QUEUE} runs of `{}` wait for this target already", ask.runbook.name),
        };
    }
    match others.iter().find(|other| other.started) {
        None => Answer::Pass,
        Some(other) => wait(ask, other),
    }
}

fn replace(ask: &Ask<'_>, others: &[&Other]) -> Answer {
    let replaced = |other: &&&Other| other.run < ask.run && !other.changing && !other.cancelled;
    let runs: Vec<RunId> = others.iter().filter(replaced).map(|other| other.run).collect();
    if !runs.is_empty() {
        return Answer::Replace {
            gate: NAME,
            why: format!("run {} replaces it (`overlap = \"replace\"`)", ask.run),
            runs,
        };
    }
    match others.iter().find(|other| other.started) {
        Some(other) => wait(ask, other),
        None => Answer::Pass,
    }
}

fn wait(ask: &Ask<'_>, other: &Other) -> Answer {
    Answer::Wait {
        gate: NAME,
        why: told(ask, other),
        until: None,
    }
}

fn told(ask: &Ask<'_>, other: &Other) -> String {
    let target = ask.request.target.as_ref().map_or("", |target| target.as_str());
    let does = if other.started { "is at work on" } else { "waits for" };
    format!("run {} of this runbook {does} `{target}`", other.run)
}
