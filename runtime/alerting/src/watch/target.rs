//! One target's turns.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_model::scrape as model;
use tokio::sync::watch;

use super::batch::Batch;
use super::turn::{Turns, until};
use super::{Shared, Shown, Task, labels, locked, options, paused};
use crate::exposition::Kind;
use crate::port::Fetched;
use crate::scrape::{self, Answer, Outcome, When};

/// Of one target; more are not shown. What is kept of them is bounded by `scrape`.
const METADATA: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    job: String,
    asset: String,
}

impl Key {
    pub fn of(target: &model::Target) -> Self {
        Self {
            job: target.scrape.name.clone(),
            asset: target.asset.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It was not scraped yet.
    Unknown,
    Up,
    Down,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A target as its last scrape left it.
#[derive(Clone, Debug)]
pub struct TargetState {
    pub target: model::Target,
    pub health: Health,
    /// Empty: it is well.
    pub last_error: String,
    pub last_scrape_ms: Option<i64>,
    pub took: Duration,
    /// Samples of the last scrape, and series that it had made.
    pub samples: usize,
    pub dropped: scrape::Dropped,
    pub metadata: Arc<Vec<Metadata>>,
}

/// What a target said of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub family: String,
    pub kind: Kind,
    pub help: String,
    pub unit: String,
}

impl TargetState {
    fn new(target: model::Target) -> Self {
        Self {
            target,
            health: Health::Unknown,
            last_error: String::new(),
            last_scrape_ms: None,
            took: Duration::ZERO,
            samples: 0,
            dropped: scrape::Dropped::default(),
            metadata: Arc::default(),
        }
    }
}

/// What is known of it between two scrapes.
pub(super) struct Kept {
    state: scrape::Target,
}

impl Shown for Kept {
    type Show = TargetState;
}

impl Kept {
    /// Its series end: nobody scrapes it any more.
    pub fn gone(self, shared: &Shared, at_ms: i64) {
        let mut batch = Batch::new(&shared.series, at_ms);
        self.state.gone(at_ms, &mut batch);
        batch.write(shared);
    }
}

/// `before`: the same job on the same asset, scraped in another manner.
pub(super) fn start(shared: &Arc<Shared>, target: model::Target, before: Option<Kept>) -> Task<Kept> {
    let own = labels(&target.labels());
    let options = options(&target.scrape);
    let state = match before {
        Some(Kept { state }) if *state.labels() == own && *state.options() == options => state,
        Some(kept) => {
            // Under other labels or by other options its series may be others.
            kept.gone(shared, shared.ports.clock.now_ms());
            scrape::Target::new(own, options)
        }
        None => scrape::Target::new(own, options),
    };
    let shown = Arc::new(Mutex::new(Arc::new(TargetState::new(target.clone()))));
    let (stop, stopping) = watch::channel(false);
    let turns = Turns::new(target.scrape.every, &[&target.scrape.name, &target.url]);
    let scraper = Scraper {
        shared: shared.clone(),
        target,
        shown: shown.clone(),
        turns,
    };
    let task = tokio::spawn(scraper.serve(state, stopping));
    Task { shown, stop, task }
}

struct Scraper {
    shared: Arc<Shared>,
    target: model::Target,
    shown: Arc<Mutex<Arc<TargetState>>>,
    turns: Turns,
}

/// What came of asking, and how long it took.
struct Asked {
    at_ms: i64,
    took: Duration,
    answer: Result<Fetched, String>,
}

impl Scraper {
    async fn serve(self, mut state: scrape::Target, mut stopping: watch::Receiver<bool>) -> Kept {
        let mut last = None;
        loop {
            let now = self.shared.ports.clock.now_ms();
            let turn = self.turns.next(last, now);
            last = Some(turn);
            if paused(&mut stopping, until(turn, now)).await {
                break;
            }
            let asked = tokio::select! {
                asked = self.ask(turn) => asked,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            match self.take(state, asked).await {
                Some(left) => state = left,
                None => state = scrape::Target::new(labels(&self.target.labels()), options(&self.target.scrape)),
            }
        }
        Kept { state }
    }

    async fn ask(&self, turn_ms: i64) -> Asked {
        let _place = self.shared.fetches.acquire().await;
        let clock = &self.shared.ports.clock;
        let (now, began) = (clock.now_ms(), clock.passed());
        let answer = self.shared.ports.fetch.fetch(&self.target).await;
        Asked {
            at_ms: self.turns.dated(turn_ms, now),
            took: clock.passed().saturating_sub(began),
            answer,
        }
    }

    /// None: reading it panicked, which is a fault of this program, and nothing of it is known any more.
    async fn take(&self, mut state: scrape::Target, asked: Asked) -> Option<scrape::Target> {
        let (shared, before) = (self.shared.clone(), locked(&self.shown).clone());
        let when = When {
            at_ms: asked.at_ms,
            took: asked.took,
        };
        let taken = tokio::task::spawn_blocking(move || {
            let mut batch = Batch::new(&shared.series, when.at_ms);
            let outcome = match asked.answer {
                Ok(Fetched { content_type, body }) => {
                    let content_type = Some(content_type.as_str()).filter(|text| !text.is_empty());
                    let answer = Answer {
                        body: &body,
                        content_type,
                    };
                    state.scraped(&answer, when, &mut batch)
                }
                Err(why) => state.unanswered(why, when, &mut batch),
            };
            let full = batch.write(&shared);
            let left = left(&before, &state, &outcome, full, when);
            (state, left)
        });
        match taken.await {
            Ok((state, left)) => {
                self.show(left);
                Some(state)
            }
            Err(error) => {
                tracing::error!(job = self.target.scrape.name, %error, "reading an answer broke off");
                let mut left = TargetState::clone(&locked(&self.shown));
                left.health = Health::Down;
                left.last_error = "reading the answer broke off: the daemon's log says more".to_owned();
                self.show(left);
                None
            }
        }
    }

    fn show(&self, left: TargetState) {
        let left = Arc::new(left);
        let before = std::mem::replace(&mut *locked(&self.shown), left.clone());
        // Once, and not at each scrape of a text that goes wrong at another place.
        if before.last_error.is_empty() && !left.last_error.is_empty() {
            let (job, url) = (&self.target.scrape.name, &self.target.url);
            tracing::warn!(job, url, why = left.last_error, "a scrape failed");
        }
    }
}

/// How a scrape leaves its target.
fn left(
    before: &TargetState,
    state: &scrape::Target,
    outcome: &Outcome,
    full: Option<String>,
    when: When,
) -> TargetState {
    let failure = outcome.failure.as_ref().map(ToString::to_string);
    let metadata = match metadata(state) {
        now if now == *before.metadata => before.metadata.clone(),
        now => Arc::new(now),
    };
    TargetState {
        target: before.target.clone(),
        health: if outcome.is_up() { Health::Up } else { Health::Down },
        last_error: failure.or(full).unwrap_or_default(),
        last_scrape_ms: Some(when.at_ms),
        took: when.took,
        samples: outcome.scraped,
        dropped: outcome.dropped,
        metadata,
    }
}

fn metadata(state: &scrape::Target) -> Vec<Metadata> {
    let said = state.metadata().take(METADATA).map(|(family, said)| Metadata {
        family: family.to_owned(),
        kind: said.kind,
        help: said.help.clone(),
        unit: said.unit.clone(),
    });
    let mut all: Vec<_> = said.collect();
    all.sort_by(|a, b| a.family.cmp(&b.family));
    all
}
