//! The runs that this process drives, and who is at work on which target.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use tokio::sync::{Notify, watch};

use crate::record::Recorder;

/// A run of this process, from its request to its end.
pub(crate) struct Live {
    pub(crate) id: RunId,
    pub(crate) round: RoundId,
    pub(crate) recorder: Arc<Recorder>,
    /// True once somebody wants it to stop.
    pub(crate) cancelled: watch::Sender<bool>,
    /// Somebody said something to it: what is next is to be decided again.
    pub(crate) touched: Notify,
    /// True once this process does nothing more for it: it has finished, or it is parked.
    pub(crate) left: watch::Sender<bool>,
}

impl Live {
    pub(crate) fn new(id: RunId, round: RoundId, recorder: Arc<Recorder>) -> Arc<Self> {
        let cancelled = recorder.read(|run| run.cancel.is_some());
        Arc::new(Self {
            id,
            round,
            recorder,
            cancelled: watch::Sender::new(cancelled),
            touched: Notify::new(),
            left: watch::Sender::new(false),
        })
    }
}

/// All of them, by number.
#[derive(Default)]
pub(crate) struct Registry {
    runs: Mutex<BTreeMap<RunId, Arc<Live>>>,
}

impl Registry {
    pub(crate) fn add(&self, live: Arc<Live>) {
        self.runs().insert(live.id, live);
    }
    pub(crate) fn remove(&self, run: RunId) {
        self.runs().remove(&run);
    }
    pub(crate) fn get(&self, run: RunId) -> Option<Arc<Live>> {
        self.runs().get(&run).cloned()
    }
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.runs().values().cloned().collect()
    }
    pub(crate) fn has_round(&self, round: RoundId) -> bool {
        self.runs().values().any(|live| live.round == round)
    }
    fn runs(&self) -> MutexGuard<'_, BTreeMap<RunId, Arc<Live>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who works on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub run: RunId,
    pub runbook: RunbookName,
}

/// One target: at most one run works on it at a time.
#[derive(Default)]
pub(crate) struct Slot {
    /// Held while a run asks its gates, so that what they see is still so when it starts.
    pub(crate) asking: tokio::sync::Mutex<()>,
    holder: watch::Sender<Option<Holder>>,
}

impl Slot {
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holder.borrow().clone()
    }
    /// Changes whenever the holder does.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Holder>> {
        self.holder.subscribe()
    }
    /// None: somebody else holds it. A run that was left takes up again what stayed its own.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder) -> Option<Taken> {
        let run = holder.run;
        let taken = self.holder.send_if_modified(|held| {
            let free = held.as_ref().is_none_or(|held| held.run == run);
            if free {
                *held = Some(holder);
            }
            free
        });
        taken.then(|| Taken {
            slot: Arc::clone(self),
            run,
            begun: false,
        })
    }

    fn free(&self, is_over: impl Fn(RunId) -> bool) {
        self.holder.send_if_modified(|held| {
            let over = held.as_ref().is_some_and(|holder| is_over(holder.run));
            if over {
                *held = None;
            }
            over
        });
    }
}

/// The target is free again when this goes, unless its run is only left: nobody else may work on
/// what a run is in the middle of.
pub(crate) struct Taken {
    slot: Arc<Slot>,
    run: RunId,
    begun: bool,
}

impl Taken {
    /// From here on it is the run's until [`Taken::give_back`].
    pub(crate) fn begun(mut self) -> Self {
        self.begun = true;
        self
    }

    /// The run has finished.
    pub(crate) fn give_back(mut self) {
        self.begun = false;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.begun {
            self.slot.free(|run| run == self.run);
        }
    }
}

/// The slots of all targets that were ever asked for: at most one for each asset of the home.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Mutex<BTreeMap<AssetId, Arc<Slot>>>,
}

impl Slots {
    pub(crate) fn of(&self, target: &AssetId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(target.clone()).or_default())
    }

    /// Frees what runs hold that are over, and whose end came from elsewhere than their tasks.
    pub(crate) fn free(&self, is_over: impl Fn(RunId) -> bool) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().for_each(|slot| slot.free(&is_over));
    }
}
