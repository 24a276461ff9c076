//! A journal in memory that keeps the port's promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::gates::Unstarted;
use evenkeel_engine::port::outbox::{NewNotice, Posted};
use evenkeel_engine::port::{After, Durability, Journal, JournalError, NewRound, Noted, Opened, RunFilter, Scheduled};
use evenkeel_engine::run::{GateState, Run};
use evenkeel_engine::schedule::Passed;
use evenkeel_model::hold::Hold;
use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use evenkeel_model::run::{Body, Event, Mode, Occurrence, State, Summary};

use super::alarms::Alarms;
use super::outbox;

#[derive(Default)]
pub struct Memory {
    pub(super) disk: Arc<Mutex<Disk>>,
    /// The process that held it is dead.
    severed: AtomicBool,
    fails_conclusions: AtomicBool,
    /// Whose edges are done with here.
    alarms: Alarms,
}

#[derive(Default)]
pub(super) struct Disk {
    occurrences: BTreeMap<String, RoundId>,
    runs: BTreeMap<RunId, Kept>,
    /// Of each runbook on each target.
    places: BTreeMap<(RunbookName, AssetId), Vec<RunId>>,
    /// Of each run, the last event that somebody waited for to be on disk.
    synced: BTreeMap<RunId, u64>,
    texts: BTreeMap<String, String>,
    pub(super) holds: Vec<Hold>,
    /// When strikes were cleared, and when it was told that there are too many.
    pub(super) strikes: BTreeMap<(RunbookName, AssetId), [Option<DateTime<Utc>>; 2]>,
    pub(super) followed: BTreeSet<RunId>,
    pub(super) unstarted: Vec<Unstarted>,
    /// Rounds that `[[after]]` is to look at.
    to_conclude: BTreeSet<RoundId>,
    schedules: BTreeMap<(RunbookName, String), Scheduled>,
    /// Transactions over ticks.
    batches: usize,
    /// So many more of them fail.
    tick_failures: usize,
    /// And of those over edges.
    edge_failures: usize,
    pub(super) notices: Vec<Posted>,
    /// Runs whose events can't be read.
    unreadable: BTreeSet<RunId>,
    /// Appends that are still accepted; none: no end.
    appends_left: Option<usize>,
}

/// A run's events, and what they come to.
#[derive(Default)]
struct Kept {
    events: Vec<Event>,
    fold: Run,
}

impl Kept {
    fn push(&mut self, at: DateTime<Utc>, body: Body) {
        let seq = self.events.len() as u64 + 1;
        let event = Event { seq, at, body };
        self.fold.apply(&event);
        self.events.push(event);
    }
}

impl Memory {
    pub fn beside(self, alarms: &Alarms) -> Self {
        Self {
            alarms: alarms.sever(),
            ..self
        }
    }

    /// What the next process finds; this one writes no more.
    pub fn sever(&self) -> Self {
        self.severed.store(true, Ordering::SeqCst);
        Self {
            disk: self.disk.clone(),
            ..Self::default()
        }
    }

    /// This process opens nothing that comes after a round.
    pub fn fail_conclusions(&self) {
        self.fails_conclusions.store(true, Ordering::SeqCst);
    }

    pub fn fail_after(&self, appends: usize) {
        self.disk.lock().unwrap().appends_left = Some(appends);
    }

    pub fn damage(&self, run: u64) {
        self.disk.lock().unwrap().unreadable.insert(RunId(run));
    }

    pub fn mend(&self) {
        self.disk.lock().unwrap().unreadable.clear();
    }

    pub fn noted(&self) -> Vec<Unstarted> {
        self.disk.lock().unwrap().unstarted.clone()
    }

    /// The last event that a power cut can't take.
    pub fn synced(&self, run: RunId) -> u64 {
        self.disk.lock().unwrap().synced.get(&run).copied().unwrap_or(0)
    }

    pub fn all(&self, run: RunId) -> Vec<Event> {
        let disk = self.disk.lock().unwrap();
        disk.runs.get(&run).map(|kept| kept.events.clone()).unwrap_or_default()
    }

    pub fn count(&self) -> usize {
        self.disk.lock().unwrap().runs.len()
    }

    pub fn summary(&self, run: RunId) -> Option<Summary> {
        let disk = self.disk.lock().unwrap();
        disk.runs.get(&run).map(|kept| summary(run, &kept.fold))
    }

    pub fn set_tick(&self, runbook: &str, schedule: &str, at: DateTime<Utc>) {
        self.disk.lock().unwrap().scheduled(runbook, schedule, at).seen = at;
    }

    /// A tick that was passed over, noted with its schedule alone.
    pub fn set_passed(&self, runbook: &str, schedule: &str, at: DateTime<Utc>) {
        let passed = Passed {
            from: at,
            to: at,
            count: 1,
            why: "nobody looked".to_owned(),
        };
        self.disk.lock().unwrap().scheduled(runbook, schedule, at).passed = Some(passed);
    }

    pub fn scheduled(&self, runbook: &str, schedule: &str) -> Option<Scheduled> {
        let key = (runbook.into(), schedule.to_owned());
        self.disk.lock().unwrap().schedules.get(&key).cloned()
    }

    pub fn fail_ticks(&self, times: usize) {
        self.disk.lock().unwrap().tick_failures = times;
    }

    pub fn fail_edges(&self, times: usize) {
        self.disk.lock().unwrap().edge_failures = times;
    }

    pub fn batches(&self) -> usize {
        self.disk.lock().unwrap().batches
    }

    pub(super) fn summaries(&self) -> Vec<Summary> {
        let disk = self.disk.lock().unwrap();
        disk.runs.iter().map(|(run, kept)| summary(*run, &kept.fold)).collect()
    }

    /// Runs of a runbook on a target, the earliest first.
    pub(super) fn at(&self, runbook: &RunbookName, target: &AssetId) -> Vec<Summary> {
        let disk = self.disk.lock().unwrap();
        let runs = disk.places.get(&(runbook.clone(), target.clone()));
        let runs = runs.into_iter().flatten();
        runs.map(|run| summary(*run, &disk.runs[run].fold)).collect()
    }

    pub(super) fn alive(&self) -> Result<(), JournalError> {
        if self.severed.load(Ordering::SeqCst) {
            return Err(error("the process is dead"));
        }
        Ok(())
    }
}

impl Disk {
    fn scheduled(&mut self, runbook: &str, schedule: &str, seen: DateTime<Utc>) -> &mut Scheduled {
        let key = (runbook.into(), schedule.to_owned());
        self.schedules.entry(key).or_insert_with(|| Scheduled {
            runbook: runbook.into(),
            schedule: schedule.to_owned(),
            seen,
            last: None,
            passed: None,
        })
    }

    fn open(&mut self, round: &NewRound, now: DateTime<Utc>) -> Opened {
        let key = round.occurrence.key();
        let known = self.occurrences.get(&key).copied();
        let id = known.unwrap_or(RoundId(self.occurrences.len() as u64 + 1));
        if let Occurrence::Tick { runbook, schedule, at } = &round.occurrence {
            let scheduled = self.scheduled(runbook.as_str(), schedule, *at);
            scheduled.seen = scheduled.seen.max(*at);
            scheduled.last = Some((*at, id));
        }
        if known.is_some() {
            return Opened::Known(id);
        }
        self.occurrences.insert(key, id);
        self.texts.insert(round.text_hash.clone(), round.text.clone());
        if round.has_after {
            self.to_conclude.insert(id);
        }
        let mut runs = Vec::new();
        for target in &round.targets {
            let run = RunId(self.runs.len() as u64 + 1);
            let request = round.request(id, target);
            if let Some(target) = &request.target {
                let place = (request.runbook.clone(), target.clone());
                self.places.entry(place).or_default().push(run);
            }
            let mut kept = Kept::default();
            kept.push(now, Body::Requested(Box::new(request)));
            self.runs.insert(run, kept);
            runs.push(run);
        }
        Opened::New(id, runs)
    }
}

fn error(cause: &str) -> JournalError {
    JournalError {
        action: "written",
        cause: cause.to_owned(),
    }
}

fn summary(id: RunId, run: &Run) -> Summary {
    let request = run.request.clone().unwrap();
    let state = match (&run.finished, run.started_at, &run.gate) {
        (Some(_), ..) => State::Finished,
        (None, Some(_), _) => State::Running,
        (None, None, GateState::Waiting { .. }) => State::Waiting,
        _ => State::Requested,
    };
    Summary {
        run: id,
        round: request.round,
        runbook: request.runbook,
        target: request.target,
        customer: request.customer,
        mode: request.mode,
        occurrence: request.occurrence,
        state,
        verdict: run.finished.as_ref().map(|finished| finished.verdict),
        changed: run.finished.as_ref().is_some_and(|finished| finished.changed),
        why: run
            .finished
            .as_ref()
            .map_or(String::new(), |finished| finished.why.clone()),
        requested_at: run.requested_at.unwrap(),
        started_at: run.started_at,
        finished_at: run.finished.as_ref().map(|finished| finished.at),
        compacted: false,
    }
}

#[async_trait]
impl Journal for Memory {
    async fn open(&self, round: NewRound, now: DateTime<Utc>) -> Result<Opened, JournalError> {
        self.alive()?;
        Ok(self.disk.lock().unwrap().open(&round, now))
    }

    async fn append_all(
        &self,
        run: RunId,
        bodies: Vec<(DateTime<Utc>, Body)>,
        notices: Vec<NewNotice>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        // The writer of the real one has to be waited for. Unlike a yield, this takes its turn
        // among the tasks that are ready.
        let _ = tokio::spawn(async {}).await;
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        let disk = &mut *disk;
        if let Some(left) = &mut disk.appends_left {
            *left = left.checked_sub(1).ok_or_else(|| error("the disk is full"))?;
        }
        let kept = disk.runs.get_mut(&run).ok_or_else(|| error("there is no such run"))?;
        let last = bodies.last().map(|(at, _)| *at);
        for (at, body) in bodies {
            let finished = matches!(kept.events.last().map(|event| &event.body), Some(Body::Finished { .. }));
            let goes_on = matches!(
                body,
                Body::Resolved { .. } | Body::RunKnown { .. } | Body::UndoRequested { .. }
            );
            assert!(!finished || goes_on, "{run}: {body:?} after the end");
            kept.push(at, body);
        }
        if durability == Durability::Disk {
            disk.synced.insert(run, kept.events.len() as u64);
        }
        for (new, at) in notices.into_iter().zip(last.into_iter().cycle()) {
            outbox::post(&mut disk.notices, run, at, new);
        }
        Ok(())
    }

    async fn events(&self, run: RunId) -> Result<Option<Vec<Event>>, JournalError> {
        self.alive()?;
        let disk = self.disk.lock().unwrap();
        if disk.unreadable.contains(&run) {
            return Err(JournalError {
                action: "read",
                cause: "an event is no JSON".into(),
            });
        }
        Ok(disk.runs.get(&run).map(|kept| kept.events.clone()))
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Summary>, JournalError> {
        self.alive()?;
        let limit = if filter.limit == 0 { 1_000 } else { filter.limit };
        let wanted = |run: &Summary| {
            filter.round.is_none_or(|round| run.round == round)
                && filter.before.is_none_or(|before| run.run < before)
                && filter.runbook.as_ref().is_none_or(|runbook| run.runbook == *runbook)
                && (filter.target.is_none() || run.target == filter.target)
                && filter.to.is_none_or(|to| run.requested_at <= to)
                && filter
                    .from
                    .is_none_or(|from| run.finished_at.is_none_or(|at| at >= from))
        };
        Ok(self.summaries().into_iter().rev().filter(wanted).take(limit).collect())
    }

    async fn run(&self, run: RunId) -> Result<Option<Summary>, JournalError> {
        Ok(self.summary(run))
    }

    async fn unfinished(&self) -> Result<Vec<Summary>, JournalError> {
        self.alive()?;
        Ok(self
            .summaries()
            .into_iter()
            .filter(|run| run.verdict.is_none())
            .collect())
    }

    async fn to_conclude(&self) -> Result<Vec<RoundId>, JournalError> {
        self.alive()?;
        let open: Vec<_> = self.summaries();
        let disk = self.disk.lock().unwrap();
        let over = |round: &RoundId| open.iter().all(|run| run.round != *round || run.verdict.is_some());
        Ok(disk.to_conclude.iter().copied().filter(over).collect())
    }

    async fn conclude(
        &self,
        round: RoundId,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.alive()?;
        if self.fails_conclusions.load(Ordering::SeqCst) {
            return Err(error("the disk is full"));
        }
        let mut disk = self.disk.lock().unwrap();
        disk.to_conclude.remove(&round);
        Ok(rounds.iter().map(|round| disk.open(round, now)).collect())
    }

    async fn after(&self, round: RoundId) -> Result<Option<After>, JournalError> {
        let pending = self.disk.lock().unwrap().to_conclude.contains(&round);
        let of = |run: &Summary| matches!(run.occurrence, Occurrence::After { round: of, .. } if of == round);
        let runs = self.summaries().into_iter().filter(of).map(|run| run.run).collect();
        Ok(Some(After { pending, runs }))
    }

    async fn round_of(&self, occurrence: &Occurrence) -> Result<Option<RoundId>, JournalError> {
        Ok(self.disk.lock().unwrap().occurrences.get(&occurrence.key()).copied())
    }

    async fn below(&self, root: RunId) -> Result<usize, JournalError> {
        let (only, first) = (format!("\"above\":[{root}]"), format!("\"above\":[{root},"));
        let of = |key: &&String| key.contains(&only) || key.contains(&first);
        Ok(self.disk.lock().unwrap().occurrences.keys().filter(of).count())
    }

    async fn history(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Summary>, JournalError> {
        self.alive()?;
        let wanted =
            |run: &Summary| run.changed && run.mode == Mode::Live && run.finished_at.is_some_and(|at| at >= since);
        Ok(self.at(runbook, target).into_iter().rev().filter(wanted).collect())
    }

    async fn text(&self, hash: &str) -> Result<Option<String>, JournalError> {
        Ok(self.disk.lock().unwrap().texts.get(hash).cloned())
    }

    async fn open_ticks(
        &self,
        rounds: Vec<NewRound>,
        notes: Vec<Noted>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        if disk.tick_failures > 0 {
            disk.tick_failures -= 1;
            return Err(error("the disk is full"));
        }
        disk.batches += 1;
        let opened = rounds.iter().map(|round| disk.open(round, now)).collect();
        for note in notes {
            let passed = note.passed.as_ref();
            let unstarted = passed.map(|passed| passed.unstarted(&note.runbook, &note.schedule));
            disk.unstarted.extend(unstarted);
            let scheduled = disk.scheduled(note.runbook.as_str(), &note.schedule, note.seen);
            scheduled.seen = note.seen;
            scheduled.passed = note.passed.or(scheduled.passed.take());
        }
        Ok(opened)
    }

    async fn open_for_edge(
        &self,
        edge: u64,
        rounds: Vec<NewRound>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Opened>, JournalError> {
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        if disk.edge_failures > 0 {
            disk.edge_failures -= 1;
            return Err(error("the disk is full"));
        }
        let opened = rounds.iter().map(|round| disk.open(round, now)).collect();
        self.alarms.forget_edge(edge);
        Ok(opened)
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>, JournalError> {
        self.alive()?;
        Ok(self.disk.lock().unwrap().schedules.values().cloned().collect())
    }
}
