//! The people that a run waits for, or would wait for.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use evenkeel_model::action::Risk;
use evenkeel_model::home::Home;
use evenkeel_model::name::{RunbookName, StepId};
use evenkeel_model::plugin::Kind;
use evenkeel_model::runbook::{Does, Runbook, Step};
use serde::{Deserialize, Serialize};

use crate::approve;
use crate::run::{Approval, Run};

/// A plan that waits for a yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub step: StepId,
    /// A name among the home's approvers, and who that is; none: whoever may talk to the daemon.
    pub ask: Option<String>,
    pub people: Vec<String>,
    /// So many of them have to say yes.
    pub need: u32,
    pub approved_by: Vec<String>,
    pub asked_at: DateTime<Utc>,
    /// Then it is rejected.
    pub until: DateTime<Utc>,
}

/// A step whose plan would wait for a yes, if it is as risky as that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldAsk {
    /// The one that was tried, or one that a step of it has run.
    pub runbook: RunbookName,
    pub step: StepId,
    /// From this risk up.
    pub from: Risk,
    pub ask: Option<String>,
    pub people: Vec<String>,
    pub need: u32,
}

pub(super) fn asked(run: &Run, home: &Home) -> Vec<Asked> {
    if run.finished.is_some() {
        return Vec::new();
    }
    let asked = |(step, approval): (&StepId, &Approval)| Asked {
        step: step.clone(),
        ask: approval.ask.clone(),
        people: approve::people(approval.ask.as_deref(), home),
        need: approval.need,
        approved_by: approval.approved.iter().map(|said| said.who.clone()).collect(),
        asked_at: approval.asked_at,
        until: approval.until,
    };
    run.waiting_for_approval().map(asked).collect()
}

/// What its steps say, in their order, and those of the runbooks that they have run.
pub(super) fn would_ask(runbook: &Runbook, home: &Home) -> Vec<WouldAsk> {
    let mut asking = Vec::new();
    collect(runbook, home, &mut BTreeSet::new(), &mut asking);
    asking
}

fn collect(runbook: &Runbook, home: &Home, seen: &mut BTreeSet<RunbookName>, asking: &mut Vec<WouldAsk>) {
    if !seen.insert(runbook.name.clone()) {
        return;
    }
    for step in &runbook.steps {
        asking.extend(of_step(runbook, step, home));
        if let Does::Runbook(name) = &step.does
            && let Some(below) = home.runbooks.get(name)
        {
            collect(below, home, seen, asking);
        }
    }
}

fn of_step(runbook: &Runbook, step: &Step, home: &Home) -> Option<WouldAsk> {
    let from = step.ask_from.filter(|_| step.kind() == Some(Kind::Remedy))?;
    Some(WouldAsk {
        runbook: runbook.name.clone(),
        step: step.id.clone(),
        from,
        ask: step.ask.clone(),
        people: approve::people(step.ask.as_deref(), home),
        need: approve::need(step.ask.as_deref(), home),
    })
}
