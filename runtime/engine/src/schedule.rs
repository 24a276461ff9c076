//! Which ticks are due, and when the next one is. Pure; `keep` sleeps and opens the rounds.

mod book;
mod listing;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::cron::{Schedule, jitter};
use evenkeel_model::home::Home;
use evenkeel_model::name::RunbookName;
use evenkeel_model::runbook::{Missed, On, Runbook};
use serde::{Deserialize, Serialize};

use crate::port::gates::{Happening, Unstarted};
use crate::trigger::schedule_name;

pub use book::{Book, Popped};
pub use listing::{Filter, LastTick, ListError, Listed, Listing, Next, list};

/// Of `missed = "all"`, the latest so many ticks are made up for.
pub const MISSED_AT_MOST: usize = 1_000;

/// A tick that is found this late is not a missed one: the process was busy, not away.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// Ticks that were passed over are counted up to here.
const COUNTED: usize = 1_000;

/// A runbook, and its schedule as the journal names it.
pub type EntryKey = (RunbookName, String);

/// One `[[on]]` with a `cron`.
#[derive(Clone, Debug)]
pub struct Entry {
    pub runbook: Arc<Runbook>,
    pub schedule: Schedule,
    /// As the journal calls the schedule.
    pub name: String,
    pub missed: Missed,
    pub jitter: Duration,
    /// Ticks up to here have had their round, or were passed over.
    pub seen: DateTime<Utc>,
}

/// Ticks that got no round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The first and the last of them.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// At most 1,000; there may be more.
    pub count: u32,
    pub why: String,
}

impl Passed {
    /// As the record has it beside all else that started nothing.
    pub fn unstarted(&self, runbook: &RunbookName, schedule: &str) -> Unstarted {
        Unstarted {
            at: self.to,
            what: Happening::Ticks {
                runbook: runbook.clone(),
                schedule: schedule.to_owned(),
                first: self.from,
                last: self.to,
            },
            why: self.why.clone(),
        }
    }
}

/// What is to be done about a schedule now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To have a round, oldest first.
    pub ticks: Vec<DateTime<Utc>>,
    pub passed: Option<Passed>,
    /// Up to where all ticks have been seen to by this.
    pub until: DateTime<Utc>,
}

impl Entry {
    /// When the round of a tick is opened; `home` is what sets this home's delays apart.
    pub fn opens_at(&self, home: &str, tick: DateTime<Utc>) -> DateTime<Utc> {
        tick + jitter::delay(home, [self.runbook.name.as_str(), &self.name], tick, self.jitter)
    }

    pub fn key(&self) -> (&RunbookName, &str) {
        (&self.runbook.name, &self.name)
    }
}

/// The schedules of a home, in the order of its runbooks; none has been seen to since `seen`.
pub fn entries(home: &Home, seen: DateTime<Utc>) -> impl Iterator<Item = Entry> {
    home.runbooks.values().flat_map(move |runbook| {
        runbook.on.iter().filter_map(move |on| match on {
            On::Cron {
                schedule,
                missed,
                jitter,
            } => Some(Entry {
                runbook: Arc::clone(runbook),
                name: schedule_name(schedule),
                schedule: schedule.clone(),
                missed: *missed,
                jitter: *jitter,
                seen,
            }),
            On::Alert { .. } => None,
        })
    })
}

/// What is to be done about the ticks after `entry.seen` whose rounds are to be opened by `now`.
///
/// `none` takes the latest, if its round is late by less than a minute and was to be opened after
/// `since`, when this process began to look, for then nothing was missed; `last` takes the latest;
/// `all` takes the latest 1,000. The others are passed over.
pub fn due(entry: &Entry, home: &str, since: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    let until = ripe_until(entry, home, now);
    let first = entry.schedule.after(entry.seen).filter(|tick| *tick <= until);
    let Some(first) = first else {
        return Due {
            until,
            ..Due::default()
        };
    };
    let in_time = |tick| {
        let opens_at = entry.opens_at(home, tick);
        entry.missed != Missed::None || (opens_at > since && opens_at > now - LATE)
    };
    // As it mostly is, and costs the least.
    let is_alone = entry.schedule.after(first).is_none_or(|second| second > until);
    let ticks = match is_alone {
        true => vec![first],
        false => latest_ticks(entry, until),
    };
    let ticks: Vec<_> = ticks.into_iter().filter(|tick| in_time(*tick)).collect();
    let end = ticks
        .first()
        .map_or(until, |oldest| *oldest - TimeDelta::nanoseconds(1));
    Due {
        passed: (first <= end).then(|| passed(entry, first, end, since)),
        ticks,
        until,
    }
}

/// As many as `missed` makes up for, oldest first.
fn latest_ticks(entry: &Entry, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let most = match entry.missed {
        Missed::None | Missed::Last => 1,
        Missed::All => MISSED_AT_MOST,
    };
    let last = entry.schedule.latest(entry.seen, until);
    let earlier = |tick: &DateTime<Utc>| entry.schedule.latest(entry.seen, *tick - TimeDelta::nanoseconds(1));
    let mut ticks: Vec<_> = std::iter::successors(last, earlier).take(most).collect();
    ticks.reverse();
    ticks
}

/// Up to where the rounds of all ticks are to be opened by `now`: the next one's delay goes on.
fn ripe_until(entry: &Entry, home: &str, now: DateTime<Utc>) -> DateTime<Utc> {
    let mut until = now;
    if entry.jitter.is_zero() {
        return until;
    }
    while let Some(tick) = entry.schedule.latest(entry.seen, until) {
        if entry.opens_at(home, tick) <= now {
            break;
        }
        // The journal keeps microseconds.
        until = tick - TimeDelta::microseconds(1);
    }
    until
}

/// The ticks from `from` to `end`, which get no round.
fn passed(entry: &Entry, from: DateTime<Utc>, end: DateTime<Utc>, since: DateTime<Utc>) -> Passed {
    let rest = entry.schedule.ticks(from).take_while(|tick| *tick <= end);
    let count = 1 + rest.take(COUNTED - 1).count();
    let why = if from <= since {
        "no daemon kept the schedules then"
    } else {
        "it was noticed too late: the machine slept, the clock was set forward, or the journal could not be written"
    };
    let rule = match entry.missed {
        Missed::All => format!("`missed = \"all\"` makes up for the latest {MISSED_AT_MOST}"),
        missed => format!("`missed = \"{}\"`", missed.as_str()),
    };
    Passed {
        from,
        to: entry.schedule.latest(from, end).unwrap_or(from),
        count: u32::try_from(count).unwrap_or(u32::MAX),
        why: format!("{why}; {rule}"),
    }
}
