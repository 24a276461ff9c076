//! When it is whose turn.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// The clock may be so late for a turn, and it still counts as on time: samples of equal distance take less room.
const TOLERANCE_MS: i64 = 2;

/// Turns at multiples of an interval, moved by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    every_ms: i64,
    offset_ms: i64,
}

impl Turns {
    pub fn new(every: Duration, of: &[&str]) -> Self {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut hash = Sha256::new();
        for part in of {
            hash.update(part.as_bytes());
            hash.update([0xff]);
        }
        let digest = hash.finalize();
        let word = digest
            .iter()
            .take(7)
            .fold(0_i64, |word, byte| word << 8 | i64::from(*byte));
        Self {
            every_ms,
            offset_ms: word % every_ms,
        }
    }

    /// The first turn after `now_ms`.
    pub fn after(self, now_ms: i64) -> i64 {
        let passed = now_ms.saturating_sub(self.offset_ms).div_euclid(self.every_ms);
        passed
            .saturating_add(1)
            .saturating_mul(self.every_ms)
            .saturating_add(self.offset_ms)
    }

    /// The first turn after `now_ms` that is not `last_ms` nor before it, unless the clock went back by more than an interval: then
    /// the turns begin anew.
    pub fn next(self, last_ms: Option<i64>, now_ms: i64) -> i64 {
        let turn = self.after(now_ms);
        match last_ms {
            Some(last) if turn <= last && last - turn < self.every_ms => last.saturating_add(self.every_ms),
            _ => turn,
        }
    }

    /// The last turn until `now_ms`, not before this one.
    pub fn latest(self, turn_ms: i64, now_ms: i64) -> i64 {
        turn_ms.max(self.after(now_ms).saturating_sub(self.every_ms))
    }

    /// The time that a turn has which begins at `now_ms`.
    pub fn dated(self, turn_ms: i64, now_ms: i64) -> i64 {
        let tolerance = TOLERANCE_MS.min(self.every_ms / 100);
        if (now_ms - turn_ms).abs() <= tolerance {
            turn_ms
        } else {
            now_ms
        }
    }
}

/// From one time to the next, which the clock may have passed already.
pub(super) fn until(turn_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(turn_ms.saturating_sub(now_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_an_interval_apart_and_don_t_move_with_a_restart() {
        let turns = Turns::new(Duration::from_secs(15), &["node", "http://a:9100/metrics"]);
        let first = turns.after(1_700_000_000_000);
        assert!(first > 1_700_000_000_000 && first <= 1_700_000_015_000);
        assert_eq!(turns.after(first), first + 15_000);
        assert_eq!(turns.after(first - 1), first);
        let again = Turns::new(Duration::from_secs(15), &["node", "http://a:9100/metrics"]);
        assert_eq!(again.after(1_700_000_000_000), first);
        assert!(turns.after(-1) >= 0 && turns.after(i64::MAX) == i64::MAX);
    }

    #[test]
    fn no_turn_comes_twice_and_a_late_one_is_the_last() {
        let turns = Turns::new(Duration::from_secs(15), &["a"]);
        let first = turns.next(None, 1_700_000_000_000);
        assert_eq!(turns.next(Some(first), first - 2), first + 15_000);
        assert_eq!(turns.next(Some(first), first + 40_000), first + 45_000);
        for back in [30_000, 1_800_000, 7_200_000] {
            assert_eq!(turns.next(Some(first), first - back), first - back + 15_000, "{back}");
        }
        assert_eq!(turns.latest(first, first + 100), first);
        assert_eq!(turns.latest(first, first + 31_000), first + 30_000);
        assert_eq!(turns.latest(first, first - 31_000), first);
    }

    #[test]
    fn turns_of_many_are_spread() {
        let names: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let mut early = 0;
        for name in &names {
            let turns = Turns::new(Duration::from_secs(10), &[name]);
            early += usize::from(turns.after(0) <= 5_000);
        }
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
    }

    #[test]
    fn a_turn_that_is_a_little_late_counts_as_on_time() {
        let turns = Turns::new(Duration::from_secs(15), &[]);
        assert_eq!((turns.dated(1_000, 1_002), turns.dated(1_000, 1_003)), (1_000, 1_003));
        let turns = Turns::new(Duration::from_millis(100), &[]);
        assert_eq!((turns.dated(1_000, 1_001), turns.dated(1_000, 1_002)), (1_000, 1_002));
    }
}
