//! Places among a runbook's targets that are worked on at once, over all of its rounds.
//!
//! *Invariant:* while there is a free place and somebody waits for it, somebody has been told: who
//! takes a place, gives one back, or stops waiting tells the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_model::home::Home;
use evenkeel_model::name::{RunId, RunbookName};
use evenkeel_model::runbook::{Batch, Runbook};
use tokio::sync::Notify;

use crate::gate::fleet;
use crate::trigger;

#[derive(Default)]
pub(crate) struct Berths {
    books: Mutex<BTreeMap<RunbookName, Book>>,
    /// Targets that each runbook selects in a home, counted once.
    sizes: Mutex<Option<Sizes>>,
}

struct Sizes {
    home: Arc<Home>,
    targets: BTreeMap<RunbookName, usize>,
}

#[derive(Default)]
struct Book {
    most: usize,
    at_work: BTreeSet<RunId>,
    /// The earliest is told first.
    waiting: BTreeMap<RunId, Arc<Notify>>,
}

impl Book {
    fn tell_next(&self) {
        let free = self.most.saturating_sub(self.at_work.len());
        self.waiting.values().take(free).for_each(|next| next.notify_one());
    }
}

impl Berths {
    /// How many may be at work at once.
    pub(crate) fn most(&self, runbook: &Runbook, home: &Arc<Home>) -> usize {
        // There is one run a target at most.
        if runbook.limits.fleet == Batch::All {
            return usize::MAX;
        }
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let of = || Sizes {
            home: Arc::clone(home),
            targets: BTreeMap::new(),
        };
        let sizes = sizes.get_or_insert_with(of);
        if !Arc::ptr_eq(&sizes.home, home) {
            *sizes = of();
        }
        let targets = sizes
            .targets
            .entry(runbook.name.clone())
            .or_insert_with(|| trigger::selected(runbook, home).len());
        fleet::most(runbook.limits.fleet, *targets)
    }

    /// How many are at work, if there can't be one more.
    pub(crate) fn full(&self, runbook: &Runbook, home: &Arc<Home>) -> Option<usize> {
        let most = self.most(runbook, home);
        let mut books = self.books();
        let book = books.entry(runbook.name.clone()).or_default();
        // Who waits is told by that.
        book.most = most;
        (book.at_work.len() >= most).then_some(most)
    }

    /// None: there is none. A run that was left takes up again what stayed its own.
    pub(crate) fn take(self: &Arc<Self>, runbook: &RunbookName, run: RunId, most: usize) -> Option<Berth> {
        let mut books = self.books();
        let book = books.entry(runbook.clone()).or_default();
        book.most = most;
        if book.at_work.len() >= most && !book.at_work.contains(&run) {
            return None;
        }
        book.at_work.insert(run);
        book.waiting.remove(&run);
        book.tell_next();
        drop(books);
        Some(self.berth(runbook, run))
    }

    /// For a run that had started: whether there is a place or not.
    pub(crate) fn retake(self: &Arc<Self>, runbook: &RunbookName, run: RunId) -> Berth {
        self.books().entry(runbook.clone()).or_default().at_work.insert(run);
        self.berth(runbook, run)
    }

    fn berth(self: &Arc<Self>, runbook: &RunbookName, run: RunId) -> Berth {
        Berth {
            berths: Arc::clone(self),
            runbook: runbook.clone(),
            run,
            kept: false,
        }
    }

    /// A place in the queue, until it is dropped.
    pub(crate) fn queue(self: &Arc<Self>, runbook: &RunbookName, run: RunId) -> Queued {
        let mut books = self.books();
        let book = books.entry(runbook.clone()).or_default();
        let told = Arc::clone(book.waiting.entry(run).or_default());
        // One may have been freed since it was asked for.
        book.tell_next();
        drop(books);
        Queued {
            berths: Arc::clone(self),
            runbook: runbook.clone(),
            run,
            told,
        }
    }

    /// Frees what runs hold that are over, and whose end came from elsewhere than their tasks.
    pub(crate) fn free(&self, is_over: impl Fn(RunId) -> bool) {
        for book in self.books().values_mut() {
            book.at_work.retain(|run| !is_over(*run));
            book.tell_next();
        }
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<RunbookName, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Free again when it goes, unless its run is only left.
pub(crate) struct Berth {
    berths: Arc<Berths>,
    runbook: RunbookName,
    run: RunId,
    pub(crate) kept: bool,
}

impl Drop for Berth {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Some(book) = self.berths.books().get_mut(&self.runbook) {
            book.at_work.remove(&self.run);
            book.tell_next();
        }
    }
}

pub(crate) struct Queued {
    berths: Arc<Berths>,
    runbook: RunbookName,
    run: RunId,
    told: Arc<Notify>,
}

impl Queued {
    /// Ends when there may be a place.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(book) = self.berths.books().get_mut(&self.runbook) {
            book.waiting.remove(&self.run);
            book.tell_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn take(berths: &Arc<Berths>, run: u64) -> Option<Berth> {
        berths.take(&"fix".into(), RunId(run), 2)
    }

    #[test]
    fn there_are_never_more_than_allowed() {
        let berths = Arc::new(Berths::default());
        let (first, second) = (take(&berths, 1), take(&berths, 2));
        assert!(first.is_some() && second.is_some() && take(&berths, 3).is_none());
        assert!(
            berths.take(&"other".into(), RunId(3), 2).is_some(),
            "of another runbook"
        );
        drop(first);
        assert!(take(&berths, 3).is_some());
    }

    #[test]
    fn the_earliest_is_told_and_who_goes_away_tells_the_next() {
        let berths = Arc::new(Berths::default());
        let (first, _second) = (take(&berths, 1), take(&berths, 2));
        let (late, early) = (
            berths.queue(&"fix".into(), RunId(9)),
            berths.queue(&"fix".into(), RunId(8)),
        );
        assert_eq!(early.told().now_or_never(), None);
        drop(first);
        assert!(early.told().now_or_never().is_some());
        assert_eq!(late.told().now_or_never(), None);
        // It was cancelled, and never took the place that it was told of.
        drop(early);
        assert!(late.told().now_or_never().is_some());
    }

    #[test]
    fn who_comes_late_is_told_of_what_was_freed_before() {
        let berths = Arc::new(Berths::default());
        let held: Vec<_> = (1..=2).map(|run| take(&berths, run)).collect();
        assert!(take(&berths, 3).is_none());
        drop(held);
        assert!(berths.queue(&"fix".into(), RunId(3)).told().now_or_never().is_some());
    }

    #[test]
    fn a_run_that_is_left_keeps_its_place() {
        let berths = Arc::new(Berths::default());
        let mut left = take(&berths, 1).expect("one is free");
        left.kept = true;
        drop(left);
        let _second = take(&berths, 2);
        assert!(take(&berths, 3).is_none());
        assert!(take(&berths, 1).is_some(), "it is its own");
        berths.free(|run| run == RunId(2));
        assert!(take(&berths, 3).is_some());
    }
}
