//! What the answers said of their families: bounded, and kept for a while when it is said no more.

use std::collections::HashMap;

use crate::exposition::{Entry, Kind};

/// Families of one target. What comes beyond them has no metadata.
const FAMILIES: usize = 20_000;
/// Bytes of a help; the rest is cut off.
const HELP: usize = 4096;
/// Scrapes for which a family is kept that no longer comes.
const KEPT: u64 = 10;

/// Type, help and unit of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub kind: Kind,
    /// Empty if there is none.
    pub help: String,
    /// Empty if there is none.
    pub unit: String,
    last_scrape: u64,
}

#[derive(Debug, Default)]
pub(super) struct Families(HashMap<String, Metadata>);

impl Families {
    /// Keeps what the entry of this scrape says, if it is about a family.
    pub fn take(&mut self, entry: &Entry<'_>, scrape: u64) {
        match entry {
            Entry::Help { family, text } => {
                let text = &text[..text.floor_char_boundary(HELP)];
                self.change(family, scrape, |metadata| replace(&mut metadata.help, text));
            }
            Entry::Type { family, kind } => self.change(family, scrape, |metadata| metadata.kind = *kind),
            Entry::Unit { family, unit } => {
                self.change(family, scrape, |metadata| replace(&mut metadata.unit, unit));
            }
            Entry::Sample(_) => {}
        }
    }

    fn change(&mut self, family: &str, scrape: u64, change: impl FnOnce(&mut Metadata)) {
        if let Some(metadata) = self.0.get_mut(family) {
            metadata.last_scrape = scrape;
            return change(metadata);
        }
        if self.0.len() >= FAMILIES {
            return;
        }
        let mut metadata = Metadata {
            kind: Kind::Unknown,
            help: String::new(),
            unit: String::new(),
            last_scrape: scrape,
        };
        change(&mut metadata);
        self.0.insert(family.to_owned(), metadata);
    }

    pub fn forget_old(&mut self, scrape: u64) {
        self.0.retain(|_, metadata| scrape - metadata.last_scrape <= KEPT);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Metadata)> {
        self.0.iter().map(|(family, metadata)| (family.as_str(), metadata))
    }
}

/// Most often it is the same, and nothing is allocated.
fn replace(old: &mut String, new: &str) {
    if old != new {
        new.clone_into(old);
    }
}
