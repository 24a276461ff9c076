//! Keeps the schedules of a home: sleeps until a tick is due, and opens its round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel_model::home::Home;
use tokio::sync::watch;
use tracing::{error, info};

use crate::engine::Engine;
use crate::port::{JournalError, Noted};
use crate::schedule::{Book, EntryKey, Popped, entries};
use crate::serve::{TRY_AGAIN, stopped};
use crate::trigger::{self, Start};

/// The wall clock may be set while the daemon sleeps, and a machine may sleep without its timers
/// noticing: the clock is looked at this often. Less than the minute after which a tick is a
/// missed one.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Rounds in one transaction, and runs in them, unless a single round has more.
const ROUNDS: usize = 256;
const RUNS: usize = 2_000;

/// Notes in one transaction, when a home comes with many schedules at once.
const NOTES: usize = 10_000;

impl Engine {
    pub(crate) async fn keep_schedules(self: &Arc<Self>, since: DateTime<Utc>, mut shutdown: watch::Receiver<bool>) {
        let clock = Arc::clone(&self.ports.clock);
        let mut homes = self.watch_home();
        let mut home = Arc::clone(&homes.borrow_and_update());
        let Some(mut book) = self.open_book(&home, since, &mut shutdown).await else {
            return;
        };
        loop {
            let nap = match self.open_due(&mut book, &home, clock.now()).await {
                Ok(()) => until(book.next(), clock.now()),
                Err(cause) => {
                    error!(%cause, "schedules' rounds can't be opened for the moment");
                    TRY_AGAIN
                }
            };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = homes.changed() => {
                    if changed.is_err() { return }
                    home = Arc::clone(&homes.borrow_and_update());
                    book = self.turn_page(&book, &home).await;
                }
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    /// The schedules as the journal remembers them; one that it has never seen begins now.
    async fn open_book(&self, home: &Home, now: DateTime<Utc>, shutdown: &mut watch::Receiver<bool>) -> Option<Book> {
        loop {
            match self.remembered(home, now).await {
                Ok(book) => return Some(book),
                Err(cause) => error!(%cause, "the schedules can't be read for the moment"),
            }
            tokio::select! {
                () = tokio::time::sleep(TRY_AGAIN) => {}
                () = stopped(shutdown) => return None,
            }
        }
    }

    async fn remembered(&self, home: &Home, now: DateTime<Utc>) -> Result<Book, JournalError> {
        let journal = &self.ports.journal;
        if entries(home, now).next().is_none() {
            return Ok(Book::new(home, &journal.word_of_home(), now, |_| now));
        }
        let mut seen: BTreeMap<EntryKey, DateTime<Utc>> = BTreeMap::new();
        for known in journal.schedules().await? {
            seen.insert((known.runbook, known.schedule), known.seen);
        }
        let mut fresh = Vec::new();
        let book = Book::new(home, &journal.word_of_home(), now, |entry| {
            let key = (entry.runbook.name.clone(), entry.name.clone());
            seen.get(&key).copied().unwrap_or_else(|| {
                fresh.push(key);
                now
            })
        });
        self.note_fresh(fresh, now).await?;
        Ok(book)
    }

    /// The schedules of a changed home. One that was not in the home before begins now: it missed
    /// nothing while this process ran.
    async fn turn_page(&self, before: &Book, home: &Home) -> Book {
        let now = self.ports.clock.now();
        let (book, fresh) = before.turn_page(home, now);
        if let Err(cause) = self.note_fresh(fresh, now).await {
            error!(%cause, "new schedules could not be noted");
        }
        book
    }

    async fn note_fresh(&self, fresh: Vec<EntryKey>, now: DateTime<Utc>) -> Result<(), JournalError> {
        for some in fresh.chunks(NOTES) {
            let notes = some.iter().map(|(runbook, schedule)| Noted {
                runbook: runbook.clone(),
                schedule: schedule.clone(),
                seen: now,
                passed: None,
            });
            self.ports.journal.open_ticks(Vec::new(), notes.collect(), now).await?;
        }
        Ok(())
    }

    /// Opens the rounds of all that is due by `now`, several in a transaction. What can't be
    /// opened is due again.
    async fn open_due(
        self: &Arc<Self>,
        book: &mut Book,
        home: &Arc<Home>,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        let mut batch = Vec::new();
        let mut rounds = 0;
        while !*self.draining.borrow() {
            let popped = book.pop_due(now);
            let over = popped.is_none();
            rounds += popped.as_ref().map_or(0, |popped| popped.due.ticks.len());
            batch.extend(popped);
            if over || rounds >= ROUNDS || batch.len() >= ROUNDS {
                let opened = self.open_batch(&batch, home).await;
                if opened.is_err() {
                    batch.iter().for_each(|popped| book.put_back(popped));
                    return opened;
                }
                batch.clear();
                rounds = 0;
            }
            if over {
                return Ok(());
            }
        }
        batch.iter().for_each(|popped| book.put_back(popped));
        Ok(())
    }

    /// In as many transactions as they need. Each notes the ticks that it opens rounds for; the
    /// last one notes up to where all have been seen to.
    async fn open_batch(self: &Arc<Self>, batch: &[Popped], home: &Arc<Home>) -> Result<(), JournalError> {
        let mut starts = Vec::new();
        let mut runs = 0;
        for popped in batch {
            for at in &popped.due.ticks {
                let start = trigger::from_tick(&popped.runbook, &popped.schedule, *at, home);
                let more = start.round.targets.len();
                if !starts.is_empty() && (starts.len() >= ROUNDS || runs + more > RUNS) {
                    self.open_noted(std::mem::take(&mut starts), Vec::new(), home).await?;
                    runs = 0;
                }
                runs += more;
                starts.push(start);
            }
        }
        let notes = batch.iter().map(|popped| Noted {
            runbook: popped.runbook.name.clone(),
            schedule: popped.name.clone(),
            seen: popped.due.until,
            passed: popped.due.passed.clone(),
        });
        let notes: Vec<_> = notes.collect();
        if notes.is_empty() {
            return Ok(());
        }
        self.open_noted(starts, notes, home).await
    }

    async fn open_noted(
        self: &Arc<Self>,
        starts: Vec<Start>,
        notes: Vec<Noted>,
        home: &Arc<Home>,
    ) -> Result<(), JournalError> {
        for note in notes.iter().filter(|note| note.passed.is_some()) {
            let passed = note.passed.as_ref().map(|passed| (passed.count, &passed.why));
            info!(runbook = %note.runbook, schedule = note.schedule, ?passed, "ticks were passed over");
        }
        self.open_ticks(starts, notes, home).await
    }
}

/// How long to sleep before the clock is looked at again.
fn until(next: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    let left = next.map_or(LOOK_EVERY, |next| (next - now).to_std().unwrap_or_default());
    left.min(LOOK_EVERY)
}
