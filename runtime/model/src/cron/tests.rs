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

// ---- daylight saving -------------------------------------------------------------------

#[test]
fn a_fixed_time_in_the_gap_runs_right_after_it() {
    // Berlin jumps from 02:00 to 03:00 on 2026-03-29.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30:00 +0100", "03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]
    );
    // Several that are missing are one, also with one that is due anyway.
    assert_eq!(
        ticks("0,15,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:59:00Z", 3),
        ["03-29 03:00:00 +0200", "03-29 03:15:00 +0200", "03-29 03:30:00 +0200"]
    );
}

#[test]
fn a_fixed_time_that_occurs_twice_runs_the_first_time() {
    // Berlin goes back from 03:00 to 02:00 on 2026-10-25.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", 2),
        ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]
    );
    // Asked within the second pass, it has been.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T01:05:00Z", 1),
        ["10-26 02:30:00 +0100"]
    );
}

#[test]
fn a_wildcard_schedule_goes_on_in_real_time() {
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
        [
            "03-29 01:30:00 +0100",
            "03-29 03:00:00 +0200",
            "03-29 03:30:00 +0200",
            "03-29 04:00:00 +0200"
        ]
    );
    assert_eq!(
        ticks("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
        [
            "10-25 02:00:00 +0200",
            "10-25 02:00:00 +0100",
            "10-25 03:00:00 +0100",
            "10-25 04:00:00 +0100"
        ]
    );
    // The minute is fixed, the hour starts with a star: nothing of the gap is made up for.
    assert_eq!(
        ticks("15 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", 2),
        ["03-29 00:15:00 +0100", "03-29 04:15:00 +0200"]
    );
    // The minute is a star in a fixed hour that does not exist: nothing runs.
    assert_eq!(
        ticks("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1),
        ["03-30 02:00:00 +0200"]
    );
}

#[test]
fn new_york_changes_at_two() {
    assert_eq!(
        ticks("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["03-08 03:00:00 -0400", "03-09 02:15:00 -0400"]
    );
    assert_eq!(
        ticks("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 2),
        ["11-01 01:30:00 -0400", "11-02 01:30:00 -0500"]
    );
    assert_eq!(
        ticks("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 3),
        ["11-01 01:30:00 -0400", "11-01 01:30:00 -0500", "11-01 02:30:00 -0500"]
    );
}

#[test]
fn lord_howe_changes_by_half_an_hour() {
    // 02:00 becomes 02:30 on 2026-10-04, and 02:00 becomes 01:30 on 2026-04-05.
    assert_eq!(
        ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["10-04 02:30:00 +1100", "10-05 02:15:00 +1100"]
    );
    assert_eq!(
        ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2),
        ["04-05 01:45:00 +1100", "04-06 01:45:00 +1030"]
    );
    assert_eq!(
        ticks("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00Z", 4),
        [
            "04-05 01:45:00 +1100",
            "04-05 01:30:00 +1030",
            "04-05 01:45:00 +1030",
            "04-05 02:00:00 +1030"
        ]
    );
}

#[test]
fn shanghai_has_no_change() {
    assert_eq!(
        ticks("30 3 * * *", "Asia/Shanghai", "2026-03-28T19:30:00Z", 2),
        ["03-30 03:30:00 +0800", "03-31 03:30:00 +0800"]
    );
}

#[test]
fn a_day_that_a_zone_skipped_whole_is_made_up_for() {
    assert_eq!(
        ticks("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", 2),
        ["12-31 00:00:00 +1400", "12-31 12:00:00 +1400"]
    );
}

#[test]
fn zones_are_found_by_name_or_suggested() {
    assert_eq!(super::zone("Asia/Shanghai"), Ok(Tz::Asia__Shanghai));
    assert_eq!(super::zone("Shanghai"), Err(Some("Asia/Shanghai")));
    assert_eq!(super::zone("Europe/Berln"), Err(Some("Europe/Berlin")));
    assert_eq!(super::zone("europe/berlin"), Err(Some("Europe/Berlin")));
    assert_eq!(super::zone("Middle-earth/Shire"), Err(None));
}

// ---- against a slow and obvious reading of the same rules ------------------------------

/// Each field as a list of what it admits, and whether it starts with a star.
#[derive(Clone, Debug)]
struct Plain {
    fields: [(Vec<u32>, bool); 5],
    text: String,
}

impl Plain {
    fn matches(&self, local: NaiveDateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.fields;
        let on_day = day.0.contains(&local.day());
        let on_weekday = weekday.0.contains(&local.weekday().num_days_from_sunday());
        let right_day = if day.1 || weekday.1 {
            on_day && on_weekday
        } else {
            on_day || on_weekday
        };
        local.second() == 0
            && minute.0.contains(&local.minute())
            && hour.0.contains(&local.hour())
            && month.0.contains(&local.month())
            && right_day
    }

    fn wildcard(&self) -> bool {
        self.fields[0].1 || self.fields[1].1
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = (String, Vec<u32>, bool)> {
    let star = (1..=(high - low).max(1)).prop_map(move |step| {
        let values = (low..=high).step_by(step as usize).collect();
        (
            if step == 1 { "*".to_owned() } else { format!("*/{step}") },
            values,
            true,
        )
    });
    let list = proptest::collection::vec((low..=high, low..=high), 1..3).prop_map(move |ranges| {
        let ranges = ranges.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect::<Vec<_>>();
        let text = ranges
            .iter()
            .map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
        let values = ranges.iter().flat_map(|(a, b)| *a..=*b).collect();
        (text.collect::<Vec<_>>().join(","), values, false)
    });
    prop_oneof![star, list]
}

fn plain() -> impl Strategy<Value = Plain> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).prop_map(|(a, b, c, d, e)| Plain {
        text: [&a, &b, &c, &d, &e].map(|field| field.0.as_str()).join(" "),
        fields: [a, b, c, d, e].map(|(_, values, star)| (values, star)),
    })
}

/// All ticks within the day after `from`, minute by minute.
fn slow(plain: &Plain, zone: Tz, from: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let minutes = |start: i64, end: i64| (start..=end).map(Duration::minutes);
    let mut ticks = if plain.wildcard() {
        let instants = minutes(1, 24 * 60).map(|minutes| from + minutes);
        instants
            .filter(|at| plain.matches(at.with_timezone(&zone).naive_local()))
            .collect::<Vec<_>>()
    } else {
        let start = from.naive_utc();
        let locals = minutes(-15 * 60, 40 * 60).map(|minutes| start + minutes);
        let instants = locals.filter(|local| plain.matches(*local)).map(|local| {
            let mut shown = local;
            loop {
                match zone.from_local_datetime(&shown).earliest() {
                    Some(instant) => break instant.to_utc(),
                    None => shown += Duration::minutes(1),
                }
            }
        });
        instants
            .filter(|at| *at > from && *at <= from + Duration::days(1))
            .collect()
    };
    ticks.sort();
    ticks.dedup();
    ticks
}

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

/// Half of the days are close to a change of Berlin, New York or Lord Howe.
fn day() -> impl Strategy<Value = NaiveDate> {
    let changes = vec![
        "2026-03-08",
        "2026-03-29",
        "2026-04-04",
        "2026-10-03",
        "2026-10-25",
        "2026-11-01",
    ];
    let near = (proptest::sample::select(changes), -1..=1i64)
        .prop_map(|(day, days)| day.parse::<NaiveDate>().unwrap() + Duration::days(days));
    let any = (0..3000i64).prop_map(|days| NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Duration::days(days));
    prop_oneof![near, any]
}

proptest! {
    #[test]
    fn ticks_are_those_of_a_slow_reading(
        plain in plain(),
        zone in proptest::sample::select(&ZONES[..]),
        day in day(),
        minute in 0..1440i64,
    ) {
        let zone = super::zone(zone).unwrap();
        let from = day.and_hms_opt(0, 0, 0).unwrap().and_utc() + Duration::minutes(minute);
        let Ok(schedule) = Schedule::parse(&plain.text, zone) else {
            // Only a day that never comes.
            prop_assert!(slow(&plain, zone, from).is_empty(), "{}", plain.text);
            return Ok(());
        };
        let mut time = from;
        let mut ticks = Vec::new();
        while let Some(tick) = schedule.after(time).filter(|tick| *tick <= from + Duration::days(1)) {
            prop_assert!(tick > time);
            ticks.push(tick);
            time = tick;
        }
        prop_assert_eq!(ticks, slow(&plain, zone, from), "{} in {} from {}", plain.text, zone, from);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[@a-z0-9*/, ?#\t-]{0,30}") {
        let _ = Schedule::parse(&text, Tz::UTC);
    }

    #[test]
    fn no_unicode_makes_it_panic(text in any::<String>()) {
        if let Err(error) = Schedule::parse(&text, Tz::UTC) {
            prop_assert!(text.get(error.span).is_some());
        }
        let _ = super::zone(&text);
    }
}
