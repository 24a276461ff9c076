//! Schedules: no text makes them panic, ticks only go forward, and what is found by bisection is what a walk finds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::cron::{Schedule, jitter, zone};

/// Without a change of clocks, with one, by half an hour, at midnight, with the moon, and with a day that never was.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Pacific/Apia",
];
/// Ticks that are walked.
const WALKED: usize = 40;

/// One byte for the zone, four for the time, and the expression.
pub fn try_one(bytes: &[u8]) {
    let Some((&[place, a, b, c, d], text)) = bytes.split_first_chunk() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let place = zone(ZONES[usize::from(place) % ZONES.len()]).expect("a zone of the list");
    let schedule = match Schedule::parse(&text, place) {
        Ok(schedule) => schedule,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{error:?} in {text:?}");
            assert!(!error.message.is_empty());
            return;
        }
    };
    let seconds = u32::from_be_bytes([a, b, c, d]) / 2;
    let from = DateTime::from_timestamp(seconds.into(), 0).expect("a time before 2039");
    let ticks: Vec<_> = schedule.ticks(from).take(WALKED).collect();
    walk(&schedule, from, &ticks);
    bisect(&schedule, from, &ticks);
    delays(&text, &ticks);
}

fn walk(schedule: &Schedule, from: DateTime<Utc>, ticks: &[DateTime<Utc>]) {
    let mut before = from;
    for tick in ticks {
        assert!(*tick > before, "{schedule:?}: {tick} after {before}");
        let second = TimeDelta::seconds(1);
        assert_eq!(schedule.after(*tick - second), Some(*tick), "{schedule:?}");
        // Wherever it is asked in between, the answer is the same.
        let halfway = before + (*tick - before) / 2;
        assert_eq!(schedule.after(halfway), Some(*tick), "{schedule:?} at {halfway}");
        before = *tick;
    }
}

fn bisect(schedule: &Schedule, from: DateTime<Utc>, ticks: &[DateTime<Utc>]) {
    let Some(last) = ticks.last() else { return };
    for share in 0..=8 {
        let until = from + (*last - from) * share / 8;
        let walked = ticks.iter().copied().rfind(|tick| *tick <= until);
        assert_eq!(
            schedule.latest(from, until),
            walked,
            "{schedule:?} in ({from}, {until}]"
        );
    }
}

fn delays(text: &str, ticks: &[DateTime<Utc>]) {
    for (n, tick) in ticks.iter().enumerate() {
        let most = Duration::from_millis(n as u64 * 977);
        let delay = jitter::delay("home", ["book", text], *tick, most);
        assert!(delay >= TimeDelta::zero() && delay.to_std().is_ok_and(|delay| delay <= most));
    }
}
