use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The label that holds the name of a metric.
pub const NAME: &str = "__name__";

/// The labels of a series, sorted by name. A label with an empty value is the same as none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Of a name given twice the last value holds.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut all: Vec<(Arc<str>, Arc<str>)> = pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        all.reverse();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, first| later.0 == first.0);
        all.retain(|(_, value)| !value.is_empty());
        Self(all.into())
    }

    /// The value of a label; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| &**n == name).map_or("", |(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn without_name(&self) -> Self {
        if self.get(NAME).is_empty() {
            self.clone()
        } else {
            self.filter(|name| name != NAME)
        }
    }

    pub(super) fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// An empty value takes the label away.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        if self.get(name) == value {
            return self.clone();
        }
        let rest = self.0.iter().filter(|(n, _)| &**n != name).cloned();
        Self::new(rest.chain([(Arc::from(name), Arc::from(value))]))
    }
}

/// Some of the labels of a series, borrowed: series that have these in common are together.
pub(super) struct Part<'l, F> {
    pub labels: &'l Labels,
    pub keep: F,
}

impl<F: Fn(&str) -> bool> Part<'_, F> {
    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().filter(|(name, _)| (self.keep)(name))
    }

    pub fn to_labels(&self) -> Labels {
        self.labels.filter(&self.keep)
    }
}

impl<F: Fn(&str) -> bool> PartialEq for Part<'_, F> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<F: Fn(&str) -> bool> Eq for Part<'_, F> {}

impl<F: Fn(&str) -> bool> Hash for Part<'_, F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|pair| pair.hash(state));
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get(NAME))?;
        let mut rest = self.iter().filter(|(name, _)| *name != NAME).peekable();
        if rest.peek().is_none() && !self.get(NAME).is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        while let Some((name, value)) = rest.next() {
            write!(f, "{name}={value:?}{}", if rest.peek().is_some() { ", " } else { "" })?;
        }
        f.write_str("}")
    }
}
