//! The memory of alerts, and alerts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::{Alerts, JournalError};
use evenkeel_model::alert::{Alert, Change, Edge, Grade, Identity};

use tokio::sync::Notify;

use super::noon;

#[derive(Default)]
pub struct Alarms {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

#[derive(Default)]
struct State {
    firing: BTreeMap<Identity, DateTime<Utc>>,
    edges: BTreeMap<u64, Edge>,
    count: u64,
}

impl Alarms {
    pub fn sever(&self) -> Self {
        Self {
            state: self.state.clone(),
            ..Self::default()
        }
    }

    pub fn edge(&self, change: Change, alert: &Alert) {
        let mut state = self.state.lock().unwrap();
        if change == Change::Fired {
            state.firing.insert(alert.identity.clone(), alert.starts_at);
        } else {
            state.firing.remove(&alert.identity);
        }
        state.count += 1;
        let number = state.count;
        state.edges.insert(
            number,
            Edge {
                change,
                alert: alert.clone(),
            },
        );
        drop(state);
        self.news.notify_one();
    }

    /// It ended, and nobody said so.
    pub fn forget(&self, alert: &Alert) {
        self.state.lock().unwrap().firing.remove(&alert.identity);
    }

    pub fn forget_edge(&self, edge: u64) {
        self.state.lock().unwrap().edges.remove(&edge);
    }

    /// No edge is waiting to be acted on.
    pub fn settled(&self) -> bool {
        self.state.lock().unwrap().edges.is_empty()
    }
}

#[async_trait]
impl Alerts for Alarms {
    async fn firing_since(
        &self,
        identity: &Identity,
        _now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, JournalError> {
        Ok(self.state.lock().unwrap().firing.get(identity).copied())
    }
    async fn firing_among(&self, identities: Vec<Identity>, _: DateTime<Utc>) -> Result<Vec<Identity>, JournalError> {
        let state = self.state.lock().unwrap();
        let firing = identities
            .into_iter()
            .filter(|identity| state.firing.contains_key(identity));
        Ok(firing.collect())
    }
    fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }
    async fn pending(&self, limit: usize) -> Result<Vec<(u64, Edge)>, JournalError> {
        let state = self.state.lock().unwrap();
        Ok(state
            .edges
            .iter()
            .take(limit)
            .map(|(n, edge)| (*n, edge.clone()))
            .collect())
    }
    async fn done(&self, edge: u64) -> Result<(), JournalError> {
        self.forget_edge(edge);
        Ok(())
    }
}

/// An alert of customer `steel` with these labels besides its name.
pub fn alert(name: &str, labels: &[(&str, &str)]) -> Alert {
    let mut all: BTreeMap<String, String> = BTreeMap::from([("alertname".into(), name.into())]);
    all.extend(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Alert {
        identity: Identity {
            customer: "steel".into(),
            fingerprint: format!("{all:?}"),
        },
        labels: all,
        annotations: BTreeMap::new(),
        grade: Grade::Medium,
        starts_at: noon(),
        ends_at: noon() + TimeDelta::days(1),
        resolved: false,
        generator_url: String::new(),
        source: "test".into(),
    }
}
