//! The labels that a series is stored with: the answer's and the target's.

use std::borrow::Cow;

use super::Options;
use crate::exposition::Sample;
use crate::promql::{Labels, NAME};

/// What is put before the name of an answer's label that the target has too, as often as it takes.
const EXPORTED: &str = "exported_";
/// Characters of a name or a value that a message shows.
const SHOWN: usize = 50;

type Pairs<'t> = Vec<(Cow<'t, str>, Cow<'t, str>)>;

/// Why a series can't be stored: its scrape fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    #[error("the label `{0}` stands twice in this series")]
    Twice(String),
    #[error("this series has no name: its `__name__` is empty")]
    Nameless,
    #[error("{what} exceeded: {found} is more than {limit}")]
    Limit {
        what: &'static str,
        found: String,
        limit: usize,
    },
}

/// The labels of a sample as its target's series has them.
///
/// # Errors
///
/// When a Prometheus would fail the scrape for them.
pub fn series_labels(sample: &Sample<'_>, target: &Labels, options: &Options) -> Result<Labels, Unstorable> {
    let mut pairs: Pairs<'_> = Vec::with_capacity(sample.labels.len() + 8);
    pairs.push((NAME.into(), sample.name.read()));
    pairs.extend(
        sample
            .labels
            .iter()
            .map(|label| (label.name.read(), label.value.read())),
    );
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let twice = drop_doubles(&mut pairs, |name| !options.honor_labels && !target.get(name).is_empty());
    if options.honor_labels {
        honored(&mut pairs, target);
    } else {
        exported(&mut pairs, target);
    }
    pairs.retain(|(_, value)| !value.is_empty());
    if !pairs.iter().any(|(name, _)| name == NAME) {
        return Err(Unstorable::Nameless);
    }
    check(&pairs, options)?;
    match twice {
        Some(name) => Err(Unstorable::Twice(shown(&name))),
        None => Ok(Labels::new(pairs.iter().map(|(name, value)| (&**name, &**value)))),
    }
}

/// Gives a name that stands twice. Where one of its values is empty all of them count for nothing, as in Prometheus,
/// unless the target has that label.
fn drop_doubles<'t>(pairs: &mut Pairs<'t>, is_replaced: impl Fn(&str) -> bool) -> Option<Cow<'t, str>> {
    if pairs.windows(2).all(|two| two[0].0 != two[1].0) {
        return None;
    }
    let doubles: Vec<_> = pairs
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|chunk| chunk.len() > 1)
        .map(|chunk| (chunk[0].0.clone(), chunk.iter().any(|(_, value)| value.is_empty())))
        .collect();
    let mut twice = None;
    for (name, has_empty) in doubles {
        if has_empty && !is_replaced(&name) {
            pairs.retain(|(other, _)| *other != name);
        } else {
            twice.get_or_insert(name);
        }
    }
    twice
}

/// The answer's labels hold, also an empty one: it takes the target's away.
fn honored<'t>(pairs: &mut Pairs<'t>, target: &'t Labels) {
    for (name, value) in target.iter() {
        if !pairs.iter().any(|(other, _)| other == name) {
            pairs.push((name.into(), value.into()));
        }
    }
}

/// The target's labels hold; the answer's are kept under other names, the shortest first.
fn exported<'t>(pairs: &mut Pairs<'t>, target: &'t Labels) {
    let mut replaced = Vec::new();
    for (name, value) in target.iter() {
        match pairs.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => {
                let old = std::mem::replace(old, value.into());
                if !old.is_empty() {
                    replaced.push((name, old));
                }
            }
            None => pairs.push((name.into(), value.into())),
        }
    }
    replaced.sort_by_key(|(name, _)| name.len());
    for (name, value) in replaced {
        let mut name = format!("{EXPORTED}{name}");
        while pairs.iter().any(|(other, value)| *other == name && !value.is_empty()) {
            name.insert_str(0, EXPORTED);
        }
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name.into(), value));
    }
}

fn check(pairs: &Pairs<'_>, options: &Options) -> Result<(), Unstorable> {
    let over = |found: usize, limit: Option<usize>| limit.filter(|limit| found > *limit);
    let refuse = |what, found, limit| Err(Unstorable::Limit { what, found, limit });
    if let Some(limit) = over(pairs.len(), options.label_limit) {
        return refuse("label_limit", format!("{} labels", pairs.len()), limit);
    }
    for (name, value) in pairs {
        if let Some(limit) = over(name.len(), options.label_name_length_limit) {
            let found = format!("the length {} of `{}`", name.len(), shown(name));
            return refuse("label_name_length_limit", found, limit);
        }
        if let Some(limit) = over(value.len(), options.label_value_length_limit) {
            let found = format!("the length {} of the value of `{}`", value.len(), shown(name));
            return refuse("label_value_length_limit", found, limit);
        }
    }
    Ok(())
}

/// For a message: not too long, and nothing that a terminal acts on.
fn shown(name: &str) -> String {
    name.escape_debug().take(SHOWN).collect()
}
