//! Which ticks are due, and when the next one is. Pure; `serve` sleeps and opens the rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use evenkeel_model::cron::Schedule;
use evenkeel_model::home::Home;
use evenkeel_model::name::RunbookName;
use evenkeel_model::runbook::{Missed, On, Runbook};

use crate::trigger::schedule_name;

/// Of `missed = "all"`, the latest so many ticks are made up for.
pub const MISSED_AT_MOST: usize = 1_000;

/// A tick that is found this late is not a missed one: the process was busy, not away.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// One `[[on]]` with a `cron`.
#[derive(Clone, Debug)]
pub struct Entry {
    pub runbook: Arc<Runbook>,
    pub schedule: Schedule,
    pub missed: Missed,
    /// Ticks up to here have had their round, or were passed over.
    pub seen: DateTime<Utc>,
}

impl Entry {
    /// The first and the last tick up to `now` that get no round, if `ticks` do.
    pub fn passed_over(&self, ticks: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let first = self.schedule.after(self.seen).filter(|tick| *tick <= now)?;
        let until = match ticks.first() {
            Some(taken) if *taken <= first => return None,
            Some(taken) => *taken - TimeDelta::nanoseconds(1),
            None => now,
        };
        Some((first, latest(&self.schedule, self.seen, until)?))
    }
}

/// A runbook, and its schedule as the journal names it.
pub type EntryKey = (RunbookName, String);

/// All schedules of a home, ordered by their next tick: a tick costs the logarithm of how many
/// there are, and never a look at all of them.
#[derive(Clone, Debug, Default)]
pub struct Book {
    entries: BTreeMap<EntryKey, Entry>,
    queue: BTreeSet<(DateTime<Utc>, EntryKey)>,
}

impl Book {
    /// The schedules of a home; `seen` says up to where each has been looked at.
    pub fn new(home: &Home, mut seen: impl FnMut(&EntryKey) -> DateTime<Utc>) -> Self {
        let mut book = Self::default();
        for (runbook, schedule, missed) in schedules(home) {
            let key = (runbook.name.clone(), schedule_name(schedule));
            let seen = seen(&key);
            let entry = Entry {
                runbook: Arc::clone(runbook),
                schedule: schedule.clone(),
                missed,
                seen,
            };
            // Two `[[on]]` that say the same are one schedule.
            if book.entries.insert(key.clone(), entry).is_none() {
                book.enqueue(key, seen);
            }
        }
        book
    }

    /// When the next tick of all is.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub fn seen(&self, key: &EntryKey) -> Option<DateTime<Utc>> {
        self.entries.get(key).map(|entry| entry.seen)
    }

    /// Takes out a schedule that has a tick at or before `now`, as it was before, with the ticks
    /// that are to have a round, oldest first. `since` is when this process began to look.
    pub fn pop_due(
        &mut self,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<(EntryKey, Entry, Vec<DateTime<Utc>>)> {
        self.queue.first().filter(|(at, _)| *at <= now)?;
        let (_, key) = self.queue.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        let before = entry.clone();
        entry.seen = now;
        let ticks = due(&before.schedule, before.missed, before.seen, since, now);
        self.enqueue(key.clone(), now);
        Some((key, before, ticks))
    }

    /// Its ticks could not get their rounds: they are due again.
    pub fn put_back(&mut self, key: &EntryKey, seen: DateTime<Utc>) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.seen = seen;
            self.queue.retain(|(_, queued)| queued != key);
            self.enqueue(key.clone(), seen);
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &EntryKey> {
        self.entries.keys()
    }

    fn enqueue(&mut self, key: EntryKey, after: DateTime<Utc>) {
        if let Some(next) = self.entries.get(&key).and_then(|entry| entry.schedule.after(after)) {
            self.queue.insert((next, key));
        }
    }
}

/// The schedules of a home, in the order of its runbooks.
pub fn schedules(home: &Home) -> impl Iterator<Item = (&Arc<Runbook>, &Schedule, Missed)> {
    home.runbooks.values().flat_map(|runbook| {
        runbook.on.iter().filter_map(move |on| match on {
            On::Cron { schedule, missed } => Some((runbook, schedule, *missed)),
            On::Alert { .. } => None,
        })
    })
}

/// The ticks after `seen` and up to `now` that are to have a round, oldest first.
///
/// `none` takes the latest, if it is less than a minute old and of the time since `since`, for
/// then nothing was missed; `last` takes the latest; `all` takes the latest 1,000.
pub fn due(
    schedule: &Schedule,
    missed: Missed,
    seen: DateTime<Utc>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let (after, most) = match missed {
        Missed::None => (seen.max(since).max(now - LATE), 1),
        Missed::Last => (seen, 1),
        Missed::All => (seen, MISSED_AT_MOST),
    };
    let mut ticks = Vec::new();
    let mut until = now;
    while ticks.len() < most {
        let Some(tick) = latest(schedule, after, until) else {
            break;
        };
        ticks.push(tick);
        until = tick - TimeDelta::nanoseconds(1);
    }
    ticks.reverse();
    ticks
}

/// The last tick in `(after, until]`: a bisection, for a schedule can only be asked what comes
/// next, and there may be millions of ticks in between.
fn latest(schedule: &Schedule, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = |time| schedule.after(time).filter(|tick| *tick <= until);
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

/// Halfway, in whole seconds: a schedule has no finer ones.
fn middle(from: DateTime<Utc>, to: DateTime<Utc>) -> DateTime<Utc> {
    let half = from + (to - from) / 2;
    half.duration_trunc(TimeDelta::seconds(1)).unwrap_or(from).max(from)
}
