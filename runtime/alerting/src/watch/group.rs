//! One group's turns.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, watch};

use super::batch::Batch;
use super::turn::{Turns, until};
use super::{Shared, Shown, Task, locked, paused};
use crate::rules::{Externals, Forgiven, Group, Outgoing, Resend, Settings, definition};

/// After so many evaluations what rules ask for has been scraped, and alerts get the times of before the start back.
const RESTORE_AFTER: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    file: String,
    name: String,
}

impl Key {
    pub fn of(group: &definition::Group) -> Self {
        Self {
            file: group.file.clone(),
            name: group.name.clone(),
        }
    }
}

/// What is known of it between two evaluations.
pub(super) struct Kept {
    group: Group,
    evaluations: usize,
}

impl Shown for Kept {
    type Show = Group;
}

impl Kept {
    /// Its series end: nobody evaluates it any more.
    pub fn gone(self, shared: &Shared, at_ms: i64) {
        let mut batch = Batch::new(&shared.series, at_ms);
        self.group.end(at_ms, &mut batch);
        batch.write(shared);
    }
}

/// `before`: the same group as the home had it. `restores`: it may have been evaluated before this process began.
pub(super) fn start(
    shared: &Arc<Shared>,
    definition: definition::Group,
    before: Option<Kept>,
    restores: bool,
    every: Duration,
    externals: Arc<Externals>,
) -> Task<Kept> {
    let interval = definition.interval_ms.and_then(|interval| u64::try_from(interval).ok());
    let every = interval.map_or(every, Duration::from_millis);
    let turns = Turns::new(every, &[&definition.file, &definition.name]);
    let mut kept = Kept {
        group: match restores {
            true => Group::to_be_restored(definition),
            false => Group::new(definition),
        },
        evaluations: 0,
    };
    if let Some(before) = before {
        kept.group.go_on_from(before.group);
        kept.evaluations = before.evaluations;
    }
    let shown = Arc::new(Mutex::new(Arc::new(kept.group.clone())));
    let (stop, stopping) = watch::channel(false);
    let judge = Judge {
        shared: shared.clone(),
        shown: shown.clone(),
        turns,
        every,
        externals,
    };
    let task = tokio::spawn(judge.serve(kept, stopping));
    Task { shown, stop, task }
}

struct Judge {
    shared: Arc<Shared>,
    shown: Arc<Mutex<Arc<Group>>>,
    turns: Turns,
    every: Duration,
    externals: Arc<Externals>,
}

impl Judge {
    async fn serve(self, mut kept: Kept, mut stopping: watch::Receiver<bool>) -> Kept {
        let mut last = None;
        loop {
            let now = self.shared.ports.clock.now_ms();
            let turn = self.turns.next(last, now);
            if paused(&mut stopping, until(turn, now)).await {
                return kept;
            }
            let place = tokio::select! {
                place = self.shared.evaluations.clone().acquire_owned() => place,
                _ = stopping.wait_for(|stop| *stop) => return kept,
            };
            // Turns that it waited through, or that the clock has passed, are left out.
            let turn = self.turns.latest(turn, self.shared.ports.clock.now_ms());
            last = Some(turn);
            let (shown, evaluations) = (self.shown.clone(), kept.evaluations);
            match self.evaluate(kept, turn, place).await {
                Some((left, show, told)) => {
                    *locked(&shown) = show;
                    kept = left;
                    if !told.is_empty() {
                        self.shared.ports.tell.tell(told, self.externals.clone()).await;
                    }
                }
                // A fault of this program. It goes on from what it last showed.
                None => {
                    let group = Group::clone(&locked(&shown));
                    kept = Kept { group, evaluations };
                }
            }
        }
    }

    /// At its time, also if it is a little late: what it is asked about is what there was then.
    async fn evaluate(
        &self,
        mut kept: Kept,
        at_ms: i64,
        place: Result<OwnedSemaphorePermit, AcquireError>,
    ) -> Option<(Kept, Arc<Group>, Vec<Outgoing>)> {
        let (shared, externals, every) = (self.shared.clone(), self.externals.clone(), self.every);
        let evaluated = tokio::task::spawn_blocking(move || {
            let _place = place;
            let clock = &shared.ports.clock;
            let settings = Settings {
                externals: &externals,
                options: &shared.options,
                interval_ms: i64::try_from(every.as_millis()).unwrap_or(i64::MAX),
                query_offset_ms: 0,
                resend: Resend::default(),
                stopwatch: &|| clock.passed(),
            };
            let mut batch = Batch::new(&shared.series, at_ms);
            let told = kept.group.evaluate(at_ms, &mut batch, &settings);
            kept.evaluations = kept.evaluations.saturating_add(1);
            if kept.evaluations == RESTORE_AFTER {
                kept.group.restore(at_ms, &*shared.series, Forgiven::default());
            }
            batch.write(&shared);
            let show = Arc::new(kept.group.clone());
            (kept, show, told)
        });
        match evaluated.await {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(%error, "the evaluation of a group broke off");
                None
            }
        }
    }
}
