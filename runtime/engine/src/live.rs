//! The runs that this process drives, and who is at work on which target.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_model::alert::Identity;
use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use evenkeel_model::run::{Mode, Occurrence};
use tokio::sync::{Notify, watch};

use crate::berths::Berth;
use crate::record::Recorder;

/// A run of this process, from its request to its end.
pub(crate) struct Live {
    pub(crate) id: RunId,
    pub(crate) round: RoundId,
    pub(crate) recorder: Arc<Recorder>,
    /// True once somebody wants it to stop.
    pub(crate) cancelled: watch::Sender<bool>,
    /// True once somebody wants it to end at once.
    pub(crate) killed: watch::Sender<bool>,
    /// True once it is its turn to apply.
    pub(crate) turn: watch::Sender<bool>,
    /// Somebody said something to it: what is next is to be decided again.
    pub(crate) touched: Notify,
    /// It waits for people and for other runs, and for nothing else.
    pub(crate) parked: AtomicBool,
    /// True once this process does nothing more for it: it has finished, or it is parked.
    pub(crate) left: watch::Sender<bool>,
}

impl Live {
    /// Where it works; none: nowhere, or it only plans.
    fn place(&self) -> Option<Place> {
        self.recorder.read(|run| {
            let request = run.request.as_ref().filter(|request| request.mode == Mode::Live)?;
            Some((request.runbook.clone(), request.target.clone()?))
        })
    }

    fn alert(&self) -> Option<Identity> {
        self.recorder.read(|run| match &run.request.as_ref()?.occurrence {
            Occurrence::Alert { identity, .. } => Some(identity.clone()),
            _ => None,
        })
    }

    pub(crate) fn new(id: RunId, round: RoundId, recorder: Arc<Recorder>) -> Arc<Self> {
        let cancelled = recorder.read(|run| run.cancel.is_some());
        Arc::new(Self {
            id,
            round,
            recorder,
            cancelled: watch::Sender::new(cancelled),
            killed: watch::Sender::new(false),
            turn: watch::Sender::new(false),
            touched: Notify::new(),
            parked: AtomicBool::new(false),
            left: watch::Sender::new(false),
        })
    }
}

/// All of them, by number, and by what is asked for all the time.
#[derive(Default)]
pub(crate) struct Registry {
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    runs: BTreeMap<RunId, Arc<Live>>,
    /// How many of each.
    rounds: BTreeMap<RoundId, usize>,
    places: BTreeMap<Place, BTreeSet<RunId>>,
    alerts: BTreeMap<Identity, BTreeSet<RunId>>,
}

/// A runbook on a target.
type Place = (RunbookName, AssetId);

impl Registry {
    pub(crate) fn add(&self, live: Arc<Live>) {
        let mut index = self.index();
        let (place, alert) = (live.place(), live.alert());
        if let Some(place) = place {
            index.places.entry(place).or_default().insert(live.id);
        }
        if let Some(alert) = alert {
            index.alerts.entry(alert).or_default().insert(live.id);
        }
        *index.rounds.entry(live.round).or_default() += 1;
        index.runs.insert(live.id, live);
    }

    pub(crate) fn remove(&self, run: RunId) {
        let mut index = self.index();
        let Some(live) = index.runs.remove(&run) else {
            return;
        };
        if let Some(place) = live.place() {
            forget(&mut index.places, place, run);
        }
        if let Some(alert) = live.alert() {
            forget(&mut index.alerts, alert, run);
        }
        if let Some(left) = index.rounds.get_mut(&live.round) {
            *left -= 1;
            if *left == 0 {
                index.rounds.remove(&live.round);
            }
        }
    }

    pub(crate) fn get(&self, run: RunId) -> Option<Arc<Live>> {
        self.index().runs.get(&run).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.index().runs.values().cloned().collect()
    }

    pub(crate) fn has_round(&self, round: RoundId) -> bool {
        self.index().rounds.contains_key(&round)
    }

    /// Live runs of a runbook on a target, the earliest first.
    pub(crate) fn at(&self, runbook: &RunbookName, target: &AssetId) -> Vec<Arc<Live>> {
        let index = self.index();
        let runs = index.places.get(&(runbook.clone(), target.clone()));
        let runs = runs.into_iter().flatten();
        runs.filter_map(|run| index.runs.get(run).cloned()).collect()
    }

    /// Runs that an alert started.
    pub(crate) fn of_alert(&self, identity: &Identity) -> Vec<Arc<Live>> {
        let index = self.index();
        let runs = index.alerts.get(identity).into_iter().flatten();
        runs.filter_map(|run| index.runs.get(run).cloned()).collect()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<RunId>>, key: K, run: RunId) {
    if let Entry::Occupied(mut runs) = index.entry(key) {
        runs.get_mut().remove(&run);
        if runs.get().is_empty() {
            runs.remove();
        }
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
            berth: None,
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
    /// Its place among those of its runbook, which goes with it.
    berth: Option<Berth>,
}

impl Taken {
    pub(crate) fn with(mut self, berth: Option<Berth>) -> Self {
        self.berth = berth;
        self
    }

    pub(crate) fn has_berth(&self) -> bool {
        self.berth.is_some()
    }

    /// Others may work in its place while it waits, and it keeps its target.
    pub(crate) fn leave_berth(&mut self) {
        self.berth = None;
    }

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
        if let Some(berth) = &mut self.berth {
            berth.kept = self.begun;
        }
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
