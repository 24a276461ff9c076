//! A database in a directory of its own, and things to put in it.

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::{Durability, Journal as _, NewRound, NewRun, Opened};
use evenkeel_model::alert::{Alert, Grade, Identity, Labels};
use evenkeel_model::name::{CustomerId, RoundId, RunId};
use evenkeel_model::run::{Body, Mode, Occurrence, Verdict};
use evenkeel_store::{Options, Store};
use serde_json::Value;
use tempfile::TempDir;

pub struct Home {
    pub dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }
    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("evenkeel.db")
    }
    pub fn open(&self) -> Store {
        Store::open(&self.path(), Options::default()).unwrap()
    }
}

/// Minutes after ten o'clock on a certain day.
pub fn at(minutes: i64) -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

pub fn round(request: &str) -> NewRound {
    NewRound {
        occurrence: Occurrence::Person {
            runbook: "disk".into(),
            request: request.to_owned(),
            who: "ann".to_owned(),
        },
        runbook: "disk".into(),
        text_hash: "abc".to_owned(),
        text: "name = \"disk\"".to_owned(),
        mode: Mode::Live,
        alert: None,
        input: Value::Null,
        targets: vec![target("a")],
        override_freeze: None,
        asked_by: None,
        has_after: false,
    }
}

pub fn target(asset: &str) -> NewRun {
    NewRun {
        target: Some(asset.into()),
        customer: Some(CustomerId::from("steel")),
        ..NewRun::default()
    }
}

pub async fn open_run(store: &Store, request: &str) -> RunId {
    open_round(store, round(request)).await.1[0]
}

pub async fn open_round(store: &Store, round: NewRound) -> (RoundId, Vec<RunId>) {
    match store.open(round, at(0)).await.unwrap() {
        Opened::New(round, runs) => (round, runs),
        Opened::Known(round) => panic!("round {round} is there already"),
    }
}

pub fn line(message: &str) -> Body {
    Body::Escalated {
        why: message.to_owned(),
    }
}

pub fn finished(verdict: Verdict) -> Body {
    Body::Finished {
        verdict,
        why: "because".to_owned(),
        changed: verdict == Verdict::Repaired,
    }
}

pub async fn append(store: &Store, run: RunId, minutes: i64, bodies: Vec<Body>) {
    store.append(run, at(minutes), bodies, Durability::Disk).await.unwrap();
}

/// Firing from `start` on, with an end that is supposed.
pub fn alert(name: &str, start: i64, end: i64) -> Alert {
    let labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
    Alert {
        identity: Identity::new("steel".into(), &labels),
        labels,
        annotations: Labels::from([("summary".to_owned(), format!("{name} since {start}"))]),
        grade: Grade::Medium,
        starts_at: at(start),
        ends_at: at(end),
        resolved: false,
        generator_url: "http://prometheus/graph".to_owned(),
        source: "prometheus".to_owned(),
    }
}

pub fn resolved(name: &str, start: i64, end: i64) -> Alert {
    Alert {
        resolved: true,
        ..alert(name, start, end)
    }
}
