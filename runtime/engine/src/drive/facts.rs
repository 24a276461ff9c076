//! What the gates look at, gathered.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, RunId};
use evenkeel_model::run::{Mode, Occurrence, Request, Summary};
use evenkeel_model::runbook::{Limits, Runbook};

use crate::engine::Engine;
use crate::gate::{Ask, Other};
use crate::holds::Held;
use crate::live::{Holder, Live};
use crate::port::JournalError;
use crate::port::gates::Record;
use crate::run::{GateState, Run};

/// Of a run that asks its gates.
pub(crate) struct Facts {
    /// The one that is served now.
    pub(crate) home: Arc<Home>,
    pub(crate) holds: Arc<Vec<Held>>,
    pub(crate) history: Vec<Summary>,
    pub(crate) record: Record,
    pub(crate) alert_fires: bool,
    pub(crate) unheard_until: Option<DateTime<Utc>>,
    pub(crate) others: Vec<Other>,
    pub(crate) fleet_full: Option<usize>,
    pub(crate) holder: Option<Holder>,
}

impl Facts {
    pub(crate) fn ask<'a>(&'a self, run: RunId, request: &'a Request, runbook: &'a Runbook, home: &'a Home) -> Ask<'a> {
        Ask {
            windows: &self.home.settings.windows,
            holds: &self.holds,
            history: &self.history,
            record: &self.record,
            alert_fires: self.alert_fires,
            unheard_until: self.unheard_until,
            others: &self.others,
            fleet_full: self.fleet_full,
            holder: self.holder.clone(),
            ..Ask::plain(run, request, runbook, home)
        }
    }
}

impl Engine {
    /// All but what the run takes for itself: its target and its place in the fleet.
    pub(crate) async fn facts(
        &self,
        run: RunId,
        request: &Request,
        runbook: &Runbook,
        now: DateTime<Utc>,
    ) -> Result<Facts, JournalError> {
        let place = request.target.as_ref().filter(|_| request.mode == Mode::Live);
        let (history, record) = match place {
            Some(target) => {
                let (mut history, record) = self.past(runbook, target, now).await?;
                history.retain(|other| !is_of_same_tree(other.run, &other.occurrence, run, &request.occurrence));
                (history, record)
            }
            None => Default::default(),
        };
        let alert_fires = self.alert_fires(request, now).await?;
        Ok(Facts {
            home: self.home(),
            holds: self.holds.borrow().clone(),
            history,
            record,
            alert_fires,
            unheard_until: None,
            others: place.map_or(Vec::new(), |target| self.others(runbook, target, run, request)),
            fleet_full: None,
            holder: None,
        })
    }

    /// The same with the target and the fleet as they are, for a run that takes neither.
    pub(crate) async fn foreseen(
        &self,
        run: RunId,
        request: &Request,
        runbook: &Runbook,
        now: DateTime<Utc>,
    ) -> Result<Facts, JournalError> {
        let facts = self.facts(run, request, runbook, now).await?;
        let Some(target) = request.target.as_ref().filter(|_| request.mode == Mode::Live) else {
            return Ok(facts);
        };
        let fleet = || self.berths.full(runbook, &self.home());
        Ok(Facts {
            holder: self.slots.of(target).holder(),
            fleet_full: runbook.may_change().then(fleet).flatten(),
            ..facts
        })
    }

    async fn past(
        &self,
        runbook: &Runbook,
        target: &AssetId,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Summary>, Record), JournalError> {
        // A check leaves no trace that a gate asks for.
        if !runbook.may_change() {
            return Ok(Default::default());
        }
        let since = now.checked_sub_signed(lookback(&runbook.limits));
        let since = since.unwrap_or(DateTime::UNIX_EPOCH);
        let history = self.ports.journal.history(&runbook.name, target, since).await?;
        let strikes = runbook.limits.strikes.get() as usize;
        let record = self.ports.ledger.record(&runbook.name, target, strikes).await?;
        Ok((history, record))
    }

    pub(crate) async fn alert_fires(&self, request: &Request, now: DateTime<Utc>) -> Result<bool, JournalError> {
        match &request.occurrence {
            Occurrence::Alert { identity, .. } => self.ports.alerts.firing(identity, now).await,
            _ => Ok(true),
        }
    }

    /// Those of `[[after]]` are among themselves.
    fn others(&self, runbook: &Runbook, target: &AssetId, run: RunId, request: &Request) -> Vec<Other> {
        let live = self.registry.at(&runbook.name, target);
        let others = live.iter().filter(|live| live.id != run).filter_map(|live| other(live));
        others
            .filter(|other| other.occurrence.is_after() == request.occurrence.is_after())
            .filter(|other| !is_of_same_tree(other.run, &other.occurrence, run, &request.occurrence))
            .collect()
    }
}

/// What one run asked for, directly or through others, is one repair: it does not bound itself.
fn is_of_same_tree(one: RunId, of_one: &Occurrence, other: RunId, of_other: &Occurrence) -> bool {
    let root = |run, occurrence: &Occurrence| occurrence.above().first().copied().unwrap_or(run);
    root(one, of_one) == root(other, of_other)
}

fn lookback(limits: &Limits) -> TimeDelta {
    let within = limits.max_runs.map(|bound| bound.within).unwrap_or_default();
    TimeDelta::from_std(limits.cooldown.max(within)).unwrap_or(TimeDelta::MAX)
}

/// None: it has finished.
fn other(live: &Live) -> Option<Other> {
    live.recorder.read(|run: &Run| {
        let request = run.request.as_ref().filter(|_| run.finished.is_none())?;
        Some(Other {
            run: live.id,
            occurrence: request.occurrence.clone(),
            started: run.started_at.is_some(),
            changing: run.has_begun_to_apply(),
            cancelled: run.cancel.is_some(),
            waits_for: match &run.gate {
                GateState::Waiting { gate, .. } => Some(gate.clone()),
                _ => None,
            },
        })
    })
}
