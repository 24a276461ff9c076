//! What a target's series look like in its answers.
//!
//! An answer mostly has the same series in the same order as the one before: so the next text is first
//! compared with the one that came next last time, and looked up by its hash only if it differs.

use std::collections::HashMap;
use std::sync::Arc;

use super::Handle;
use crate::promql::Labels;

/// Texts that a cache may hold beyond twice those of the last answer that was whole.
const SPARE: usize = 1000;

/// Place of an [`Entry`].
pub(super) type Place = usize;

/// One way to write a series.
#[derive(Debug)]
pub(super) struct Entry {
    text: Arc<str>,
    labels: Labels,
    /// Of the series; none before its first sample.
    series: Option<Place>,
    /// The last scrape that had it.
    pub seen: u64,
    /// Where it stood in that scrape.
    turn: usize,
    /// No scrape took it yet.
    pub is_new: bool,
}

/// One series, however it is written.
#[derive(Debug)]
pub(super) struct Series {
    pub handle: Handle,
    /// The last scrape that a sample was appended in.
    pub appended: u64,
    /// The last scrape that it belongs to: it ends when the next one lacks it.
    pub tracked: u64,
    entries: usize,
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Slots<Entry>,
    series: Slots<Series>,
    by_text: HashMap<Arc<str>, Place>,
    by_handle: HashMap<Handle, Place>,
    /// Entries in the order of the last scrape, and of this one so far.
    last: Vec<Place>,
    now: Vec<Place>,
    /// Entries of this scrape that are given up unless it takes them.
    refusable: Vec<Place>,
    /// Where `last` is expected to go on.
    next: usize,
    /// Texts and families after the last answer that was whole.
    whole: usize,
}

impl Cache {
    pub fn entry(&mut self, place: Place) -> &mut Entry {
        self.entries.get(place)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Finds a series by its text.
    #[inline]
    pub fn find(&mut self, text: &str) -> Option<Place> {
        let expected = self.last.get(self.next).copied();
        let place = match expected {
            Some(place) if *self.entries.get(place).text == *text => place,
            _ => *self.by_text.get(text)?,
        };
        let entry = self.entries.get(place);
        // A text that is seen again in the same scrape says nothing about what comes next.
        self.next = entry.turn + 1;
        entry.turn = self.now.len();
        self.now.push(place);
        Some(place)
    }

    pub fn add(&mut self, text: &str, labels: Labels, scrape: u64) -> Place {
        let text: Arc<str> = text.into();
        let place = self.entries.add(Entry {
            text: Arc::clone(&text),
            labels,
            series: None,
            seen: scrape,
            turn: self.now.len(),
            is_new: true,
        });
        self.by_text.insert(text, place);
        self.refusable.push(place);
        self.now.push(place);
        place
    }

    pub fn labels(&mut self, place: Place) -> Labels {
        self.entries.get(place).labels.clone()
    }

    /// The series of an entry, if it has one.
    #[inline]
    pub fn series(&mut self, place: Place) -> Option<&mut Series> {
        let series = self.entries.get(place).series?;
        Some(self.series.get(series))
    }

    /// Says which series an entry is about.
    pub fn bind(&mut self, place: Place, handle: Handle) {
        self.unbind(place);
        let series = *self.by_handle.entry(handle).or_insert_with(|| {
            self.series.add(Series {
                handle,
                appended: 0,
                tracked: 0,
                entries: 0,
            })
        });
        self.series.get(series).entries += 1;
        self.entries.get(place).series = Some(series);
    }

    fn unbind(&mut self, place: Place) {
        let Some(series) = self.entries.get(place).series.take() else {
            return;
        };
        let known = self.series.get(series);
        known.entries -= 1;
        if known.entries == 0 {
            let handle = known.handle;
            self.by_handle.remove(&handle);
            self.series.remove(series);
        }
    }

    /// The series that the last scrape had and this one has not.
    pub fn gone(&self, scrape: u64) -> impl Iterator<Item = Handle> {
        let is_gone = move |series: &&Series| series.tracked + 1 == scrape;
        self.series.iter().filter(is_gone).map(|series| series.handle)
    }

    /// Ends a scrape. After one that was whole, what was not in it is forgotten. After others it is not, unless there is so
    /// much that the target must be making up new names.
    ///
    /// Families are counted in, as they are made up as well.
    pub fn end(&mut self, scrape: u64, is_whole: bool, families: usize) {
        for place in std::mem::take(&mut self.refusable) {
            if self.entries.holds(place) && self.entries.get(place).is_new {
                self.remove(place);
            }
        }
        self.next = 0;
        // An answer without a series says nothing about the order of those to come.
        if !self.now.is_empty() {
            std::mem::swap(&mut self.last, &mut self.now);
            self.now.clear();
        }
        let count = self.entries.len() + families;
        let is_too_much = count > 2 * self.whole + SPARE;
        if is_whole || is_too_much {
            self.forget_unseen(scrape);
        }
        if is_whole {
            self.whole = self.entries.len() + families;
        }
        self.close_gaps();
    }

    /// What was forgotten leaves the order.
    fn close_gaps(&mut self) {
        let before = self.last.len();
        let entries = &self.entries;
        self.last.retain(|place| entries.holds(*place));
        if self.last.len() < before {
            for (turn, place) in self.last.iter().enumerate() {
                self.entries.get(*place).turn = turn;
            }
        }
    }

    fn forget_unseen(&mut self, scrape: u64) {
        let unseen: Vec<_> = self.entries.places(|entry| entry.seen != scrape).collect();
        for place in unseen {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: Place) {
        if !self.entries.holds(place) {
            return;
        }
        self.unbind(place);
        let text = Arc::clone(&self.entries.get(place).text);
        self.by_text.remove(&text);
        self.entries.remove(place);
    }
}

/// Values at places that stay theirs.
#[derive(Debug)]
struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<Place>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    fn add(&mut self, value: T) -> Place {
        if let Some(place) = self.free.pop() {
            self.slots[place] = Some(value);
            return place;
        }
        self.slots.push(Some(value));
        self.slots.len() - 1
    }

    #[inline]
    fn get(&mut self, place: Place) -> &mut T {
        self.slots[place]
            .as_mut()
            .expect("a place is given up with all that leads to it")
    }

    fn holds(&self, place: Place) -> bool {
        self.slots[place].is_some()
    }

    fn remove(&mut self, place: Place) {
        self.slots[place] = None;
        self.free.push(place);
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    fn places(&self, is: impl Fn(&T) -> bool) -> impl Iterator<Item = Place> {
        let places = self.slots.iter().enumerate();
        places.filter_map(move |(place, value)| value.as_ref().filter(|value| is(value)).map(|_| place))
    }
}
