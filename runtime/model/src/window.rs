//! Times in which runs wait, or nothing is changed: maintenance windows and freezes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::Grade;
use crate::asset::Asset;
use crate::cron::Schedule;
use crate::runbook::Selector;

/// Ticks of a window that may lie in one length of it; one that begins more often is always open.
const OVERLAPPING: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub struct Windows {
    pub maintenance: Vec<Maintenance>,
    pub freezes: Vec<Freeze>,
}

/// `[[maintenance]]`: somebody works on these assets, so alerts about them prove nothing.
#[derive(Clone, Debug)]
pub struct Maintenance {
    pub name: String,
    /// None: all assets.
    pub select: Option<Selector>,
    pub when: When,
    /// Runs of a schedule wait too. Otherwise they go on: they may be the maintenance.
    pub schedules_wait: bool,
}

#[derive(Clone, Debug)]
pub enum When {
    Once(Span),
    /// From each tick on, for so long.
    Each {
        schedule: Schedule,
        lasts: Duration,
    },
}

/// `[[freeze]]`: nothing is changed on these assets.
#[derive(Clone, Debug)]
pub struct Freeze {
    pub name: String,
    pub select: Option<Selector>,
    pub span: Span,
    /// Alerts of this grade and above are acted on all the same.
    pub except: Option<Grade>,
}

/// From its start until before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Span {
    /// When it ends, if it is now.
    pub fn open(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.from <= now && now < self.until).then_some(self.until)
    }
}

impl When {
    /// When it ends, if it is now. Windows that touch are one.
    pub fn open(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Once(span) => span.open(now),
            Self::Each { schedule, lasts } => {
                let lasts = TimeDelta::from_std(*lasts).ok()?;
                let mut tick = schedule.after(now.checked_sub_signed(lasts)?)?;
                (tick <= now).then_some(())?;
                for _ in 0..OVERLAPPING {
                    match schedule.after(tick) {
                        Some(next) if next <= tick + lasts => tick = next,
                        _ => break,
                    }
                }
                tick.checked_add_signed(lasts)
            }
        }
    }
}

impl Maintenance {
    pub fn covers(&self, asset: &Asset) -> bool {
        selects(self.select.as_ref(), asset)
    }
}

impl Freeze {
    pub fn covers(&self, asset: &Asset) -> bool {
        selects(self.select.as_ref(), asset)
    }
}

fn selects(select: Option<&Selector>, asset: &Asset) -> bool {
    select.is_none_or(|select| select.matches(&asset.selectable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn each(cron: &str, zone: chrono_tz::Tz, minutes: u64) -> When {
        When::Each {
            schedule: Schedule::parse(cron, zone).unwrap(),
            lasts: Duration::from_secs(minutes * 60),
        }
    }

    #[test]
    fn a_span_has_its_start_and_not_its_end() {
        let span = When::Once(Span {
            from: at("2026-12-24T00:00:00Z"),
            until: at("2026-12-27T00:00:00Z"),
        });
        assert_eq!(span.open(at("2026-12-23T23:59:59Z")), None);
        assert_eq!(span.open(at("2026-12-24T00:00:00Z")), Some(at("2026-12-27T00:00:00Z")));
        assert_eq!(span.open(at("2026-12-27T00:00:00Z")), None);
    }

    #[test]
    fn a_window_of_a_schedule_opens_at_its_ticks_in_its_zone() {
        let nightly = each("0 2 * * *", chrono_tz::Asia::Shanghai, 90);
        assert_eq!(nightly.open(at("2026-11-23T17:59:59Z")), None);
        assert_eq!(
            nightly.open(at("2026-11-23T18:00:00Z")),
            Some(at("2026-11-23T19:30:00Z"))
        );
        assert_eq!(
            nightly.open(at("2026-11-23T19:29:59Z")),
            Some(at("2026-11-23T19:30:00Z"))
        );
        assert_eq!(nightly.open(at("2026-11-23T19:30:00Z")), None);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let hours = each("0 8-9 * * *", chrono_tz::UTC, 60);
        assert_eq!(hours.open(at("2026-11-23T08:10:00Z")), Some(at("2026-11-23T10:00:00Z")));
    }
}
