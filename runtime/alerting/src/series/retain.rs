//! What is too old goes away.

use std::sync::atomic::Ordering;

use super::shard::{SIZE, Writing};
use super::{FURTHEST_MS, Store, write};

/// What is kept at least, even if memory runs out: what rules look at.
const SHORTEST_MS: i64 = 3_600_000;

/// How long nobody has added to a series when its last samples are compressed as well.
const IDLE_MS: i64 = 900_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgot {
    /// Series that had no samples any more, and are gone.
    pub series: usize,
    pub samples: usize,
    /// Samples were let go of although they are not older than the retention, since memory ran out: those that are left
    /// are at most so old. To be told to the operator: `max_memory` in `[series]` is too low for `retention`.
    pub shortened_to_ms: Option<i64>,
}

impl Store {
    /// Lets go of samples that are older than the retention, chunk by chunk: some live on until the last of their chunk is
    /// too old. Series that have none left are gone, and their memory with them.
    ///
    /// Where more than 15/16 of the memory is taken after that, the oldest of the rest go too, until it is less or an hour
    /// is left: new samples matter more than old ones.
    ///
    /// To be called now and then, as once a minute; `now_ms` is the time of the latest scrape.
    pub fn forget(&self, now_ms: i64) -> Forgot {
        let now = now_ms.clamp(-FURTHEST_MS, FURTHEST_MS);
        let retention = self.limits.retention_ms.max(0);
        let horizon = now.saturating_sub(retention).max(-FURTHEST_MS);
        // It never goes back: what is forgotten does not come again.
        let horizon = self.horizon_ms.fetch_max(horizon, Ordering::Relaxed).max(horizon);
        let mut forgot = Forgot::default();
        self.forget_before(horizon, now, &mut forgot);
        let (mut left, step) = (retention, (retention / 24).max(SHORTEST_MS / 4));
        while self.is_nearly_full() && left > SHORTEST_MS {
            left = (left - step).max(SHORTEST_MS);
            let before = forgot.samples;
            self.forget_before(now.saturating_sub(left), now, &mut forgot);
            if forgot.samples > before {
                forgot.shortened_to_ms = Some(left);
            }
        }
        forgot
    }

    fn forget_before(&self, horizon: i64, now: i64, forgot: &mut Forgot) {
        let mut samples = 0;
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
            samples += forgotten.samples;
            empty.extend(forgotten.empty.into_iter().map(|slot| number * SIZE + slot));
        }
        self.samples.fetch_sub(samples as u64, Ordering::Relaxed);
        forgot.samples += samples;
        if !empty.is_empty() {
            forgot.series += self.drop_empty(&empty);
        }
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
