//! A year of schedules by a simulated clock, tick by tick beside croniter and the system's zone data.

#![allow(clippy::disallowed_methods, reason = "the test starts the other implementation")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use evenkeel_engine::schedule::Book;
use evenkeel_model::cron::Schedule;
use evenkeel_model::runbook::{Missed, On};
use serde::Deserialize;
use serde_json::json;

use crate::world::home::{home, runbook, step};

const CRONITER: &str = "croniter==6.2.4";
const ORACLE: &str = include_str!("year/oracle.py");

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    // By half an hour.
    "Australia/Lord_Howe",
    "Asia/Shanghai",
    "America/St_Johns",
    // Four times a year or so, with the moon.
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Kathmandu",
    // At midnight.
    "America/Santiago",
];

/// Each is run in all zones.
const CHOSEN: [&str; 33] = [
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "0 * * * *",
    "*/45 */2 * * *",
    "*/30 2 * * *",
    "*/20 1,2,3 * * 0",
    "15 */3 * * *",
    "30 2 * * *",
    "0,15,30,45 2,3 * * *",
    "30 1 * * *",
    "45 1 * * *",
    "15 2 * * 0",
    "0 0 * * *",
    "30 0 * * *",
    "59 23 * * *",
    "0 3 1 * *",
    "0 0 31 * *",
    "30 4 1,15 * 5",
    "0 0 */2 * fri",
    "0 12 1-7 * 1",
    "0 12 */5 * */2",
    "0 6 * * 7",
    "0 6 * * 0",
    "0 6 * * 5-7",
    "0 6 * * mon-fri",
    "0 6 1 jan,MAR-may/2,12 *",
    "5-55/25 0-23/6 10-20 2-11/3 *",
    "15,45 30 2 * * *",
    "*/30 0 3 * * 6",
    "30 59 1 28-31 * *",
];
/// Each in one zone.
const RANDOM: usize = 400;
/// A random schedule with more ticks than about so many a year takes the other implementation too long.
const DENSEST: f64 = 2_000.0;

#[derive(Deserialize)]
struct Answer {
    version: String,
    changes: BTreeMap<String, Vec<(i64, i32)>>,
    ticks: Vec<Vec<i64>>,
    on_days_of_change: usize,
}

#[test]
fn a_year_in_many_zones_is_that_of_another_implementation() {
    let begin = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    let end = Utc.with_ymd_and_hms(2027, 1, 1, 0, 0, 0).unwrap();
    let schedules = schedules();
    let ours = ours(&schedules, begin, end);
    let theirs = theirs(&schedules, begin, end);

    let known = |zone: &str| theirs.changes[zone] == changes(zone, begin, end);
    let same: BTreeSet<_> = ZONES.into_iter().filter(|zone| known(zone)).collect();
    let mut compared = 0;
    for (n, (expression, zone)) in schedules.iter().enumerate() {
        if same.contains(zone) {
            let differ = ours[n]
                .iter()
                .zip(&theirs.ticks[n])
                .find(|(ours, theirs)| ours != theirs);
            let told = differ.map(|(ours, theirs)| [shown(*ours, zone), shown(*theirs, zone)]);
            let counts = (ours[n].len(), theirs.ticks[n].len());
            assert!(
                told.is_none() && counts.0 == counts.1,
                "`{expression}` in {zone}: {told:?}, {counts:?} ticks"
            );
            compared += counts.0;
        }
    }
    println!(
        "{compared} ticks of {} schedules are the same; about {} of them are within a day of a change of clocks; zone data {} here, \
         {} in the system; {} of {} zones differ in them and were left out",
        schedules.len(),
        theirs.on_days_of_change,
        chrono_tz::IANA_TZDB_VERSION,
        theirs.version,
        ZONES.len() - same.len(),
        ZONES.len(),
    );
    assert!(
        same.len() + 2 >= ZONES.len(),
        "too few zones are the same in both zone data ({} here, {} in the system): {same:?}",
        chrono_tz::IANA_TZDB_VERSION,
        theirs.version
    );
    assert!(theirs.on_days_of_change > 1_000, "{}", theirs.on_days_of_change);
}

fn shown(seconds: i64, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap();
    let local = DateTime::from_timestamp(seconds, 0).unwrap().with_timezone(&zone);
    local.to_rfc3339()
}

// ---- evenkeel ----------------------------------------------------------------------------

/// What a daemon would open rounds for that looks at its clock whenever the book says so.
fn ours(schedules: &[(String, &str)], begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Vec<i64>> {
    let books = schedules.iter().enumerate().map(|(n, (expression, zone))| {
        let mut book = runbook(&n.to_string(), vec![step("look")]);
        let schedule = Schedule::parse(expression, zone.parse().unwrap());
        book.on.push(On::Cron {
            schedule: schedule.unwrap_or_else(|error| panic!("`{expression}`: {error}")),
            missed: Missed::None,
            jitter: Default::default(),
        });
        book
    });
    let home = home(books.collect());
    let mut book = Book::new(&home, "", begin, |_| begin);
    let mut opened = vec![Vec::new(); schedules.len()];
    while let Some(next) = book.next().filter(|next| *next <= end) {
        // A timer is never early, and a little late.
        while let Some(popped) = book.pop_due(next + TimeDelta::milliseconds(3)) {
            assert_eq!(popped.due.passed, None, "{}", popped.name);
            let ticks = popped.due.ticks.iter().map(DateTime::timestamp);
            opened[popped.runbook.name.as_str().parse::<usize>().unwrap()].extend(ticks);
        }
    }
    opened
}

/// Each offset of a zone, from its first second on.
fn changes(zone: &str, begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<(i64, i32)> {
    let zone: Tz = zone.parse().unwrap();
    let offset = |seconds: i64| {
        let at = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
        zone.offset_from_utc_datetime(&at).fix().local_minus_utc()
    };
    let days = 4 * 86_400;
    let first = begin.timestamp() - days;
    let mut found = vec![(first, offset(first))];
    for hour in (first..=end.timestamp() + days).step_by(3_600).skip(1) {
        if offset(hour) != found[found.len() - 1].1 {
            let second = (hour - 3_599..=hour)
                .find(|second| offset(*second) == offset(hour))
                .unwrap();
            found.push((second, offset(hour)));
        }
    }
    found
}

// ---- the other one -----------------------------------------------------------------------

/// It is slow: each half is asked of a process of its own.
fn theirs(schedules: &[(String, &str)], begin: DateTime<Utc>, end: DateTime<Utc>) -> Answer {
    let croniter = croniter();
    let (first, second) = schedules.split_at(schedules.len() / 2);
    let (mut both, more) = thread::scope(|scope| {
        let second = scope.spawn(|| asked(&croniter, second, begin, end));
        (asked(&croniter, first, begin, end), second.join().unwrap())
    });
    both.ticks.extend(more.ticks);
    both.changes.extend(more.changes);
    both.on_days_of_change += more.on_days_of_change;
    both
}

fn asked(croniter: &Path, schedules: &[(String, &str)], begin: DateTime<Utc>, end: DateTime<Utc>) -> Answer {
    let asked = json!({ "from": begin.timestamp(), "to": end.timestamp(), "schedules": schedules });
    let mut python = Command::new(croniter.join("bin/python"))
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(asked.to_string().as_bytes())
        .unwrap();
    let said = python.wait_with_output().unwrap();
    assert!(
        said.status.success(),
        "the other implementation failed; its words are above"
    );
    serde_json::from_slice(&said.stdout).unwrap()
}

/// A virtual environment under `target/`, made once.
fn croniter() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(CRONITER.replace("==", "-"));
    if !made.exists() {
        let fresh = made.with_extension(std::process::id().to_string());
        run(Command::new("python3").arg("-m").arg("venv").arg(&fresh));
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "2",
            CRONITER,
        ];
        run(Command::new(fresh.join("bin/python")).args(pip));
        // Another run of the tests may have been faster.
        if std::fs::rename(&fresh, &made).is_err() {
            assert!(made.exists(), "{} can't be made", made.display());
            std::fs::remove_dir_all(&fresh).unwrap();
        }
    }
    made
}

fn run(command: &mut Command) {
    let done = command.status().is_ok_and(|status| status.success());
    assert!(
        done,
        "this test compares with {CRONITER}: install Python 3.9 or newer with `venv` and `pip` (on Debian: \
         python3-venv) and let it reach a package index; {command:?} failed"
    );
}

// ---- schedules ---------------------------------------------------------------------------

fn schedules() -> Vec<(String, &'static str)> {
    let mut all: Vec<(String, &str)> = Vec::new();
    for expression in CHOSEN {
        all.extend(ZONES.map(|zone| (expression.to_owned(), zone)));
    }
    // Every minute takes the other implementation too long for more than one zone.
    all.push(("*/5 * * * *".to_owned(), "Europe/Berlin"));
    let mut random = Random(0x5eed_2026);
    while all.len() < CHOSEN.len() * ZONES.len() + 1 + RANDOM {
        let (expression, share) = random.expression();
        // Some days never come.
        if share * 525_600.0 <= DENSEST && Schedule::parse(&expression, Tz::UTC).is_ok() {
            all.push((expression, ZONES[all.len() % ZONES.len()]));
        }
    }
    all
}

/// The same each time.
struct Random(u64);

impl Random {
    /// Below `most` (xorshift64*).
    fn below(&mut self, most: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((bits * u64::from(most)) >> 32) as u32
    }

    /// With the share of all minutes that it takes, about.
    fn expression(&mut self) -> (String, f64) {
        let (minute, minutes) = self.field(0, 59, 30);
        let (hour, hours) = self.field(0, 23, 20);
        let (day, days) = self.field(1, 31, 50);
        let (month, months) = self.field(1, 12, 50);
        let (weekday, weekdays) = self.field(0, 6, 50);
        let both = day.starts_with('*') || weekday.starts_with('*');
        let days = if both { days * weekdays } else { days + weekdays };
        let text = [minute, hour, day, month, weekday].join(" ");
        (text, minutes * hours * days * months)
    }

    /// A star in so many of a hundred, with a step or without.
    fn field(&mut self, low: u32, high: u32, stars: u32) -> (String, f64) {
        let all = f64::from(high - low + 1);
        if self.below(100) < stars {
            let step = 1 + self.below(2) * self.below((high - low).min(20));
            let text = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
            return (text, 1.0 / f64::from(step));
        }
        let mut items = Vec::new();
        let mut values = 0.0;
        for _ in 0..=self.below(3) {
            let first = low + self.below(high - low + 1);
            let last = first + self.below(high - first + 1);
            let step = 1 + self.below(4);
            let (item, count) = match self.below(4) {
                0 if last > first => (format!("{first}-{last}/{step}"), (last - first) / step + 1),
                1 if last > first => (format!("{first}-{last}"), last - first + 1),
                _ => (first.to_string(), 1),
            };
            items.push(item);
            values += f64::from(count);
        }
        (items.join(","), (values / all).min(1.0))
    }
}
