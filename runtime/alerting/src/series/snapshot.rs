//! All that a store holds, as bytes: sections of some series each, and an end, without which it is not whole.
//!
//! A section has the texts of its labels once, the columns of times once, and the chunks as they are in memory. A series
//! that is long goes on in the next section.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bytes::{put_bytes, put_number, put_signed, put_value};
use super::frame::{self, SNAPSHOT};
use super::shard::{Chunk, SIZE, Shard, Stored};
use super::times::Column;
use super::values::Values;
use super::{Store, read};
use crate::promql::{Labels, Sample};

pub(super) const SERIES: u8 = 1;
pub(super) const END: u8 = 2;
pub(super) const CONSTANT: u8 = 0;
pub(super) const PACKED: u8 = 1;

/// Bytes after which a section ends: no shard is locked for longer than it takes to copy so many.
const ENOUGH: usize = 1 << 20;

impl Store {
    /// Writes all that is held. Appends go on meanwhile: nothing is locked while `out` is written to, and a shard for one
    /// section at a time. What was appended before the call is in it; what comes during it may be.
    ///
    /// # Errors
    /// What `out` answers. What was written by then is good, and [`Self::restore`] says that it is not whole.
    pub fn snapshot(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&SNAPSHOT.magic)?;
        let mut framed = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let ids = number * SIZE..(number + 1) * SIZE;
            let all: Vec<(u32, u32, Labels)> = {
                let index = read(&self.index);
                let of_shard = index.range(ids);
                of_shard
                    .map(|(id, generation, labels)| (id, generation, labels.clone()))
                    .collect()
            };
            let mut progress = Progress::default();
            while progress.place < all.len() {
                let section = Section::of(&read(shard), &all, &mut progress);
                framed.clear();
                frame::put(&section.finish(), &mut framed);
                out.write_all(&framed)?;
            }
        }
        let mut end = vec![END];
        put_number(self.samples.load(Ordering::Relaxed), &mut end);
        framed.clear();
        frame::put(&end, &mut framed);
        out.write_all(&framed)
    }
}

/// How far a shard is written.
#[derive(Default)]
struct Progress {
    place: usize,
    /// Of the series at this place all up to here.
    after_ms: Option<i64>,
}

#[derive(Default)]
struct Section {
    texts: HashMap<Arc<str>, u64>,
    text_bytes: Vec<u8>,
    /// By where they are: they stay there while the shard is locked.
    columns: HashMap<usize, u64>,
    column_bytes: Vec<u8>,
    series: u64,
    series_bytes: Vec<u8>,
}

impl Section {
    fn of(shard: &Shard, all: &[(u32, u32, Labels)], progress: &mut Progress) -> Self {
        let mut section = Self::default();
        while let Some((id, generation, labels)) = all.get(progress.place) {
            let stored = shard.get(*id as usize % SIZE, *generation);
            let written = stored.is_none_or(|stored| section.put_series(stored, labels, progress));
            if written {
                progress.place += 1;
                progress.after_ms = None;
            }
            if section.len() >= ENOUGH {
                break;
            }
        }
        section
    }

    fn len(&self) -> usize {
        self.text_bytes.len() + self.column_bytes.len() + self.series_bytes.len()
    }

    /// Whether all of it is written. The chunk that may still grow goes with the tail.
    fn put_series(&mut self, stored: &Stored, labels: &Labels, progress: &mut Progress) -> bool {
        let is_new = |time: i64| progress.after_ms.is_none_or(|after| time > after);
        let from = stored.chunks.partition_point(|chunk| !is_new(chunk.times.first()));
        let chunks = &stored.chunks[from..];
        let mut bytes = Vec::new();
        let mut written = 0;
        for chunk in chunks {
            if written > 0 && written + 1 < chunks.len() && self.len() + bytes.len() >= ENOUGH {
                break;
            }
            self.put_chunk(chunk, &mut bytes);
            written += 1;
        }
        let is_all = written == chunks.len();
        self.put_labels(labels);
        put_number(written as u64, &mut self.series_bytes);
        self.series_bytes.extend_from_slice(&bytes);
        put_samples(if is_all { &stored.tail } else { &[] }, &mut self.series_bytes);
        self.series += 1;
        progress.after_ms = chunks[..written].last().map(|chunk| chunk.times.last());
        is_all
    }

    fn put_labels(&mut self, labels: &Labels) {
        put_number(labels.iter().count() as u64, &mut self.series_bytes);
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            let next = self.texts.len() as u64;
            let number = self.texts.get(text).copied().unwrap_or(next);
            if number == next {
                self.texts.insert(text.into(), next);
                put_bytes(text.as_bytes(), &mut self.text_bytes);
            }
            put_number(number, &mut self.series_bytes);
        }
    }

    fn put_chunk(&mut self, chunk: &Chunk, out: &mut Vec<u8>) {
        let next = self.columns.len() as u64;
        let number = *self.columns.entry(Arc::as_ptr(&chunk.times).addr()).or_insert(next);
        if number == next {
            put_column(&chunk.times, &mut self.column_bytes);
        }
        put_number(number, out);
        match &chunk.values {
            Values::Constant(value) => {
                out.push(CONSTANT);
                put_value(*value, out);
            }
            Values::Packed(packed) => {
                out.push(PACKED);
                put_bytes(packed, out);
            }
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut record = Vec::with_capacity(self.len() + 32);
        record.push(SERIES);
        put_number(self.texts.len() as u64, &mut record);
        record.extend_from_slice(&self.text_bytes);
        put_number(self.columns.len() as u64, &mut record);
        record.extend_from_slice(&self.column_bytes);
        put_number(self.series, &mut record);
        record.extend_from_slice(&self.series_bytes);
        record
    }
}

fn put_column(column: &Column, out: &mut Vec<u8>) {
    put_signed(column.first(), out);
    put_number(column.last().abs_diff(column.first()), out);
    put_number(column.count() as u64, out);
    put_bytes(column.packed(), out);
}

fn put_samples(samples: &[Sample], out: &mut Vec<u8>) {
    put_number(samples.len() as u64, out);
    let mut last = 0;
    for (time, value) in samples {
        put_signed(time - last, out);
        put_value(*value, out);
        last = *time;
    }
}
