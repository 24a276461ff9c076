//! The times of a chunk. Series of one scrape have the same: they share one column, which is written once and read once.

use std::sync::Arc;

use super::bits::{BitReader, BitWriter};
use super::ints;
use crate::promql::Sample;

/// What an allocation costs beside its bytes, about.
pub(super) const ALLOCATION: usize = 16;

/// Times in their order, none twice.
#[derive(Debug, PartialEq)]
pub(super) struct Column {
    first: i64,
    last: i64,
    count: u32,
    /// Empty: all are as far apart.
    packed: Box<[u8]>,
}

impl Column {
    /// `times` are not empty, and each is later than the one before.
    pub fn pack(times: &[i64], bits: &mut BitWriter) -> Self {
        let (first, last) = (
            times.first().copied().unwrap_or_default(),
            times.last().copied().unwrap_or_default(),
        );
        let mut apart = times.windows(2).map(|pair| pair[1] - pair[0]);
        let step = apart.next();
        let packed = if apart.all(|other| Some(other) == step) {
            Box::default()
        } else {
            ints::pack(times, bits);
            bits.take()
        };
        Self {
            first,
            last,
            count: times.len() as u32,
            packed,
        }
    }

    pub fn unpack(&self, out: &mut Vec<i64>) {
        let count = self.count as usize;
        if !self.packed.is_empty() {
            return ints::unpack(&mut BitReader::new(&self.packed), count, out);
        }
        let gaps = i64::from(self.count).saturating_sub(1).max(1);
        let step = (self.last - self.first) / gaps;
        out.extend((0..i64::from(self.count)).map(|i| self.first + i * step));
    }

    /// As it was written; whether it makes sense is for the caller to see.
    pub fn unchecked(first: i64, last: i64, count: usize, packed: &[u8]) -> Self {
        Self {
            first,
            last,
            count: count as u32,
            packed: packed.into(),
        }
    }

    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    pub fn first(&self) -> i64 {
        self.first
    }

    pub fn last(&self) -> i64 {
        self.last
    }

    pub fn count(&self) -> usize {
        self.count as usize
    }

    pub fn weight(&self) -> usize {
        let packed = match self.packed.len() {
            0 => 0,
            bytes => bytes + ALLOCATION,
        };
        size_of::<Self>() + 2 * size_of::<usize>() + ALLOCATION + packed
    }
}

/// One holder less; what that frees.
pub(super) fn release(column: Arc<Column>) -> isize {
    Arc::into_inner(column).map_or(0, |column| -(column.weight() as isize))
}

/// A column that was made a moment ago, and of what.
#[derive(Debug)]
struct Made {
    from: Option<Arc<Column>>,
    added: Vec<i64>,
    column: Arc<Column>,
}

/// The latest columns, for the series that come next. Chunks of different lengths end at the same time: hence several.
#[derive(Debug, Default)]
pub(super) struct Columns {
    made: [Option<Made>; 4],
    next: usize,
}

impl Columns {
    /// The column that goes on with the times of these samples, and how many bytes more are held.
    pub fn extend(
        &mut self,
        from: Option<&Arc<Column>>,
        added: &[Sample],
        times: &mut Vec<i64>,
        bits: &mut BitWriter,
    ) -> (Arc<Column>, isize) {
        let is_from = |made: &Made| match (&made.from, from) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let is_same = |made: &&Made| {
            is_from(made) && made.added.len() == added.len() && made.added.iter().zip(added).all(|(a, b)| *a == b.0)
        };
        if let Some(made) = self.made.iter().flatten().find(is_same) {
            return (made.column.clone(), 0);
        }
        times.clear();
        if let Some(from) = from {
            from.unpack(times);
        }
        times.extend(added.iter().map(|sample| sample.0));
        let column = Arc::new(Column::pack(times, bits));
        let mut grown = column.weight() as isize;
        let made = Made {
            from: from.cloned(),
            added: added.iter().map(|sample| sample.0).collect(),
            column: column.clone(),
        };
        if let Some(old) = self.made[self.next].replace(made) {
            grown += release(old.column) + old.from.map_or(0, release);
        }
        self.next = (self.next + 1) % self.made.len();
        (column, grown)
    }

    /// Lets go of all.
    pub fn clear(&mut self) -> isize {
        let made = self.made.iter_mut().filter_map(Option::take);
        made.map(|made| release(made.column) + made.from.map_or(0, release))
            .sum()
    }
}

/// The times of the column that was read last: the next series has most often the same.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Where it is. It stays there as long as its shard is locked.
    address: usize,
    times: Vec<i64>,
}

impl Times {
    /// Before another shard is read, or the same anew.
    pub fn forget(&mut self) {
        self.address = 0;
    }

    pub fn read(&mut self, column: &Arc<Column>) -> &[i64] {
        let address = Arc::as_ptr(column).addr();
        if self.address != address {
            self.times.clear();
            column.unpack(&mut self.times);
            self.address = address;
        }
        &self.times
    }
}

#[cfg(test)]
impl Columns {
    pub fn all(&self) -> impl Iterator<Item = &Arc<Column>> {
        let made = self.made.iter().flatten();
        made.flat_map(|made| made.from.iter().chain([&made.column]))
    }
}
