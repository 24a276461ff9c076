//! The calendar in UTC, for all times that Prometheus counts, however far.

/// A time's parts; the proleptic Gregorian calendar, with a year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    /// Days since 1970.
    days: i64,
    second: i64,
}

impl Date {
    /// Of whole seconds since 1970.
    pub fn at(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        // Days and years since 1 March of year 0, in eras of 400 years.
        let shifted = days + 719_468;
        let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        Self {
            year: era * 400 + year + i64::from(month >= 10),
            month: if month < 10 { month + 3 } else { month - 9 },
            day: day - (153 * month + 2) / 5 + 1,
            days,
            second: seconds.rem_euclid(86_400),
        }
    }

    pub fn hour(&self) -> i64 {
        self.second / 3600
    }

    pub fn minute(&self) -> i64 {
        self.second / 60 % 60
    }

    /// 0 is Sunday.
    pub fn weekday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    pub fn day_of_year(&self) -> i64 {
        (1..self.month).map(|month| days_in(self.year, month)).sum::<i64>() + self.day
    }

    pub fn days_in_month(&self) -> i64 {
        days_in(self.year, self.month)
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike as _, Timelike as _};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(seconds in -8_000_000_000_000_i64..8_000_000_000_000) {
            let (date, known) = (Date::at(seconds), DateTime::from_timestamp(seconds, 0).unwrap());
            prop_assert_eq!(date.year, i64::from(known.year()));
            let parts = [date.month, date.day, date.hour(), date.minute(), date.weekday(), date.day_of_year(), date.days_in_month()];
            let known = [known.month(), known.day(), known.hour(), known.minute(), known.weekday().num_days_from_sunday(), known.ordinal(), u32::from(known.num_days_in_month())];
            prop_assert_eq!(parts, known.map(i64::from));
        }

        #[test]
        fn no_time_is_too_far(seconds in any::<i64>()) {
            let date = Date::at(seconds);
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
        }
    }
}
