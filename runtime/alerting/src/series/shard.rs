//! The samples of up to 1,024 series that were made one after the other, most often of one target: a scrape locks one or
//! two shards.

use std::sync::Arc;

use super::bits::BitWriter;
use super::refused::Refused;
use super::times::{ALLOCATION, Column, Columns, Times, release};
use super::values::{Scratch, Values};
use crate::promql::Sample;

/// Series of a shard.
pub(super) const SIZE: usize = 1024;
/// Samples that are not compressed yet.
const TAIL: usize = 16;
/// Samples of a chunk.
const CHUNK: usize = 128;
/// Of one whose values are all the same, and cost nothing.
pub(super) const LONG_CHUNK: usize = 1024;
/// No series has this generation.
pub(super) const VACANT: u32 = 0;

#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub times: Arc<Column>,
    pub values: Values,
}

impl Chunk {
    fn weight(&self) -> isize {
        let allocation = match self.values {
            Values::Constant(_) => 0,
            Values::Packed(_) => ALLOCATION,
        };
        (size_of::<Self>() + allocation + self.values.heap()) as isize
    }

    /// Whether it is to take these as well.
    fn takes(&self, tail: &[Sample]) -> bool {
        let count = self.times.count() + tail.len();
        let is_same = |value: f64| tail.iter().all(|sample| sample.1.to_bits() == value.to_bits());
        match self.values {
            Values::Constant(value) if is_same(value) => count <= LONG_CHUNK,
            _ => count <= CHUNK,
        }
    }

    fn free(self) -> isize {
        -self.weight() + release(self.times)
    }
}

/// The samples of one series, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub generation: u32,
    /// The latest; it is in the tail or in a chunk as well.
    pub last: Option<Sample>,
    pub chunks: Vec<Chunk>,
    pub tail: Vec<Sample>,
    /// It was made since the shard forgot last, and its first sample is still to come.
    is_new: bool,
}

/// What writing needs and keeps for the next time.
#[derive(Debug, Default)]
pub(super) struct Writing {
    times: Vec<i64>,
    values: Vec<f64>,
    bits: BitWriter,
    scratch: Scratch,
}

/// What reading needs and keeps for the next time.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub times: Times,
    values: Vec<f64>,
    scratch: Scratch,
    samples: Vec<Sample>,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    pub series: Vec<Stored>,
    columns: Columns,
}

impl Shard {
    /// A new series; how many bytes more that are.
    pub fn place(&mut self, slot: usize, generation: u32) -> isize {
        let before = self.series.capacity();
        if self.series.len() <= slot {
            if before <= slot {
                self.series
                    .reserve_exact((slot + 1).next_power_of_two() - self.series.len());
            }
            self.series.resize_with(slot + 1, Stored::default);
        }
        self.series[slot].generation = generation;
        self.series[slot].is_new = true;
        ((self.series.capacity() - before) * size_of::<Stored>()) as isize
    }

    pub fn get(&self, slot: usize, generation: u32) -> Option<&Stored> {
        self.series.get(slot).filter(|stored| stored.generation == generation)
    }

    /// How many bytes more that are; none if the sample was there already.
    pub fn append(
        &mut self,
        slot: usize,
        generation: u32,
        sample: Sample,
        writing: &mut Writing,
    ) -> Result<Option<isize>, Refused> {
        let stored = self.series.get_mut(slot);
        let stored = stored
            .filter(|stored| stored.generation == generation)
            .ok_or(Refused::Gone)?;
        if let Some(last) = stored.last {
            if sample.0 == last.0 && sample.1.to_bits() == last.1.to_bits() {
                return Ok(None);
            }
            if sample.0 == last.0 {
                return Err(Refused::Duplicate { at_ms: sample.0 });
            }
            if sample.0 < last.0 {
                let (at_ms, last_ms) = (sample.0, last.0);
                return Err(Refused::OutOfOrder { at_ms, last_ms });
            }
        }
        let mut grown = 0;
        if stored.tail.len() == TAIL {
            grown += stored.spill(&mut self.columns, writing);
        }
        grown += stored.push(sample);
        Ok(Some(grown))
    }

    /// Adds what was written once; how many bytes more that are without the columns. None: it doesn't come after what is
    /// there, or is not in order.
    pub fn extend(&mut self, slot: usize, chunks: Vec<Chunk>, tail: Vec<Sample>) -> Option<isize> {
        let stored = self.series.get_mut(slot)?;
        let mut last = stored.last.map(|last| last.0);
        let mut follows = |first: i64, to: i64| last.replace(to).is_none_or(|last| first > last);
        let in_order = chunks
            .iter()
            .all(|chunk| follows(chunk.times.first(), chunk.times.last()))
            && tail.iter().all(|sample| follows(sample.0, sample.0));
        // What was not packed yet ends a series.
        if !in_order || !stored.tail.is_empty() || tail.len() > TAIL {
            return None;
        }
        let before = stored.weight();
        stored.chunks.extend(chunks);
        stored.chunks.shrink_to_fit();
        stored.tail = tail;
        stored.tail.shrink_to_fit();
        stored.is_new = false;
        stored.last = stored.tail.last().copied().or_else(|| stored.last_packed());
        Some(stored.weight() - before)
    }

    /// Drops what ended before the horizon, and packs what nobody has added to since `idle_since`.
    pub fn forget(&mut self, horizon: i64, idle_since: i64, writing: &mut Writing) -> Forgotten {
        let mut forgotten = Forgotten::default();
        for (slot, stored) in self.series.iter_mut().enumerate() {
            if stored.generation == VACANT {
                continue;
            }
            stored.forget(horizon, &mut forgotten);
            let is_new = std::mem::take(&mut stored.is_new);
            match stored.last {
                None if is_new => {}
                None => forgotten.empty.push(slot),
                Some(last) if last.0 < idle_since && !stored.tail.is_empty() => {
                    forgotten.grown += stored.rest(&mut self.columns, writing);
                }
                Some(_) => {}
            }
        }
        forgotten
    }

    /// Ends a series if it has no samples; what that frees.
    pub fn vacate(&mut self, slot: usize) -> Option<isize> {
        let stored = self.series.get_mut(slot)?;
        if stored.generation == VACANT || stored.last.is_some() || stored.is_new {
            return None;
        }
        let mut grown = -(tail_weight(&stored.tail) as isize);
        *stored = Stored::default();
        if self.series.iter().all(|stored| stored.generation == VACANT) {
            grown -= (self.series.capacity() * size_of::<Stored>()) as isize;
            self.series = Vec::new();
            grown += self.columns.clear();
        }
        Some(grown)
    }
}

/// What became of a shard when it forgot.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    pub samples: usize,
    pub grown: isize,
    /// Slots without samples.
    pub empty: Vec<usize>,
}

impl Stored {
    pub fn first_ms(&self) -> Option<i64> {
        let chunk = self.chunks.first().map(|chunk| chunk.times.first());
        chunk.or_else(|| self.tail.first().map(|sample| sample.0))
    }

    /// All from `start` to `end`, both included. What is outside is not unpacked.
    pub fn between(&self, start: i64, end: i64, reading: &mut Reading) -> Vec<Sample> {
        let Some(last) = self.last else { return Vec::new() };
        if last.0 < start {
            return Vec::new();
        }
        let tail_from = self.tail.partition_point(|sample| sample.0 < start);
        let tail_to = self.tail.partition_point(|sample| sample.0 <= end).max(tail_from);
        if tail_from > 0 {
            return self.tail[tail_from..tail_to].to_vec();
        }
        reading.samples.clear();
        let from = self.chunks.partition_point(|chunk| chunk.times.last() < start);
        let overlapping = self.chunks[from..]
            .iter()
            .take_while(|chunk| chunk.times.first() <= end);
        for chunk in overlapping {
            let times = reading.times.read(&chunk.times);
            let from = times.partition_point(|time| *time < start);
            let to = times.partition_point(|time| *time <= end).max(from);
            let times = times[from..to].iter().copied();
            if let Values::Constant(value) = chunk.values {
                reading.samples.extend(times.map(|time| (time, value)));
                continue;
            }
            reading.values.clear();
            chunk.values.unpack(to, &mut reading.values, &mut reading.scratch);
            let values = reading.values[from..].iter().copied();
            reading.samples.extend(times.zip(values));
        }
        reading.samples.extend_from_slice(&self.tail[..tail_to]);
        reading.samples.clone()
    }

    /// The last one from `start` to `end`, both included.
    pub fn latest(&self, start: i64, end: i64, reading: &mut Reading) -> Option<Sample> {
        let last = self.last.filter(|last| last.0 >= start)?;
        if last.0 <= end {
            return Some(last);
        }
        let found = match self.tail.partition_point(|sample| sample.0 <= end) {
            0 => self.latest_packed(end, reading)?,
            after => self.tail[after - 1],
        };
        (found.0 >= start).then_some(found)
    }

    fn latest_packed(&self, end: i64, reading: &mut Reading) -> Option<Sample> {
        let after = self.chunks.partition_point(|chunk| chunk.times.first() <= end);
        let chunk = self.chunks[..after].last()?;
        let times = reading.times.read(&chunk.times);
        let count = times.partition_point(|time| *time <= end);
        let time = *times[..count].last()?;
        reading.values.clear();
        chunk.values.unpack(count, &mut reading.values, &mut reading.scratch);
        reading.values.last().map(|value| (time, *value))
    }

    fn last_packed(&self) -> Option<Sample> {
        let chunk = self.chunks.last()?;
        self.latest_packed(chunk.times.last(), &mut Reading::default())
    }

    /// What all that is held for the samples weighs, but for the columns, which are shared.
    pub fn weight(&self) -> isize {
        let chunks: isize = self.chunks.iter().map(Chunk::weight).sum();
        chunks + tail_weight(&self.tail) as isize
    }

    fn push(&mut self, sample: Sample) -> isize {
        let before = tail_weight(&self.tail);
        if self.tail.len() == self.tail.capacity() {
            let more = (self.tail.len() * 2).clamp(4, TAIL) - self.tail.len();
            self.tail.reserve_exact(more);
        }
        self.tail.push(sample);
        self.is_new = false;
        self.last = Some(sample);
        (tail_weight(&self.tail) - before) as isize
    }

    /// Packs the tail, into the last chunk if that has room. It is written anew, so a chunk is packed as a whole.
    fn spill(&mut self, columns: &mut Columns, writing: &mut Writing) -> isize {
        let has_room = self.chunks.last().is_some_and(|chunk| chunk.takes(&self.tail));
        let open = if has_room { self.chunks.pop() } else { None };
        writing.values.clear();
        if let Some(chunk) = &open {
            let count = chunk.times.count();
            chunk.values.unpack(count, &mut writing.values, &mut writing.scratch);
        }
        writing.values.extend(self.tail.iter().map(|sample| sample.1));
        let from = open.as_ref().map(|chunk| &chunk.times);
        let (times, mut grown) = columns.extend(from, &self.tail, &mut writing.times, &mut writing.bits);
        let chunk = Chunk {
            times,
            values: Values::pack(&writing.values, &mut writing.scratch),
        };
        grown += chunk.weight() + open.map_or(0, Chunk::free);
        if self.chunks.len() == self.chunks.capacity() {
            // Twice as much would be empty half of the time.
            self.chunks.reserve_exact(4);
        }
        self.chunks.push(chunk);
        self.tail.clear();
        grown
    }

    fn rest(&mut self, columns: &mut Columns, writing: &mut Writing) -> isize {
        let held = tail_weight(&self.tail) as isize;
        let grown = self.spill(columns, writing);
        self.tail = Vec::new();
        self.chunks.shrink_to_fit();
        grown - held
    }

    fn forget(&mut self, horizon: i64, forgotten: &mut Forgotten) {
        let old = self.chunks.partition_point(|chunk| chunk.times.last() < horizon);
        for chunk in self.chunks.drain(..old) {
            forgotten.samples += chunk.times.count();
            forgotten.grown += chunk.free();
        }
        if self.last.is_some_and(|last| last.0 < horizon) {
            forgotten.samples += self.tail.len();
            forgotten.grown -= tail_weight(&self.tail) as isize;
            self.tail = Vec::new();
            self.last = None;
        }
    }
}

fn tail_weight(tail: &Vec<Sample>) -> usize {
    match tail.capacity() {
        0 => 0,
        capacity => capacity * size_of::<Sample>() + ALLOCATION,
    }
}

#[cfg(test)]
impl Shard {
    pub fn counted(&self) -> usize {
        let mut columns = std::collections::BTreeMap::new();
        let mut bytes = self.series.capacity() * size_of::<Stored>();
        for stored in &self.series {
            bytes += stored.weight() as usize;
            for chunk in &stored.chunks {
                columns.insert(Arc::as_ptr(&chunk.times).addr(), chunk.times.weight());
            }
        }
        for column in self.columns.all() {
            columns.insert(Arc::as_ptr(column).addr(), column.weight());
        }
        bytes + columns.values().sum::<usize>()
    }
}
