//! What is too old goes away.

use std::sync::atomic::Ordering;

use super::shard::{SIZE, Writing};
use super::{FURTHEST_MS, Store, write};

/// How long nobody has added to a series when its last samples are compressed as well.
const IDLE_MS: i64 = 900_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgot {
    /// Series that had no samples any more, and are gone.
    pub series: usize,
    pub samples: usize,
}

impl Store {
    /// Lets go of samples that are older than the retention, chunk by chunk: some live on until the last of their chunk is
    /// too old. Series that have none left are gone, and their memory with them.
    ///
    /// To be called now and then, as once a minute; `now_ms` is the time of the latest scrape.
    pub fn forget(&self, now_ms: i64) -> Forgot {
        let now = now_ms.clamp(-FURTHEST_MS, FURTHEST_MS);
        let horizon = now.saturating_sub(self.limits.retention_ms.max(0)).max(-FURTHEST_MS);
        // It never goes back: what is forgotten does not come again.
        let horizon = self.horizon_ms.fetch_max(horizon, Ordering::Relaxed).max(horizon);
        let mut forgot = Forgot::default();
        let mut empty = Vec::new();
        let mut writing = Writing::default();
        for (number, shard) in self.shards.iter().enumerate() {
            let forgotten = {
                let mut shard = write(shard);
                if shard.series.is_empty() {
                    continue;
                }
                shard.forget(horizon, now.saturating_sub(IDLE_MS), &mut writing)
            };
            self.grow(forgotten.grown);
            forgot.samples += forgotten.samples;
            empty.extend(forgotten.empty.into_iter().map(|slot| number * SIZE + slot));
        }
        self.samples.fetch_sub(forgot.samples as u64, Ordering::Relaxed);
        if !empty.is_empty() {
            forgot.series = self.drop_empty(&empty);
        }
        forgot
    }

    /// Of these numbers, those that still have no samples.
    fn drop_empty(&self, empty: &[usize]) -> usize {
        let mut index = write(&self.index);
        let mut gone = Vec::with_capacity(empty.len());
        let mut grown = 0;
        for numbers in empty.chunk_by(|a, b| a / SIZE == b / SIZE) {
            let Some(shard) = numbers.first().and_then(|first| self.shards.get(first / SIZE)) else {
                continue;
            };
            let mut shard = write(shard);
            for number in numbers {
                if let Some(freed) = shard.vacate(number % SIZE) {
                    grown += freed;
                    gone.push(*number as u32);
                }
            }
        }
        grown += index.remove(&gone);
        self.grow(grown);
        gone.len()
    }
}
