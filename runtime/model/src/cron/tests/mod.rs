mod properties;
mod saving;

use chrono::{Datelike as _, NaiveDate};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, super::zone(zone).unwrap()).unwrap()
}

/// Local times, with the offset where it matters.
fn ticks(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(expression, zone);
    let mut time = at(from);
    let mut ticks = Vec::new();
    for _ in 0..count {
        time = schedule.after(time).unwrap();
        let local = time.with_timezone(&schedule.zone);
        ticks.push(local.format("%m-%d %H:%M:%S %z").to_string());
    }
    ticks
}

fn utc(expression: &str, from: &str, count: usize) -> Vec<String> {
    let all = ticks(expression, "UTC", from, count);
    all.iter()
        .map(|tick| tick.trim_end_matches(" +0000").to_owned())
        .collect()
}

fn refused(expression: &str) -> CronError {
    Schedule::parse(expression, Tz::UTC).unwrap_err()
}

#[test]
fn five_fields_start_at_second_zero() {
    assert_eq!(
        utc("30 3 * * *", "2026-01-01T03:30:00Z", 2),
        ["01-02 03:30:00", "01-03 03:30:00"]
    );
}

#[test]
fn six_fields_start_with_seconds() {
    assert_eq!(
        utc("*/20 0 * * * *", "2026-01-01T00:00:00Z", 3),
        ["01-01 00:00:20", "01-01 00:00:40", "01-01 01:00:00"]
    );
}

#[test]
fn a_tick_is_later_than_the_time_even_by_less_than_a_second() {
    let schedule = schedule("* * * * *", "UTC");
    assert_eq!(
        schedule.after(at("2026-01-01T00:00:59.999Z")),
        Some(at("2026-01-01T00:01:00Z"))
    );
    assert_eq!(
        schedule.after(at("2026-01-01T00:01:00.001Z")),
        Some(at("2026-01-01T00:02:00Z"))
    );
    assert_eq!(
        schedule.after(at("2026-01-01T00:01:00Z")),
        Some(at("2026-01-01T00:02:00Z"))
    );
}

#[test]
fn weekday_zero_and_seven_are_sunday() {
    // 2026-01-04 is a Sunday.
    for sunday in ["0", "7", "sun", "SUN", "5-7/2"] {
        let day = &utc(&format!("0 0 * * {sunday}"), "2026-01-03T12:00:00Z", 1)[0];
        assert_eq!(day, "01-04 00:00:00", "{sunday}");
    }
    assert_eq!(
        utc("0 0 * * 1-5", "2026-01-02T12:00:00Z", 1),
        ["01-05 00:00:00"],
        "Monday to Friday"
    );
    assert_eq!(utc("0 0 * * mon-wed", "2026-01-02T12:00:00Z", 1), ["01-05 00:00:00"]);
}

/// crontab(5): `30 4 1,15 * 5` runs on the 1st and 15th, and every Friday.
#[test]
fn a_day_and_a_weekday_are_alternatives() {
    assert_eq!(
        utc("30 4 1,15 * 5", "2026-01-01T00:00:00Z", 5),
        [
            "01-01 04:30:00",
            "01-02 04:30:00",
            "01-09 04:30:00",
            "01-15 04:30:00",
            "01-16 04:30:00"
        ]
    );
}

/// Both must match if one starts with a star, even `*/2`: Vixie looks at the first character.
#[test]
fn a_day_that_starts_with_a_star_restricts_the_weekday() {
    // Odd days that are Fridays.
    assert_eq!(
        utc("0 0 */2 * fri", "2026-01-01T00:00:00Z", 3),
        ["01-09 00:00:00", "01-23 00:00:00", "02-13 00:00:00"]
    );
}

#[test]
fn names_ranges_lists_and_steps_mix() {
    assert_eq!(
        utc("0 0 1 jan,Mar-may/2 *", "2026-01-01T00:00:00Z", 3),
        ["03-01 00:00:00", "05-01 00:00:00", "01-01 00:00:00"]
    );
    assert_eq!(
        utc("5-15/5,50 0 * * *", "2026-01-01T00:00:00Z", 4),
        ["01-01 00:05:00", "01-01 00:10:00", "01-01 00:15:00", "01-01 00:50:00"]
    );
}

#[test]
fn nicknames_are_crontab_s() {
    assert_eq!(utc("@hourly", "2026-01-01T00:30:00Z", 1), ["01-01 01:00:00"]);
    assert_eq!(utc("@daily", "2026-01-01T00:30:00Z", 1), ["01-02 00:00:00"]);
    assert_eq!(utc("@midnight", "2026-01-01T00:30:00Z", 1), ["01-02 00:00:00"]);
    assert_eq!(utc("@weekly", "2026-01-01T00:30:00Z", 1), ["01-04 00:00:00"]);
    assert_eq!(utc("@monthly", "2026-01-01T00:30:00Z", 1), ["02-01 00:00:00"]);
    assert_eq!(utc("@yearly", "2026-01-01T00:30:00Z", 1), ["01-01 00:00:00"]);
    assert!(refused("@reboot").message.contains("@reboot"));
    assert!(refused("@fortnightly").message.contains("@weekly"));
}

#[test]
fn leap_days_are_waited_for() {
    let schedule = schedule("0 0 29 2 *", "UTC");
    assert_eq!(
        schedule.after(at("2026-01-01T00:00:00Z")),
        Some(at("2028-02-29T00:00:00Z"))
    );
}

#[test]
fn errors_name_the_field_and_its_place() {
    for (expression, field, span) in [
        ("60 * * * *", "minute", 0..2),
        ("* 24 * * *", "hour", 2..4),
        ("* * 0 * *", "day of month", 4..5),
        ("* * * 13 *", "month", 6..8),
        ("* * * * 8", "day of week", 8..9),
        ("61 * * * * *", "second", 0..2),
        ("0 3 * * 1,x", "day of week", 10..11),
        ("0  3  *  *  fry", "day of week", 12..15),
        ("5/10 * * * *", "minute", 0..4),
        ("*/0 * * * *", "minute", 0..3),
        ("*/90 * * * *", "minute", 0..4),
        ("1, * * * *", "minute", 2..2),
        ("-1 * * * *", "minute", 0..2),
        ("+1 * * * *", "minute", 0..2),
        ("0 22-6 * * *", "hour", 2..6),
        ("0 0 ? * *", "day of month", 4..5),
        ("0 0 L * *", "day of month", 4..5),
        ("0 0 * * fri-sun", "day of week", 8..15),
    ] {
        let error = refused(expression);
        assert_eq!(
            (error.field, error.span),
            (Some(field), span),
            "{expression}: {}",
            error.message
        );
    }
    assert_eq!(
        refused("0 22-6 * * *").message,
        "the hour range runs backwards: write `22-23,0-6`"
    );
}

#[test]
fn the_number_of_fields_is_five_or_six() {
    for expression in ["", "* * * *", "* * * * * * *"] {
        assert_eq!(refused(expression).field, None);
    }
}

#[test]
fn a_day_that_never_comes_is_refused() {
    assert_eq!(refused("0 0 31 2,4 *").message, "no year has such a day");
    assert!(
        Schedule::parse("0 0 31 2 fri", Tz::UTC).is_ok(),
        "every Friday in February"
    );
}
