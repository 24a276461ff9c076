//! Delays that spread what is due at the same moment.

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest as _, Sha256};

/// How long after its tick a round is opened, from nothing up to `most`, in whole milliseconds.
///
/// It depends on nothing but what is said here, so that a restart comes to the same moment:
/// `home` is a word that no other home has, and sets homes apart that have the same runbook.
pub fn delay(home: &str, schedule: [&str; 2], tick: DateTime<Utc>, most: std::time::Duration) -> Duration {
    let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX);
    if most == 0 {
        return Duration::zero();
    }
    let mut hash = Sha256::new();
    for part in [home, schedule[0], schedule[1]] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(tick.timestamp_micros().to_be_bytes());
    let digest = hash.finalize();
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    // A share of `most`: 2^64 stands for one more than it.
    let share = (u128::from(u64::from_be_bytes(number)) * (most.unsigned_abs() as u128 + 1)) >> 64;
    Duration::milliseconds(i64::try_from(share).unwrap_or(most))
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Span;

    use super::*;

    fn at(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::hours(n)
    }

    #[test]
    fn a_delay_is_within_its_bound_and_uses_all_of_it() {
        let most = Span::from_secs(300);
        let delays: Vec<_> = (0..2_000)
            .map(|n| delay("home", ["book", "@hourly UTC"], at(n), most))
            .collect();
        assert!(
            delays
                .iter()
                .all(|delay| (0..=300_000).contains(&delay.num_milliseconds()))
        );
        for tenth in 0..10 {
            let range = tenth * 30_000..(tenth + 1) * 30_000;
            let within = delays.iter().filter(|delay| range.contains(&delay.num_milliseconds()));
            let count = within.count();
            assert!((120..280).contains(&count), "{count} of 2,000 in tenth {tenth}");
        }
    }

    #[test]
    fn the_same_comes_to_the_same_delay_and_anything_else_to_another() {
        let most = Span::from_secs(86_400);
        let one = delay("home", ["book", "@hourly UTC"], at(0), most);
        assert_eq!(one, delay("home", ["book", "@hourly UTC"], at(0), most));
        let others = [
            delay("other", ["book", "@hourly UTC"], at(0), most),
            delay("home", ["other", "@hourly UTC"], at(0), most),
            delay("home", ["book", "@daily UTC"], at(0), most),
            delay("home", ["book@", "hourly UTC"], at(0), most),
            delay("home", ["book", "@hourly UTC"], at(1), most),
        ];
        assert!(others.iter().all(|other| *other != one), "{one} {others:?}");
    }

    #[test]
    fn without_jitter_there_is_no_delay() {
        assert_eq!(
            delay("home", ["book", "@hourly UTC"], at(0), Span::ZERO),
            Duration::zero()
        );
    }
}
