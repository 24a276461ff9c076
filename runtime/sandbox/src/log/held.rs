//! Lines that wait for the next, because a secret may begin in one and end in another.

use std::ops::Range;

use evenkeel_model::call::Level;

use super::HELD;
use crate::redact::{Redactor, merged, starred};

/// A line as it goes to the journal.
pub struct Entry {
    pub level: Level,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// Of each text of a line, what belongs to a secret.
type Stars = Vec<Vec<Range<usize>>>;

/// In order, each with what was found in it before.
#[derive(Default)]
pub struct Held(Vec<(Entry, Stars)>);

/// What is read one after the other: all messages, the names of all fields, their values, or
/// everything as it stands.
#[derive(Clone, Copy)]
enum Reading {
    Messages,
    Names,
    Values,
    All,
}

impl Held {
    pub fn add(&mut self, entry: Entry) {
        let stars = vec![Vec::new(); 1 + 2 * entry.fields.len()];
        self.0.push((entry, stars));
    }

    /// Those that no secret can go on in any more, without secrets. All: nothing comes any more.
    pub fn release(&mut self, redactor: &Redactor, all: bool) -> Vec<Entry> {
        if redactor.is_idle() {
            return self.0.drain(..).map(|(entry, _)| entry).collect();
        }
        let too_many = self.0.len() > HELD;
        let mut free = self.0.len();
        for reading in [Reading::Messages, Reading::Names, Reading::Values, Reading::All] {
            let slots = self.slots(reading);
            let texts: Vec<&str> = slots.iter().map(|(line, slot)| self.0[*line].0.text(*slot)).collect();
            let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
            let Some(cover) = redactor.cover(&texts) else { continue };
            for ((line, slot), ranges) in slots.iter().zip(cover.ranges) {
                self.0[*line].1[*slot].extend(ranges);
            }
            let Some((open, from)) = cover.open else { continue };
            if !too_many {
                free = free.min(slots[open].0);
                continue;
            }
            // Who spells something over so many lines spells a secret.
            for (number, (line, slot)) in slots.iter().enumerate().skip(open) {
                let begin = if number == open { from } else { 0 };
                self.0[*line].1[*slot].push(begin..lengths[number]);
            }
        }
        if all {
            free = self.0.len();
        }
        let released = self.0.drain(..free);
        released.map(|(entry, stars)| entry.without(stars)).collect()
    }

    /// Number of the line, and of the text in it.
    fn slots(&self, reading: Reading) -> Vec<(usize, usize)> {
        let lines = self.0.iter().enumerate();
        let slots = lines.flat_map(|(line, (entry, _))| (0..=2 * entry.fields.len()).map(move |slot| (line, slot)));
        slots
            .filter(|(_, slot)| match reading {
                Reading::Messages => *slot == 0,
                Reading::Names => slot % 2 == 1,
                Reading::Values => *slot > 0 && slot % 2 == 0,
                Reading::All => true,
            })
            .collect()
    }
}

impl Entry {
    /// The message, then names and values by turns.
    fn text(&self, slot: usize) -> &str {
        match slot.checked_sub(1) {
            None => &self.message,
            Some(at) if at % 2 == 0 => &self.fields[at / 2].0,
            Some(at) => &self.fields[at / 2].1,
        }
    }

    fn without(self, stars: Stars) -> Self {
        let mut stars = stars.into_iter().map(merged);
        let mut shown = |text: String| match stars.next() {
            Some(ranges) if !ranges.is_empty() => starred(&text, &ranges).into_owned(),
            _ => text,
        };
        Self {
            level: self.level,
            message: shown(self.message),
            fields: self
                .fields
                .into_iter()
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
        }
    }
}
