//! Which series there are, and which have what labels: label name → value → sorted numbers of series.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use evenkeel_model::runbook::{MatchOp, Matcher};
use hashbrown::HashTable;

use super::narrow::{self, narrow};
use super::postings::{self, Bitmap, Postings};
use super::shard::VACANT;
use super::times::ALLOCATION;
use crate::promql::Labels;

/// A node of a tree has room for eleven, and is two thirds full.
const OF_A_TREE: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Index {
    slots: Vec<Slot>,
    free: BTreeSet<u32>,
    /// Keyed, since labels come from outside and could be made to collide.
    hasher: RandomState,
    numbers: HashTable<u32>,
    names: BTreeMap<Arc<str>, Values>,
    live: usize,
}

#[derive(Debug)]
struct Slot {
    labels: Option<Labels>,
    generation: u32,
}

/// The values of one label, in their order.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub by_value: BTreeMap<Arc<str>, Postings>,
}

impl Index {
    pub fn live(&self) -> usize {
        self.live
    }

    pub fn names(&self) -> &BTreeMap<Arc<str>, Values> {
        &self.names
    }

    /// The number and generation of the series with these labels.
    pub fn find(&self, labels: &Labels) -> Option<(u32, u32)> {
        let same = |id: &u32| self.labels_of(*id) == Some(labels);
        let id = *self.numbers.find(self.hasher.hash_one(labels), same)?;
        Some((id, self.slots[id as usize].generation))
    }

    /// The labels of a series, if it is still this one.
    pub fn labels(&self, id: u32, generation: u32) -> Option<&Labels> {
        let slot = self
            .slots
            .get(id as usize)
            .filter(|slot| slot.generation == generation)?;
        slot.labels.as_ref()
    }

    /// The number and generation of each series with its labels, in a range of numbers.
    pub fn range(&self, ids: std::ops::Range<usize>) -> impl Iterator<Item = (u32, u32, &Labels)> {
        let slots = self.slots.iter().enumerate().skip(ids.start).take(ids.len());
        slots.filter_map(|(id, slot)| Some((id as u32, slot.generation, slot.labels.as_ref()?)))
    }

    /// A series that isn't there yet, and how many bytes more that are.
    pub fn add(&mut self, labels: &Labels) -> ((u32, u32), isize) {
        let before = self.slots.capacity();
        let id = self.free.pop_first().unwrap_or_else(|| {
            self.slots.push(Slot {
                labels: None,
                generation: VACANT + 1,
            });
            self.slots.len() as u32 - 1
        });
        let mut grown = ((self.slots.capacity() - before) * size_of::<Slot>()) as isize;
        let mut pairs = Vec::with_capacity(labels.iter().count());
        for (name, value) in labels.iter() {
            let (pair, more) = self.post(name, value, id);
            pairs.push(pair);
            grown += more;
        }
        grown += weight(pairs.len()) as isize;
        let labels = Labels::new(pairs);
        let hasher = &self.hasher;
        let slots = &self.slots;
        let hash = hasher.hash_one(&labels);
        self.numbers.insert_unique(hash, id, |id| {
            let labels = slots.get(*id as usize).and_then(|slot| slot.labels.as_ref());
            labels.map_or(0, |labels| hasher.hash_one(labels))
        });
        self.live += 1;
        let slot = &mut self.slots[id as usize];
        slot.labels = Some(labels);
        ((id, slot.generation), grown)
    }

    /// Takes series out; how many bytes fewer that are.
    pub fn remove(&mut self, ids: &[u32]) -> isize {
        let mut gone = Bitmap::new(self.slots.len());
        let mut affected: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
        let mut grown = 0;
        for id in ids {
            let Some(labels) = self.slots.get_mut(*id as usize).and_then(|slot| slot.labels.take()) else {
                continue;
            };
            let hash = self.hasher.hash_one(&labels);
            if let Ok(entry) = self.numbers.find_entry(hash, |other| other == id) {
                entry.remove();
            }
            for (name, value) in labels.iter() {
                let Some((name, values)) = self.names.get_key_value(name) else {
                    continue;
                };
                let Some((value, _)) = values.by_value.get_key_value(value) else {
                    continue;
                };
                if let Some(values) = affected.get_mut(name) {
                    values.insert(value.clone());
                } else {
                    affected.insert(name.clone(), BTreeSet::from([value.clone()]));
                }
            }
            grown -= weight(labels.iter().count()) as isize;
            gone.add(*id);
            self.free.insert(*id);
            self.live -= 1;
            let slot = &mut self.slots[*id as usize];
            slot.generation = slot.generation.wrapping_add(1).max(VACANT + 1);
        }
        for (name, values) in affected {
            grown += self.unpost(&name, values, &gone);
        }
        grown
    }

    /// The numbers of the series that every matcher matches, in their order.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        let all = self.slots.len();
        let mut lists = Vec::new();
        for matcher in matchers {
            if let MatchOp::Equal(value) = &matcher.op
                && !value.is_empty()
            {
                let values = self.names.get(matcher.label.as_str());
                let Some(postings) = values.and_then(|values| values.by_value.get(value.as_str())) else {
                    return Vec::new();
                };
                lists.push(postings.as_slice());
            }
        }
        lists.sort_by_key(|list| list.len());
        let mut found = lists.first().map(|first| first.to_vec());
        if let Some(found) = &mut found {
            lists[1..]
                .iter()
                .for_each(|list| postings::retain(found, &[list], true, all));
        }
        let mut rest: Vec<(&Matcher, bool)> = matchers
            .iter()
            .filter(|matcher| !matches!(&matcher.op, MatchOp::Equal(value) if !value.is_empty()))
            .map(|matcher| (matcher, matcher.matches("")))
            .collect();
        // First those that a series needs a label for: one of them may be what the others choose from.
        rest.sort_by_key(|(_, takes_none)| *takes_none);
        for (matcher, takes_none) in rest {
            self.apply(matcher, takes_none, &mut found);
        }
        found.unwrap_or_else(|| self.all())
    }

    fn apply(&self, matcher: &Matcher, takes_none: bool, found: &mut Option<Vec<u32>>) {
        let Some(values) = self.names.get(matcher.label.as_str()) else {
            if !takes_none {
                *found = Some(Vec::new());
            }
            return;
        };
        if let Some(found) = found
            && found.len() * 2 <= values.by_value.len()
        {
            found.retain(|id| {
                let labels = self.labels_of(*id);
                labels.is_some_and(|labels| matcher.matches(labels.get(&matcher.label)))
            });
            return;
        }
        let lists = values.lists(matcher, !takes_none);
        match found {
            Some(found) => postings::retain(found, &lists, !takes_none, self.slots.len()),
            None if takes_none => {
                let mut all = self.all();
                postings::retain(&mut all, &lists, false, self.slots.len());
                *found = Some(all);
            }
            None => *found = Some(Bitmap::of(lists, self.slots.len()).to_sorted()),
        }
    }

    fn all(&self) -> Vec<u32> {
        self.range(0..self.slots.len()).map(|(id, ..)| id).collect()
    }

    fn labels_of(&self, id: u32) -> Option<&Labels> {
        self.slots.get(id as usize)?.labels.as_ref()
    }

    /// The number and generation with the labels, in the order of the numbers.
    pub fn resolve(&self, ids: &[u32]) -> Vec<(u32, u32, Labels)> {
        let one = |id: &u32| {
            let slot = self.slots.get(*id as usize)?;
            Some((*id, slot.generation, slot.labels.clone()?))
        };
        ids.iter().filter_map(one).collect()
    }

    fn post(&mut self, name: &str, value: &str, id: u32) -> ((Arc<str>, Arc<str>), isize) {
        let mut grown = 0;
        if !self.names.contains_key(name) {
            self.names.insert(name.into(), Values::default());
            grown += text_weight(name) + size_of::<Values>();
        }
        let name = self
            .names
            .get_key_value(name)
            .map_or_else(|| name.into(), |(name, _)| name.clone());
        let values = self.names.entry(name.clone()).or_default();
        let value = if let Some((known, _)) = values.by_value.get_key_value(value) {
            let known = known.clone();
            if let Some(postings) = values.by_value.get_mut(&known) {
                let before = postings.weight();
                postings.insert(id);
                grown += postings.weight() - before;
            }
            known
        } else {
            let new: Arc<str> = value.into();
            values.by_value.insert(new.clone(), Postings::One(id));
            grown += text_weight(value) + size_of::<Postings>();
            new
        };
        ((name, value), grown as isize)
    }

    fn unpost(&mut self, name: &str, gone_from: BTreeSet<Arc<str>>, gone: &Bitmap) -> isize {
        let Some(values) = self.names.get_mut(name) else {
            return 0;
        };
        let mut grown = 0;
        for value in gone_from {
            let Some(postings) = values.by_value.get_mut(&value) else {
                continue;
            };
            grown -= postings.weight() as isize;
            if postings.remove(gone) {
                grown += postings.weight() as isize;
            } else {
                values.by_value.remove(&value);
                grown -= (text_weight(&value) + size_of::<Postings>()) as isize;
            }
        }
        if values.by_value.is_empty() {
            self.names.remove(name);
            grown -= (text_weight(name) + size_of::<Values>()) as isize;
        }
        grown
    }
}

impl Values {
    /// The series of each value that the matcher matches, or doesn't match.
    fn lists(&self, matcher: &Matcher, wanted: bool) -> Vec<&[u32]> {
        match (&matcher.op, wanted) {
            (MatchOp::Equal(value), true) | (MatchOp::NotEqual(value), false) => {
                let postings = self.by_value.get(value.as_str());
                postings.map(Postings::as_slice).into_iter().collect()
            }
            (MatchOp::Regex(regex), true) | (MatchOp::NotRegex(regex), false) => self.matched(regex),
            _ => {
                let all = self.by_value.iter();
                all.filter(|(value, _)| matcher.matches(value) == wanted)
                    .map(|(_, postings)| postings.as_slice())
                    .collect()
            }
        }
    }

    fn matched(&self, regex: &regex::Regex) -> Vec<&[u32]> {
        // It takes longer to look into the pattern than to try a few values.
        let narrowed = if self.by_value.len() > 32 { narrow(regex) } else { None };
        let Some(narrowed) = narrowed else {
            let matched = self.by_value.iter().filter(|(value, _)| regex.is_match(value));
            return matched.map(|(_, postings)| postings.as_slice()).collect();
        };
        let mut lists = Vec::new();
        for text in &narrowed.literals {
            let from = self.by_value.range::<str, _>(narrow::from(text));
            let begun = from.take_while(|(value, _)| {
                if narrowed.is_whole {
                    ***value == **text
                } else {
                    value.starts_with(text.as_str())
                }
            });
            let matched = begun.filter(|(value, _)| regex.is_match(value));
            lists.extend(matched.map(|(_, postings)| postings.as_slice()));
        }
        lists
    }
}

/// Of the labels of one series, whose texts are shared, and of its number.
fn weight(labels: usize) -> usize {
    let of_labels = labels * size_of::<(Arc<str>, Arc<str>)>() + 2 * size_of::<usize>() + ALLOCATION;
    // The number stands in a table that is three quarters full, with a byte beside each.
    of_labels + 2 * size_of::<u32>()
}

/// Of a text that is a key, with the counts before it.
fn text_weight(text: &str) -> usize {
    text.len() + 2 * size_of::<usize>() + ALLOCATION + size_of::<Arc<str>>() + OF_A_TREE
}

#[cfg(test)]
impl Index {
    /// The bytes that [`Self::add`] has told and [`Self::remove`] has not taken back.
    pub fn counted(&self) -> usize {
        let labels = self.range(0..self.slots.len());
        let of_labels: usize = labels.map(|(.., labels)| weight(labels.iter().count())).sum();
        let mut bytes = self.slots.capacity() * size_of::<Slot>() + of_labels;
        for (name, values) in &self.names {
            bytes += text_weight(name) + size_of::<Values>();
            for (value, postings) in &values.by_value {
                bytes += text_weight(value) + size_of::<Postings>() + postings.weight();
            }
        }
        bytes
    }
}
