//! Series in memory: what is scraped and recorded, compressed, found by its labels, and bounded.
//!
//! A [`Store`] is shared as it is: a scrape appends while rules and readers select. What is behind a lock is held for as
//! short as one series is made, or one shard is read or written.
//!
//! - `index`: the labels, behind one lock. Only a new series and [`Store::forget`] write there.
//! - `shard`: the samples, 1,024 series behind a lock. Each series has up to 16 samples that are not compressed, before
//!   them chunks of up to 128, and of up to 1,024 where the value never changes. A chunk's times are shared by all series
//!   of a scrape; its values are integers, decimals or bits, whatever is the shortest, and come back to the bit.
//! - [`Store::snapshot`] and [`Log`]: bytes for a disk; another room writes them.
//!
//! Order of the locks: the index, then one shard. No two shards are locked at a time.
//!
//! *Invariant:* no I/O of its own and no clock; no bytes of a snapshot or a log make it panic or take more than the
//! [`Limits`].

mod bits;
mod bytes;
mod frame;
mod index;
mod ints;
mod log;
mod narrow;
mod postings;
mod read;
mod refused;
mod restore;
mod retain;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;
mod times;
mod values;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use frame::{Damage, DamageKind, Unreadable};
pub use log::{Log, Replayed};
pub use read::{Listing, Status};
pub use refused::Refused;
pub use restore::{LeftOut, Restored};
pub use retain::Forgot;

use crate::promql::{Labels, Sample};
use index::Index;
use shard::{SIZE, Shard, Writing};

/// The furthest time from 1970 that a sample may have, in milliseconds: PromQL evaluates no further.
pub const FURTHEST_MS: i64 = 1_000_000_000_000_000;

/// Bytes of the names and values of one series' labels.
const LABEL_BYTES: usize = 64 << 10;

/// What a store may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series at a time; 16,777,216 at the most.
    pub series: usize,
    /// Bytes of memory for all of it. New series are refused at 15/16 of it, so that the known ones can go on.
    pub bytes: usize,
    /// How long a sample is kept, in milliseconds.
    pub retention_ms: i64,
    /// Labels of one series, its name among them.
    pub labels: usize,
    /// Samples that one selector reads.
    pub selected: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series: 1_000_000,
            bytes: 1 << 30,
            retention_ms: 86_400_000,
            labels: 64,
            selected: 50_000_000,
        }
    }
}

/// A series of a store, for as long as it has samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    id: u32,
    generation: u32,
}

impl Handle {
    fn shard(self) -> usize {
        self.id as usize / SIZE
    }

    fn slot(self) -> usize {
        self.id as usize % SIZE
    }
}

/// What a batch came to.
#[derive(Debug, Default, PartialEq)]
pub struct Appended {
    /// Samples that are new.
    pub added: usize,
    /// Those that were not taken: their place in the batch, and why.
    pub refused: Vec<(usize, Refused)>,
}

#[derive(Debug)]
pub struct Store {
    limits: Limits,
    index: RwLock<Index>,
    shards: Box<[RwLock<Shard>]>,
    bytes: AtomicI64,
    samples: AtomicU64,
    /// No sample before it is taken.
    horizon_ms: AtomicI64,
}

impl Store {
    pub fn new(limits: Limits) -> Self {
        let limits = Limits {
            series: limits.series.min(1 << 24),
            ..limits
        };
        let shards: Box<[RwLock<Shard>]> = (0..limits.series.div_ceil(SIZE)).map(|_| RwLock::default()).collect();
        let bytes = shards.len() * size_of::<RwLock<Shard>>();
        Self {
            limits,
            shards,
            index: RwLock::default(),
            bytes: AtomicI64::new(bytes as i64),
            samples: AtomicU64::new(0),
            horizon_ms: AtomicI64::new(-FURTHEST_MS),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The series with these labels, which is made if there is none. One that still has no samples is gone with the second
    /// [`Self::forget`] from then on.
    ///
    /// # Errors
    /// When it would be one too many, or has too many labels.
    pub fn series(&self, labels: &Labels) -> Result<Handle, Refused> {
        let known = read(&self.index).find(labels);
        if let Some((id, generation)) = known {
            return Ok(Handle { id, generation });
        }
        self.make(&mut write(&self.index), labels)
    }

    /// The same of many, as a scrape's first time brings them.
    pub fn all_series<'l>(&self, all: impl IntoIterator<Item = &'l Labels>) -> Vec<Result<Handle, Refused>> {
        let mut index = write(&self.index);
        all.into_iter().map(|labels| self.make(&mut index, labels)).collect()
    }

    /// What labels a series has; none if it is gone.
    pub fn labels(&self, handle: Handle) -> Option<Labels> {
        read(&self.index).labels(handle.id, handle.generation).cloned()
    }

    fn make(&self, index: &mut Index, labels: &Labels) -> Result<Handle, Refused> {
        if let Some((id, generation)) = index.find(labels) {
            return Ok(Handle { id, generation });
        }
        self.check(labels)?;
        if index.live() >= self.limits.series {
            let limit = self.limits.series;
            return Err(Refused::TooManySeries { limit });
        }
        if self.is_nearly_full() {
            let limit = self.limits.bytes;
            return Err(Refused::NoMemory { limit });
        }
        let ((id, generation), mut grown) = index.add(labels);
        let handle = Handle { id, generation };
        if let Some(shard) = self.shards.get(handle.shard()) {
            grown += write(shard).place(handle.slot(), generation);
        }
        self.grow(grown);
        Ok(handle)
    }

    fn check(&self, labels: &Labels) -> Result<(), Refused> {
        let (found, limit) = (labels.iter().count(), self.limits.labels);
        if found == 0 {
            return Err(Refused::NoLabels);
        }
        if found > limit {
            return Err(Refused::TooManyLabels { found, limit });
        }
        let (found, limit) = (
            labels.iter().map(|(name, value)| name.len() + value.len()).sum(),
            LABEL_BYTES,
        );
        if found > limit {
            return Err(Refused::LabelsTooLong { found, limit });
        }
        Ok(())
    }

    /// # Errors
    /// When the sample isn't taken. The same sample once more is no error.
    pub fn append(&self, handle: Handle, at_ms: i64, value: f64) -> Result<(), Refused> {
        let appended = self.append_all(&[(handle, (at_ms, value))]);
        appended.refused.first().map_or(Ok(()), |(_, refused)| Err(*refused))
    }

    /// A scrape's samples, each on its own: that one is refused does not concern the others. The series of a shard that
    /// follow each other cost one lock.
    pub fn append_all(&self, batch: &[(Handle, Sample)]) -> Appended {
        let mut appended = Appended::default();
        let mut writing = Writing::default();
        let mut grown = 0;
        let mut locked: Option<(usize, RwLockWriteGuard<'_, Shard>)> = None;
        let horizon = self.horizon_ms.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let limit = i64::try_from(self.limits.bytes).unwrap_or(i64::MAX);
        for (place, (handle, sample)) in batch.iter().enumerate() {
            let number = handle.shard();
            if locked.as_ref().is_none_or(|(locked, _)| *locked != number) {
                // The one before is let go of first.
                drop(locked.take());
                locked = self.shards.get(number).map(|shard| (number, write(shard)));
            }
            let result = in_time(sample.0, horizon).and_then(|()| {
                if bytes.saturating_add(grown as i64) >= limit {
                    let limit = self.limits.bytes;
                    return Err(Refused::NoMemory { limit });
                }
                let (_, shard) = locked.as_mut().ok_or(Refused::Gone)?;
                shard.append(handle.slot(), handle.generation, *sample, &mut writing)
            });
            match result {
                Ok(Some(more)) => {
                    grown += more;
                    appended.added += 1;
                }
                Ok(None) => {}
                Err(refused) => appended.refused.push((place, refused)),
            }
        }
        drop(locked);
        self.grow(grown);
        self.samples.fetch_add(appended.added as u64, Ordering::Relaxed);
        appended
    }

    /// The memory that is held, about: what the allocator adds is estimated.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn is_nearly_full(&self) -> bool {
        self.bytes() > self.limits.bytes - self.limits.bytes / 16
    }

    fn grow(&self, bytes: isize) {
        self.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
    }
}

fn in_time(at_ms: i64, horizon_ms: i64) -> Result<(), Refused> {
    if !(-FURTHEST_MS..=FURTHEST_MS).contains(&at_ms) {
        return Err(Refused::BadTime { at_ms });
    }
    if at_ms < horizon_ms {
        return Err(Refused::TooOld { at_ms, horizon_ms });
    }
    Ok(())
}

/// A lock that a panic has poisoned is as good as before: nothing here panics halfway through a change.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Store {
    /// The bytes, counted anew; what [`Self::bytes`] adds up must come to the same.
    fn counted(&self) -> usize {
        let index = read(&self.index);
        let mut bytes = self.shards.len() * size_of::<RwLock<Shard>>() + index.counted();
        for shard in &self.shards {
            bytes += read(shard).counted();
        }
        bytes
    }
}
