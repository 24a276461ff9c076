mod codec;
mod crowd;
mod kept;
mod model;
mod selectors;
mod store;

use evenkeel_model::pattern::anchored;
use evenkeel_model::runbook::{MatchOp, Matcher};

use super::{Limits, Store};
use crate::promql::{Labels, NAME, Sample, Source as _};

/// `name{label=value}` without quotes.
fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let pairs = rest.trim_end_matches('}').split(',');
    Labels::new(pairs.filter_map(|pair| pair.split_once('=')).chain([(NAME, name)]))
}

/// `=`, `!=`, `=~` or `!~`.
fn matcher(label: &str, op: &str, value: &str) -> Matcher {
    let op = match op {
        "=" => MatchOp::Equal(value.to_owned()),
        "!=" => MatchOp::NotEqual(value.to_owned()),
        "=~" => MatchOp::Regex(anchored(value).unwrap()),
        _ => MatchOp::NotRegex(anchored(value).unwrap()),
    };
    Matcher {
        label: label.to_owned(),
        op,
    }
}

fn named(name: &str) -> Vec<Matcher> {
    vec![matcher(NAME, "=", name)]
}

fn small() -> Limits {
    Limits {
        series: 4096,
        bytes: 64 << 20,
        retention_ms: 3_600_000,
        ..Limits::default()
    }
}

/// All samples of a series of which there is one.
fn samples(store: &Store, name: &str) -> Vec<Sample> {
    let found = store.select(&named(name), i64::MIN, i64::MAX).unwrap();
    assert!(found.len() <= 1, "one series of that name");
    found
        .into_iter()
        .next()
        .map(|series| series.samples.into_owned())
        .unwrap_or_default()
}

/// By their bits: a NaN is no NaN's equal.
fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|(time, value)| (*time, value.to_bits())).collect()
}
