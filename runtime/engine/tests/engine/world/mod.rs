//! What the engine stands on in these tests.

pub mod alarms;
pub mod home;
pub mod journal;
pub mod ledger;
mod outbox;
pub mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use evenkeel_engine::port::Clock;
use evenkeel_engine::{Accepted, Engine, PersonRequest, Ports, RequestError};
use evenkeel_model::home::Home;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Event, Mode, Summary, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;

use self::alarms::Alarms;
use self::journal::Memory;
use self::script::Script;

/// When every test begins.
pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

/// Runs with tokio's, which stands still while anything can be done, and may be set.
pub struct TestClock {
    base: DateTime<Utc>,
    began: Instant,
    /// Milliseconds that it was set forward.
    forward: AtomicI64,
}

impl TestClock {
    /// As a person or NTP sets it; backward, if it is negative. No timer notices.
    pub fn set_forward(&self, by: TimeDelta) {
        self.forward.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        let forward = TimeDelta::milliseconds(self.forward.load(Ordering::SeqCst));
        self.base + TimeDelta::from_std(self.began.elapsed()).unwrap() + forward
    }
}

pub struct World {
    pub engine: Arc<Engine>,
    pub journal: Arc<Memory>,
    pub alarms: Arc<Alarms>,
    pub script: Arc<Script>,
    pub clock: Arc<TestClock>,
    shutdown: watch::Sender<bool>,
}

impl World {
    pub fn new(home: Home, script: Script) -> Self {
        Self::at(noon(), home, script)
    }

    pub fn at(base: DateTime<Utc>, home: Home, script: Script) -> Self {
        let clock = TestClock {
            base,
            began: Instant::now(),
            forward: AtomicI64::new(0),
        };
        Self::over(Memory::default(), Alarms::default(), Arc::new(clock), home, script)
    }

    fn over(journal: Memory, alarms: Alarms, clock: Arc<TestClock>, home: Home, script: Script) -> Self {
        let journal = Arc::new(journal.beside(&alarms));
        let (alarms, script) = (Arc::new(alarms), Arc::new(script));
        let ports = Ports {
            journal: journal.clone(),
            ledger: journal.clone(),
            alerts: alarms.clone(),
            outbox: journal.clone(),
            plugins: script.clone(),
            clock: clock.clone(),
        };
        Self {
            engine: Engine::new(ports, Arc::new(home)),
            journal,
            alarms,
            script,
            clock,
            shutdown: watch::Sender::new(false),
        }
    }

    /// The process dies, and another one starts on what it had written.
    pub fn crash(self, home: Home, script: Script) -> Self {
        let journal = self.journal.sever();
        let alarms = self.alarms.sever();
        Self::over(journal, alarms, self.clock, home, script)
    }

    pub fn serve(&self) {
        let engine = self.engine.clone();
        let shutdown = self.shutdown.subscribe();
        tokio::spawn(async move { engine.serve(shutdown).await });
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub async fn ask(&self, request: PersonRequest) -> Result<Accepted, RequestError> {
        self.engine.request(request).await
    }

    /// A person runs `runbook` and waits for all of its runs.
    pub async fn run(&self, runbook: &str) -> Vec<Summary> {
        self.run_as(person(runbook)).await
    }

    pub async fn run_as(&self, request: PersonRequest) -> Vec<Summary> {
        let accepted = self.ask(request).await.expect("the request is fine");
        let mut summaries = Vec::new();
        for run in accepted.runs {
            summaries.push(self.engine.wait(run).await.unwrap());
        }
        summaries
    }

    /// The verdict of the only run of a round, and why.
    pub async fn verdict(&self, runbook: &str) -> (Verdict, String) {
        let mut runs = self.run(runbook).await;
        let run = runs.remove(0);
        (run.verdict.expect("it finished"), run.why)
    }

    pub async fn dry_run(&self, runbook: &str) -> Summary {
        let request = PersonRequest {
            mode: Mode::DryRun,
            ..person(runbook)
        };
        self.run_as(request).await.remove(0)
    }

    /// Until something that was asked for is there; the clock goes on meanwhile.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..100_000 {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("never: {what}")
    }

    pub async fn until_finished(&self, run: u64) -> Summary {
        self.until("the run finishes", || {
            let summary = self.journal.summary(RunId(run))?;
            summary.verdict.map(|_| summary)
        })
        .await
    }

    /// The gates that a run waited for, and what they said.
    pub fn waits(&self, run: u64) -> Vec<(String, String)> {
        let of = |body| match body {
            Body::Waiting { gate, why, .. } => Some((gate, why)),
            _ => None,
        };
        self.bodies(run).into_iter().filter_map(of).collect()
    }

    /// The gate that refused a run, and what it said.
    pub fn refusal(&self, run: u64) -> Option<(String, String)> {
        let of = |body| match body {
            Body::Refused { gate, why } => Some((gate, why)),
            _ => None,
        };
        self.bodies(run).into_iter().find_map(of)
    }

    pub fn escalations(&self, run: u64) -> usize {
        let of = |body: &Body| matches!(body, Body::Escalated { .. });
        self.bodies(run).iter().filter(|body| of(body)).count()
    }

    pub async fn until_waiting(&self, run: u64, gate: &str) {
        let waits = || {
            let waits = self.waits(run);
            waits.last().is_some_and(|(last, _)| last == gate).then_some(())
        };
        self.until(&format!("run {run} waits for {gate}"), waits).await;
    }

    pub fn bodies(&self, run: u64) -> Vec<Body> {
        self.journal
            .all(RunId(run))
            .into_iter()
            .map(|event: Event| event.body)
            .collect()
    }
}

/// On all that the runbook selects.
/// Ben has looked at an effect in doubt.
pub fn looked(done: bool) -> evenkeel_engine::Resolution {
    evenkeel_engine::Resolution {
        done,
        who: "ben".into(),
        why: String::new(),
        of: None,
    }
}

pub fn person(runbook: &str) -> PersonRequest {
    use std::sync::atomic::{AtomicU64, Ordering};
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    PersonRequest {
        runbook: runbook.into(),
        target: None,
        all: true,
        mode: Mode::Live,
        alert: None,
        input: Default::default(),
        override_freeze: None,
        who: "ada".into(),
        request: REQUESTS.fetch_add(1, Ordering::Relaxed).to_string(),
    }
}
