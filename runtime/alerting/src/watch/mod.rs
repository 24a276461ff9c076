//! Scrapes targets at their times, keeps their series and judges them by rules.
//!
//! Each target and each group of rules has a task of its own, so that a slow one delays no other. Times are those of
//! Prometheus: a target's or a group's turn comes at multiples of its interval, moved by a hash of what it is, so
//! that turns are spread and a restart does not move them.
//!
//! *Invariant:* what is read here by others (targets, groups) is what the last turn left, and never waits for one.

mod batch;
mod group;
mod target;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::alert::Labels as Pairs;
use evenkeel_model::scrape::{self as model, Rules};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::port::{Clock, Fetch, Keep, Tell};
use crate::promql::{Labels, Options};
use crate::rules::{self, Externals, definition};
use crate::scrape;
use crate::series::Store;

pub use target::{Health, Metadata, TargetState};

/// Answers that are waited for or read at a time.
const FETCHES: usize = 512;
/// Groups that are evaluated at a time.
const EVALUATIONS: usize = 4;
/// How often what is too old goes, and everything is written down.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1_800);

pub struct Ports {
    pub fetch: Arc<dyn Fetch>,
    pub tell: Arc<dyn Tell>,
    pub keep: Arc<dyn Keep>,
    pub clock: Arc<dyn Clock>,
}

/// What is scraped, and by what rules it is judged.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub targets: Vec<model::Target>,
    pub groups: Vec<definition::Group>,
    pub rules: Rules,
}

/// Runs until it is stopped; a changed home is taken over with [`Watch::take`].
pub struct Watch {
    shared: Arc<Shared>,
    tasks: Mutex<Tasks>,
    /// Held while what is watched changes.
    has_ended: tokio::sync::Mutex<bool>,
}

/// What the tasks share.
struct Shared {
    ports: Ports,
    series: Arc<Store>,
    options: Options,
    fetches: Semaphore,
    evaluations: Arc<Semaphore>,
    /// Appended samples can't be written down for the moment.
    unlogged: AtomicBool,
}

impl Shared {
    /// Said once when it begins, and once when it ends.
    fn logged(&self, logged: Result<(), String>) {
        let was = self.unlogged.swap(logged.is_err(), Ordering::Relaxed);
        match logged {
            Err(why) if !was => tracing::error!(why, "samples can't be written down: a restart would lose them"),
            Ok(()) if was => tracing::info!("samples are written down again"),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Tasks {
    targets: BTreeMap<target::Key, Task<target::Kept>>,
    groups: BTreeMap<group::Key, Task<group::Kept>>,
    rules: Rules,
}

/// A task, what it shows of itself, and how it is ended.
struct Task<K: Shown> {
    shown: Arc<Mutex<Arc<K::Show>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<K>,
}

/// What a task gives back when it ends, and what it shows until then.
trait Shown {
    type Show;
}

impl<K: Shown> Task<K> {
    fn show(&self) -> Arc<K::Show> {
        locked(&self.shown).clone()
    }

    /// None: it panicked, and there is nothing to go on from.
    async fn end(self) -> Option<K> {
        self.stop.send_replace(true);
        self.task.await.ok()
    }
}

impl Watch {
    pub fn new(ports: Ports, series: Arc<Store>) -> Self {
        let shared = Shared {
            ports,
            series,
            options: Options::default(),
            fetches: Semaphore::new(FETCHES),
            evaluations: Arc::new(Semaphore::new(EVALUATIONS)),
            unlogged: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            tasks: Mutex::default(),
            has_ended: tokio::sync::Mutex::default(),
        }
    }

    pub fn series(&self) -> &Arc<Store> {
        &self.shared.series
    }

    /// Every target as its last scrape left it, by job and asset.
    pub fn targets(&self) -> Vec<Arc<TargetState>> {
        locked(&self.tasks).targets.values().map(Task::show).collect()
    }

    /// Every group as its last evaluation left it, by file and name.
    pub fn groups(&self) -> Vec<Arc<rules::Group>> {
        locked(&self.tasks).groups.values().map(Task::show).collect()
    }

    /// How often groups are evaluated that don't say.
    pub fn every(&self) -> Duration {
        locked(&self.tasks).rules.every
    }

    /// Has these targets and groups instead of those before. What stays the same goes on where it was; series of what is
    /// gone end now. Behind the end nothing is taken. Who waits for it may go away: it is done to its end.
    pub async fn take(self: &Arc<Self>, watched: Watched) {
        let watch = self.clone();
        let taken = tokio::spawn(async move { watch.take_whole(watched).await });
        if let Err(error) = taken.await {
            tracing::error!(%error, "what is watched could not be changed: restart the daemon");
        }
    }

    async fn take_whole(&self, watched: Watched) {
        let has_ended = self.has_ended.lock().await;
        if *has_ended {
            return;
        }
        let Watched { targets, groups, rules } = watched;
        let is_first = {
            let mut tasks = locked(&self.tasks);
            tasks.rules = rules.clone();
            tasks.groups.is_empty() && tasks.targets.is_empty()
        };
        let target_keys: BTreeSet<_> = targets.iter().map(target::Key::of).collect();
        let group_keys: BTreeSet<_> = groups.iter().map(group::Key::of).collect();
        for wanted in targets {
            self.take_target(wanted).await;
        }
        let externals = Arc::new(externals(&rules));
        for wanted in groups {
            let key = group::Key::of(&wanted);
            let old = locked(&self.tasks).groups.remove(&key);
            let before = ended(old).await;
            let started = group::start(&self.shared, wanted, before, is_first, rules.every, externals.clone());
            locked(&self.tasks).groups.insert(key, started);
        }
        self.let_go(&target_keys, &group_keys).await;
    }

    async fn take_target(&self, wanted: model::Target) {
        let key = target::Key::of(&wanted);
        let old = {
            let mut tasks = locked(&self.tasks);
            if tasks.targets.get(&key).is_some_and(|task| task.show().target == wanted) {
                return;
            }
            tasks.targets.remove(&key)
        };
        let before = ended(old).await;
        let started = target::start(&self.shared, wanted, before);
        locked(&self.tasks).targets.insert(key, started);
    }

    /// What is wanted no more.
    async fn let_go(&self, targets: &BTreeSet<target::Key>, groups: &BTreeSet<group::Key>) {
        let (old_targets, old_groups) = {
            let mut tasks = locked(&self.tasks);
            let old_targets: Vec<_> = tasks.targets.extract_if(.., |key, _| !targets.contains(key)).collect();
            let old_groups: Vec<_> = tasks.groups.extract_if(.., |key, _| !groups.contains(key)).collect();
            (old_targets, old_groups)
        };
        let now = self.shared.ports.clock.now_ms();
        for (_, task) in old_targets {
            if let Some(kept) = task.end().await {
                kept.gone(&self.shared, now);
            }
        }
        for (_, task) in old_groups {
            if let Some(kept) = task.end().await {
                kept.gone(&self.shared, now);
            }
        }
    }

    /// Keeps house until it is to stop; then ends all tasks and writes everything down.
    pub async fn serve(&self, mut stopping: watch::Receiver<bool>) {
        let mut since_snapshot = Duration::ZERO;
        while !paused(&mut stopping, FORGET_EVERY).await {
            since_snapshot += FORGET_EVERY;
            let snapshot = since_snapshot >= SNAPSHOT_EVERY;
            if snapshot {
                since_snapshot = Duration::ZERO;
            }
            self.keep_house(snapshot).await;
        }
        *self.has_ended.lock().await = true;
        let tasks = std::mem::take(&mut *locked(&self.tasks));
        for (_, task) in tasks.targets {
            task.end().await;
        }
        for (_, task) in tasks.groups {
            task.end().await;
        }
        self.keep_house(true).await;
    }

    async fn keep_house(&self, snapshot: bool) {
        let shared = self.shared.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let forgot = shared.series.forget(shared.ports.clock.now_ms());
            tracing::debug!(
                series = forgot.series,
                samples = forgot.samples,
                "what is too old is gone"
            );
            if let Some(left_ms) = forgot.shortened_to_ms {
                let minutes = left_ms / 60_000;
                tracing::warn!(
                    minutes,
                    "series take all of `max_memory` in `[series]`: samples older than that are gone"
                );
            }
            if snapshot {
                shared.ports.keep.snapshot(&shared.series)
            } else {
                Ok(())
            }
        });
        match kept.await {
            Ok(Err(why)) => tracing::error!(why, "the series can't be written down: a restart would lose them"),
            Err(error) => tracing::error!(%error, "keeping the series broke off"),
            Ok(Ok(())) => {}
        }
    }
}

async fn ended<K: Shown>(task: Option<Task<K>>) -> Option<K> {
    match task {
        Some(task) => task.end().await,
        None => None,
    }
}

fn externals(rules: &Rules) -> Externals {
    Externals {
        labels: labels(&rules.external_labels),
        url: rules.external_url.clone(),
    }
}

fn labels(pairs: &Pairs) -> Labels {
    Labels::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Whether it is time to stop.
async fn paused(stopping: &mut watch::Receiver<bool>, time: Duration) -> bool {
    let stop = stopping.wait_for(|stop| *stop);
    tokio::time::timeout(time, stop).await.is_ok()
}

/// Nothing here panics halfway through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a target's options are, as a scrape of a home says them.
fn options(scrape: &model::Scrape) -> scrape::Options {
    scrape::Options {
        honor_labels: scrape.honor_labels,
        honor_timestamps: scrape.honor_timestamps,
        sample_limit: Some(scrape.max_samples),
        // Whoever fetches bounds it.
        body_size_limit: None,
        ..scrape::Options::default()
    }
}
