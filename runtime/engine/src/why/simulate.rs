//! What an alert would start now, with the files as they are, without starting anything.

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Alert;
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, RoundId, RunId, RunbookName};
use evenkeel_model::run::Request;
use evenkeel_model::runbook::Runbook;
use serde::{Deserialize, Serialize};

use super::people::WouldAsk;
use super::{Question, Told, nearest, people};
use crate::drive::facts::Facts;
use crate::engine::Engine;
use crate::gate::{self, Answer};
use crate::holds::HoldError;
use crate::port::JournalError;
use crate::trigger;

/// It would come after all the others.
const NEXT: RunId = RunId(u64::MAX);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    pub alert: Alert,
    /// It fires now; the gates are asked as if it did.
    pub fires: bool,
    pub runbooks: Vec<Match>,
    /// Those that take alerts of this name, and not this one; or why none takes it.
    pub others: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    pub runbook: RunbookName,
    pub target: Option<AssetId>,
    /// What would come of it, by the first gate that doesn't pass.
    pub outcome: Says,
    pub gates: Vec<Saying>,
    /// What would wait for people once it is planned, and so after the gates.
    #[serde(default)]
    pub asks: Vec<WouldAsk>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saying {
    pub gate: String,
    pub says: Says,
    pub why: String,
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    Pass,
    Wait,
    Refuse,
    Cancel,
    Replace,
}

impl Engine {
    /// From the record, as it was opened with the engine's ports.
    pub async fn why(&self, question: &Question) -> Result<Told, JournalError> {
        super::tell(&*self.ports.journal, &*self.ports.ledger, &self.home(), question).await
    }

    /// An alert that was taken in, by `FINGERPRINT` or `CUSTOMER/FINGERPRINT`.
    pub async fn stored_alert(&self, name: &str) -> Result<Alert, HoldError> {
        let (customer, fingerprint) = match name.split_once('/') {
            Some((customer, fingerprint)) => (Some(customer), fingerprint),
            None => (None, name),
        };
        let mut alerts = self.ports.ledger.remembered(fingerprint).await?;
        alerts.retain(|alert| customer.is_none_or(|customer| alert.identity.customer.as_str() == customer));
        match (alerts.pop(), alerts.is_empty()) {
            (Some(alert), true) => Ok(alert),
            (Some(_), false) => Err(HoldError::Wrong(format!(
                "several customers have an alert `{fingerprint}`; write CUSTOMER/{fingerprint}"
            ))),
            (None, _) => Err(HoldError::Unknown(format!(
                "no alert `{name}` is remembered, and no file has that name"
            ))),
        }
    }

    /// Asks every gate of every runbook that takes the alert.
    pub async fn simulate(&self, alert: Alert) -> Result<Simulated, JournalError> {
        let home = self.home();
        let now = self.ports.clock.now();
        self.read_holds().await?;
        let mut runbooks = Vec::new();
        for start in trigger::from_alert(&alert, &home) {
            let Some(target) = start.round.targets.first() else {
                continue;
            };
            let request = start.round.request(RoundId(0), target);
            runbooks.push(self.simulate_run(&start.runbook, &request, &home, now).await?);
        }
        Ok(Simulated {
            fires: self.ports.alerts.firing(&alert.identity, now).await?,
            others: others(&alert, &home, runbooks.is_empty()),
            runbooks,
            alert,
        })
    }

    async fn simulate_run(
        &self,
        runbook: &Runbook,
        request: &Request,
        home: &Home,
        now: DateTime<Utc>,
    ) -> Result<Match, JournalError> {
        let facts = Facts {
            alert_fires: true,
            ..self.foreseen(NEXT, request, runbook, now).await?
        };
        let ask = facts.ask(NEXT, request, runbook, home);
        let answers = gate::ask_each(&ask, now).into_iter();
        let gates: Vec<Saying> = answers.map(|(name, answer)| saying(name, answer)).collect();
        let first = gates.iter().find(|saying| saying.says != Says::Pass);
        Ok(Match {
            runbook: runbook.name.clone(),
            target: request.target.clone(),
            outcome: first.map_or(Says::Pass, |saying| saying.says),
            gates,
            asks: people::would_ask(runbook, home),
        })
    }
}

fn saying(gate: &str, answer: Answer) -> Saying {
    let (says, why, until) = match answer {
        Answer::Pass => (Says::Pass, String::new(), None),
        Answer::Wait { why, until, .. } => (Says::Wait, why, until),
        Answer::Refuse { why, .. } | Answer::GiveUp { why, .. } => (Says::Refuse, why, None),
        Answer::Cancel { why } => (Says::Cancel, why, None),
        Answer::Replace { why, .. } => (Says::Replace, why, None),
    };
    Saying {
        gate: gate.to_owned(),
        says,
        why,
        until,
    }
}

fn others(alert: &Alert, home: &Home, none_takes_it: bool) -> Vec<String> {
    if none_takes_it {
        return vec![nearest::nearest(alert, home)];
    }
    let taking: Vec<RunbookName> = trigger::from_alert(alert, home)
        .iter()
        .map(|start| start.runbook.name.clone())
        .collect();
    let all = home.runbooks.values().filter(|runbook| !taking.contains(&runbook.name));
    all.filter_map(|runbook| nearest::refused_by(runbook, alert)).collect()
}
