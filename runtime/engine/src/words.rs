//! Times, spans and counts as people read them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// `2026-11-23T13:50:20Z`: a moment that no reader takes for one of another zone.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// As it would be written in a runbook: `10m`, `1h30m`, `500ms`.
pub(crate) fn duration(span: Duration) -> String {
    evenkeel_model::quantity::written(span)
}

/// `1 action`, `3 actions`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// The name among `known` that `name` was probably meant to be.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
