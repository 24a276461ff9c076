//! All schedules of a home, in the order of what comes next.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::cron::Schedule;
use evenkeel_model::home::Home;
use evenkeel_model::runbook::Runbook;

use super::{Due, Entry, EntryKey, due, entries};

/// All schedules of a home, ordered by when their next rounds are to be opened: a tick costs the
/// logarithm of how many there are, and never a look at all of them. Only a clock that is set back
/// makes it look at each.
#[derive(Clone, Debug)]
pub struct Book {
    /// By key.
    lines: Vec<Line>,
    queue: BTreeSet<(DateTime<Utc>, usize)>,
    /// What sets the delays of this home apart from another's.
    home: String,
    /// When this process began to look.
    since: DateTime<Utc>,
    /// The latest time that the clock has said.
    latest: DateTime<Utc>,
}

#[derive(Clone, Debug)]
struct Line {
    entry: Entry,
    /// The first tick after what has been seen to, and when its round is to be opened.
    next: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// A schedule that has something to do now.
#[derive(Clone, Debug)]
pub struct Popped {
    pub runbook: Arc<Runbook>,
    pub schedule: Schedule,
    /// As the journal calls it.
    pub name: String,
    pub due: Due,
    line: usize,
    /// Up to where it had been seen to before.
    before: DateTime<Utc>,
}

impl Book {
    /// The schedules of a home; `seen` says up to where each has been seen to. `word` is the home's
    /// own (see [`Entry::opens_at`]).
    pub fn new(home: &Home, word: &str, now: DateTime<Utc>, mut seen: impl FnMut(&Entry) -> DateTime<Utc>) -> Self {
        let mut all: Vec<_> = entries(home, now).collect();
        all.sort_by(|a, b| a.key().cmp(&b.key()));
        // Two `[[on]]` that say the same are one schedule.
        all.dedup_by(|a, b| a.key() == b.key());
        let mut book = Self {
            lines: Vec::with_capacity(all.len()),
            queue: BTreeSet::new(),
            home: word.to_owned(),
            since: now,
            latest: now,
        };
        for (at, mut entry) in all.into_iter().enumerate() {
            // A clock that was wrong once must not keep a schedule still until then.
            entry.seen = seen(&entry).min(now);
            book.lines.push(Line { entry, next: None });
            book.enqueue(at, None);
        }
        book
    }

    /// The same for a home that was changed while this process looked. What was not in it before
    /// begins now, and is named.
    pub fn turn_page(&self, home: &Home, now: DateTime<Utc>) -> (Self, Vec<EntryKey>) {
        let mut fresh = Vec::new();
        let mut book = Self::new(home, &self.home, now, |entry| {
            self.seen(entry.key().0.as_str(), &entry.name).unwrap_or_else(|| {
                fresh.push((entry.runbook.name.clone(), entry.name.clone()));
                now
            })
        });
        book.since = self.since.min(now);
        (book, fresh)
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// When the next round of all is to be opened.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub fn seen(&self, runbook: &str, name: &str) -> Option<DateTime<Utc>> {
        let found = self.lines.binary_search_by(|line| {
            (line.entry.runbook.name.as_str(), line.entry.name.as_str()).cmp(&(runbook, name))
        });
        found.ok().map(|at| self.lines[at].entry.seen)
    }

    /// A schedule that has something to do by `now`; what it is to do counts as done.
    ///
    /// A clock that was set back shows times anew that have been seen to. They are seen to again,
    /// or else nothing would run until the clock is where it was; that a tick had its round is
    /// known by its occurrence.
    pub fn pop_due(&mut self, now: DateTime<Utc>) -> Option<Popped> {
        if now < self.latest {
            self.set_back(now);
        }
        self.latest = now;
        self.queue.first().filter(|(at, _)| *at <= now)?;
        let (_, at) = self.queue.pop_first()?;
        let line = &self.lines[at];
        let (tick, _) = line.next?;
        let second = line.entry.schedule.after(tick);
        let due = due(&line.entry, &self.home, self.since, now);
        let popped = Popped {
            runbook: Arc::clone(&line.entry.runbook),
            schedule: line.entry.schedule.clone(),
            name: line.entry.name.clone(),
            line: at,
            before: line.entry.seen,
            due,
        };
        self.lines[at].entry.seen = popped.due.until;
        self.enqueue(at, second.filter(|second| *second > popped.due.until));
        Some(popped)
    }

    /// Its rounds could not be opened: all that it was to do is due again.
    pub fn put_back(&mut self, popped: &Popped) {
        let line = &mut self.lines[popped.line];
        line.entry.seen = line.entry.seen.min(popped.before);
        self.enqueue(popped.line, None);
    }

    fn set_back(&mut self, now: DateTime<Utc>) {
        self.since = self.since.min(now);
        for at in 0..self.lines.len() {
            if self.lines[at].entry.seen > now {
                self.lines[at].entry.seen = now;
                self.enqueue(at, None);
            }
        }
    }

    /// Puts a line where its next tick is, which may be known.
    fn enqueue(&mut self, at: usize, next: Option<DateTime<Utc>>) {
        let line = &mut self.lines[at];
        if let Some((_, opens_at)) = line.next {
            self.queue.remove(&(opens_at, at));
        }
        let tick = next.or_else(|| line.entry.schedule.after(line.entry.seen));
        line.next = tick.map(|tick| (tick, line.entry.opens_at(&self.home, tick)));
        if let Some((_, opens_at)) = line.next {
            self.queue.insert((opens_at, at));
        }
    }
}
