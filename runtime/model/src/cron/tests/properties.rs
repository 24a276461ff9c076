//! Against a slow and obvious reading of the same rules.

use super::*;

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
