//! Schedules: five fields mean what crontab(5) says, six start with seconds.
//!
//! The `cron` crate reads the expression and walks the calendar. Its weekday numbers and its
//! treatment of day-of-month together with weekday are not crontab's, and it knows no rule
//! for daylight saving, so those are added here.

mod field;
pub mod jitter;

use std::ops::Range;
use std::str::FromStr as _;
use std::sync::Arc;

use chrono::{DateTime, Duration, DurationRound as _, NaiveDateTime, Offset as _, TimeZone as _, Timelike as _, Utc};
use chrono_tz::{GapInfo, Tz};

use self::field::{Field, FieldSpec};

/// A cron expression in a zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// As authored.
    pub expression: String,
    pub zone: Tz,
    /// Larger than all else of a schedule, of which there may be 100,000.
    calendar: Arc<Calendar>,
}

/// Ticks that a schedule's shortest distance is taken of.
const SAMPLE: usize = 32;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// `minute`, `day of week`, …; none: the expression as a whole.
    pub field: Option<&'static str>,
    /// Bytes in the expression.
    pub span: Range<usize>,
    pub message: String,
}

impl Schedule {
    /// Reads five or six fields, or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`,
    /// `@yearly`, `@annually`. An expression whose day never comes is an error.
    pub fn parse(expression: &str, zone: Tz) -> Result<Self, CronError> {
        let calendar = match expression.trim() {
            nickname if nickname.starts_with('@') => Calendar::parse(of_nickname(nickname, expression)?)?,
            _ => Calendar::parse(expression)?,
        };
        let schedule = Self {
            expression: expression.to_owned(),
            zone,
            calendar: Arc::new(calendar),
        };
        match schedule.after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(whole(expression, "no year has such a day".to_owned())),
        }
    }

    /// The same expression elsewhere.
    #[must_use]
    pub fn in_zone(self, zone: Tz) -> Self {
        Self { zone, ..self }
    }

    /// The first tick later than `time`; none: the calendar ends (in 2100).
    ///
    /// Daylight saving is Vixie's rule. A fixed time (neither the minute nor the hour starts with
    /// `*`) that does not exist runs right after the gap, and one that occurs twice runs the
    /// first time. Any other schedule just goes on in real time.
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let time = time.with_nanosecond(0)?;
        if self.calendar.wildcard {
            self.after_in_real_time(time)
        } else {
            self.after_on_the_clock(time)
        }
    }

    /// The last tick in `(after, until]`: a bisection, for a calendar can only be asked what comes
    /// next, and there may be millions of ticks in between.
    pub fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = |time| self.after(time).filter(|tick| *tick <= until);
        let mut found = next(after)?;
        // A tick lies in `(found, until]` exactly if `next(found)` is one; no tick is later than `bound`.
        let mut bound = until;
        while found < bound {
            let middle = middle(found, bound);
            match next(middle) {
                Some(tick) => found = tick,
                None if middle == found => break,
                None => bound = middle,
            }
        }
        Some(found)
    }

    /// The ticks later than `time`, in their order.
    pub fn ticks(&self, time: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.after(time), |tick| self.after(*tick))
    }

    /// The least time between two ticks, of the first few since 2026 began.
    pub fn shortest_gap(&self) -> Duration {
        let begin = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
        let ticks: Vec<_> = self.ticks(begin).take(SAMPLE).collect();
        let gaps = ticks.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.min().unwrap_or(Duration::MAX)
    }

    fn after_on_the_clock(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut local = self.zone.from_utc_datetime(&time.naive_utc()).naive_local();
        loop {
            local = self.calendar.next(local)?;
            let instant = self.first_instant(local)?;
            if instant > time {
                return Some(instant);
            }
        }
    }

    /// When a clock on the wall shows `local` for the first time, or, if it never does, jumps past it.
    fn first_instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&local).earliest() {
            Some(instant) => Some(instant.to_utc()),
            None => GapInfo::new(&local, &self.zone)?.end.map(|end| end.to_utc()),
        }
    }

    /// Goes from one change of the zone's offset to the next, so that an hour that occurs twice is
    /// seen twice.
    fn after_in_real_time(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = time;
        let mut local = from.naive_utc() + self.offset(from);
        loop {
            let instant = (self.calendar.next(local)? - self.offset(from)).and_utc();
            let Some(change) = self.offset_change(from, instant) else {
                return Some(instant);
            };
            from = change;
            local = from.naive_utc() + self.offset(from) - Duration::seconds(1);
        }
    }

    /// The first second in `(from, to]` with another offset than `from`.
    fn offset_change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = self.offset(from);
        let mut same = from;
        // No zone changes its offset twice within half a day.
        let mut other = loop {
            let probe = (same + Duration::hours(12)).min(to);
            if self.offset(probe) != before {
                break probe;
            }
            if probe == to {
                return None;
            }
            same = probe;
        };
        while other - same > Duration::seconds(1) {
            let middle = same + Duration::seconds((other - same).num_seconds() / 2);
            if self.offset(middle) == before {
                same = middle;
            } else {
                other = middle;
            }
        }
        Some(other)
    }

    fn offset(&self, time: DateTime<Utc>) -> Duration {
        let offset = self.zone.offset_from_utc_datetime(&time.naive_utc()).fix();
        Duration::seconds(offset.local_minus_utc().into())
    }
}

/// The days and times of a schedule, without a zone.
#[derive(Clone, Debug)]
struct Calendar {
    /// Whichever comes first: two if day-of-month and weekday are alternatives.
    either: Vec<cron::Schedule>,
    /// The minute or the hour starts with `*`.
    wildcard: bool,
}

impl Calendar {
    fn parse(expression: &str) -> Result<Self, CronError> {
        let words = words(expression);
        let (second, words) = match words.as_slice() {
            [second, words @ ..] if words.len() == 5 => (Field::parse(&FieldSpec::SECOND, *second)?, words),
            words if words.len() == 5 => (Field::zero(), words),
            words => return Err(whole(expression, how_many(words.len()))),
        };
        let minute = Field::parse(&FieldSpec::MINUTE, words[0])?;
        let hour = Field::parse(&FieldSpec::HOUR, words[1])?;
        let day = Field::parse(&FieldSpec::DAY_OF_MONTH, words[2])?;
        let month = Field::parse(&FieldSpec::MONTH, words[3])?;
        let weekday = Field::parse(&FieldSpec::DAY_OF_WEEK, words[4])?;

        let time = format!("{} {} {}", second.list(), minute.list(), hour.list());
        let read = |day: &str, weekday: &str| {
            let canonical = format!("{time} {day} {} {weekday}", month.list());
            cron::Schedule::from_str(&canonical).map_err(|error| whole(expression, error.to_string()))
        };
        // crontab(5): "If both fields are restricted (i.e., don't start with *), the command will
        // be run when either field matches the current time."
        let either = if day.starts_with_star || weekday.starts_with_star {
            vec![read(&day.list(), &weekday.weekdays())?]
        } else {
            vec![read(&day.list(), "*")?, read("*", &weekday.weekdays())?]
        };
        let wildcard = minute.starts_with_star || hour.starts_with_star;
        Ok(Self { either, wildcard })
    }

    /// The first match later than `local`.
    fn next(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let next = |schedule: &cron::Schedule| schedule.after(&local.and_utc()).next();
        self.either.iter().filter_map(next).min().map(|next| next.naive_utc())
    }
}

/// Halfway, in whole seconds: a schedule has no finer ones.
fn middle(from: DateTime<Utc>, to: DateTime<Utc>) -> DateTime<Utc> {
    let half = from + (to - from) / 2;
    half.duration_trunc(Duration::seconds(1)).unwrap_or(from).max(from)
}

/// A zone by its IANA name, or the name that was probably meant.
pub fn zone(name: &str) -> Result<Tz, Option<&'static str>> {
    Tz::from_str(name).map_err(|_| {
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |zone: &&str| {
            zone.rsplit('/')
                .next()
                .is_some_and(|city| city.eq_ignore_ascii_case(name))
        };
        names().find(city).or_else(|| crate::problem::closest(name, names()))
    })
}

fn of_nickname(nickname: &str, expression: &str) -> Result<&'static str, CronError> {
    Ok(match nickname {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@reboot" => {
            let why = "`@reboot` is no time, and a restart of the daemon starts nothing; `missed` says what follows \
                       when a tick fell into a time without a daemon";
            return Err(whole(expression, why.to_owned()));
        }
        _ => {
            let known = "`@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`";
            return Err(whole(expression, format!("there are {known}")));
        }
    })
}

/// Words with their place in the expression.
#[derive(Clone, Copy, Debug)]
struct Word<'t> {
    text: &'t str,
    start: usize,
}

fn words(expression: &str) -> Vec<Word<'_>> {
    let start = |word: &str| word.as_ptr().addr() - expression.as_ptr().addr();
    expression
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .map(|text| Word {
            text,
            start: start(text),
        })
        .collect()
}

fn how_many(fields: usize) -> String {
    format!(
        "a schedule has five fields (minute, hour, day of month, month, day of week) or six (second first), not {fields}"
    )
}

fn whole(expression: &str, message: String) -> CronError {
    CronError {
        field: None,
        span: 0..expression.len(),
        message,
    }
}

#[cfg(test)]
mod tests;
