//! When a notice is tried, and when no more. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::invocation::{Class, Outcome, Output};
use evenkeel_model::notify::Rate;

use crate::port::outbox::{Next, TryOutcome};

/// Before the second try; each later pause is twice as long.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(600);
/// How long a notice is tried.
pub const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// Longer words of a plugin are cut.
const WORDS: usize = 1_000;

/// The pause after the `n`th try, from 1: between half of it and all of it, as `jitter` (0 to 1) says.
pub fn pause(n: u32, jitter: f64) -> Duration {
    let doublings = n.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// When a notifier may be tried next, by when it was tried lately.
pub fn free_at(recent: &[DateTime<Utc>], rate: Rate, now: DateTime<Utc>) -> DateTime<Utc> {
    let count = usize::try_from(rate.count).unwrap_or(usize::MAX);
    let Some(oldest) = recent.len().checked_sub(count).and_then(|at| recent.get(at)) else {
        return now;
    };
    let within = TimeDelta::from_std(rate.within).unwrap_or(TimeDelta::MAX);
    oldest.checked_add_signed(within).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// What an outcome is for the outbox, and in words. A plugin that the host stopped may do better the
/// next time; what it calls invalid, denied or permanent stays so.
pub fn judge(outcome: &Outcome) -> (TryOutcome, String) {
    let (judged, words) = match outcome {
        Outcome::Done(Output::Sent(receipt)) => (TryOutcome::Delivered, receipt.clone().unwrap_or_default()),
        Outcome::Done(_) => (
            TryOutcome::Permanent,
            "it answered something else than a receipt".into(),
        ),
        Outcome::Failed(failure) => {
            let judged = match failure.class {
                Class::Transient => TryOutcome::Transient,
                Class::Invalid | Class::Denied | Class::Permanent => TryOutcome::Permanent,
            };
            (judged, format!("{}: {}", failure.code, failure.message))
        }
        Outcome::Stopped { message, .. } => (TryOutcome::Transient, message.clone()),
    };
    (judged, cut(&words))
}

/// What follows a try that ended `now`.
pub fn next(outcome: TryOutcome, queued_at: DateTime<Utc>, now: DateTime<Utc>, pause: Duration) -> Next {
    match outcome {
        TryOutcome::Delivered => Next::Delivered,
        TryOutcome::Permanent => Next::GivenUp,
        TryOutcome::Transient | TryOutcome::Interrupted if is_stale(queued_at, now) => Next::GivenUp,
        TryOutcome::Transient | TryOutcome::Interrupted => {
            Next::Again(now + TimeDelta::from_std(pause).unwrap_or(PATIENCE))
        }
    }
}

/// Nobody is served by it any more.
pub fn is_stale(queued_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - queued_at >= PATIENCE
}

fn cut(words: &str) -> String {
    match words.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread() {
        let whole = |n| pause(n, 1.0).as_secs();
        assert_eq!(
            [whole(1), whole(2), whole(3), whole(9), whole(10), whole(u32::MAX)],
            [2, 4, 8, 512, 600, 600]
        );
        assert_eq!(pause(1, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn a_rate_counts_the_tries_of_its_window() {
        let rate = Rate {
            count: 2,
            within: Duration::from_secs(60),
        };
        let at = |second| DateTime::from_timestamp(second, 0).expect("a time");
        assert_eq!(free_at(&[at(90)], rate, at(100)), at(100));
        assert_eq!(free_at(&[at(50), at(90)], rate, at(100)), at(110));
        assert_eq!(free_at(&[at(50), at(90), at(95)], rate, at(100)), at(150));
    }

    #[test]
    fn a_day_is_enough() {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3_600, 0).expect("a time");
        let second = Duration::from_secs(1);
        assert_eq!(
            next(TryOutcome::Transient, at(0), at(23), second),
            Next::Again(at(23) + TimeDelta::seconds(1))
        );
        assert_eq!(next(TryOutcome::Transient, at(0), at(24), second), Next::GivenUp);
        assert_eq!(next(TryOutcome::Permanent, at(0), at(0), second), Next::GivenUp);
        assert_eq!(next(TryOutcome::Delivered, at(0), at(30), second), Next::Delivered);
    }
}
