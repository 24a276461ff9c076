//! People say yes or no to plans that wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::action::{Action, Risk, sha256};
use evenkeel_model::grant::Grant;
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, CustomerId, RoundId, RunId, RunbookName, StepId};
use evenkeel_model::run::Body;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::engine::Engine;
use crate::live::Live;
use crate::port::JournalError;
use crate::record::Append;
use crate::run::{Approval, Run};

/// Digits of a plan's hash that name it at least.
const NAMED: usize = 8;

/// What somebody says to a plan.
#[derive(Clone, Debug)]
pub struct Decision {
    pub approve: bool,
    pub who: String,
    pub why: String,
}

/// A plan that waits, with all that there is to know before one says yes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    pub run: RunId,
    pub round: RoundId,
    pub runbook: RunbookName,
    pub target: Option<AssetId>,
    pub customer: Option<CustomerId>,
    /// Assets that depend on the target, directly or through others.
    pub dependents: Vec<AssetId>,
    pub step: StepId,
    pub summary: String,
    pub risk: Risk,
    /// A name among the home's approvers, and who that is.
    pub ask: Option<String>,
    pub people: Vec<String>,
    pub need: u32,
    pub approved_by: Vec<String>,
    pub asked_at: DateTime<Utc>,
    /// Then it is rejected.
    pub until: DateTime<Utc>,
    /// SHA-256 of the plan.
    pub plan: String,
    /// SHA-256 over all plans of its round that wait, with their runs and steps: what approves a round as it was seen.
    #[serde(default)]
    pub round_plans: String,
    /// With their effects, and what would undo them.
    pub actions: Vec<Action>,
    pub grants: Vec<Grant>,
}

impl Pending {
    /// Of all steps of a run that wait.
    pub fn of(run: RunId, fold: &Run, home: &Home) -> Vec<Self> {
        let waiting = fold.waiting_for_approval();
        waiting
            .filter_map(|(step, approval)| Self::of_step(run, fold, home, step, approval))
            .collect()
    }

    fn of_step(run: RunId, fold: &Run, home: &Home, step: &StepId, approval: &Approval) -> Option<Self> {
        let request = fold.request.as_ref()?;
        let plan = fold.plan(step)?;
        let authored = home.runbooks.get(&request.runbook);
        let grants = authored.and_then(|runbook| runbook.all_steps().find(|authored| authored.id == *step));
        Some(Self {
            run,
            round: request.round,
            runbook: request.runbook.clone(),
            target: request.target.clone(),
            customer: request.customer.clone(),
            dependents: request
                .target
                .as_ref()
                .map(|target| dependents(target, home))
                .unwrap_or_default(),
            step: step.clone(),
            summary: authored.map_or(String::new(), |runbook| runbook.summary.clone()),
            risk: plan.risk,
            ask: approval.ask.clone(),
            people: people(approval.ask.as_deref(), home),
            need: approval.need,
            approved_by: approval.approved.iter().map(|said| said.who.clone()).collect(),
            asked_at: approval.asked_at,
            until: approval.until,
            plan: plan.hash.as_str().to_owned(),
            round_plans: String::new(),
            actions: plan.actions.clone(),
            grants: grants.map(|step| step.grant.clone()).unwrap_or_default(),
        })
    }
}

/// Names the plans of each round as a whole.
pub fn by_rounds(mut pending: Vec<Pending>) -> Vec<Pending> {
    let mut rounds: BTreeMap<RoundId, BTreeSet<(RunId, &StepId, &str)>> = BTreeMap::new();
    for waiting in &pending {
        let plan = (waiting.run, &waiting.step, waiting.plan.as_str());
        rounds.entry(waiting.round).or_default().insert(plan);
    }
    let named = rounds
        .into_iter()
        .map(|(round, plans)| (round, sha256(json!(plans).to_string().as_bytes())));
    let named: BTreeMap<RoundId, String> = named.collect();
    for waiting in &mut pending {
        waiting.round_plans = named.get(&waiting.round).cloned().unwrap_or_default();
    }
    pending
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("there is no run {0}")]
    Unknown(RunId),
    #[error("run {0} waits for nobody's approval")]
    NothingAsked(RunId),
    #[error("run {0} waits with another plan than the one that was named; `evenkeel approvals` shows it")]
    OtherPlan(RunId),
    #[error("round {0} waits with other plans than those that were named; `evenkeel approvals` shows them")]
    OtherPlans(RoundId),
    #[error("run {0} waits with several plans: name one by its hash, as `evenkeel approvals` shows it")]
    Several(RunId),
    #[error("a plan is named by {NAMED} or more digits of its hash: less may be the beginning of any other, too")]
    TooShort,
    #[error("round {0} has no run that waits for an approval")]
    NothingAskedOf(RoundId),
    #[error(
        "{who} asked for run {run}, and nobody approves their own (`approve_own = true` under `[engine]` in \
         evenkeel.toml allows it, for a home with a single operator)"
    )]
    Own { run: RunId, who: String },
    #[error("{who} is not among those who may approve it: `{ask}` is {people}")]
    NotAsked { who: String, ask: String, people: String },
    #[error("{who} has approved run {run} already; it needs somebody else, too")]
    Again { run: RunId, who: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Engine {
    /// What waits for people, oldest first.
    pub fn pending(&self) -> Vec<Pending> {
        let home = self.home();
        let live = self.registry.all();
        let pending = live
            .iter()
            .flat_map(|live| live.recorder.read(|fold| Pending::of(live.id, fold, &home)));
        let mut pending: Vec<Pending> = pending.collect();
        pending.sort_by_key(|pending| (pending.asked_at, pending.run));
        by_rounds(pending)
    }

    /// Says yes or no to what a run waits with. `plan`: only if that is the hash of what it would do.
    ///
    /// # Errors
    /// It waits for nothing, or not for this person. Nothing was said.
    pub async fn decide(&self, run: RunId, plan: Option<&str>, said: &Decision) -> Result<(), ApprovalError> {
        let Some(live) = self.registry.get(run) else {
            let known = self.ports.journal.run(run).await?;
            return Err(known.map_or(ApprovalError::Unknown(run), |_| ApprovalError::NothingAsked(run)));
        };
        self.say(&live, plan, said).await
    }

    /// The same to all runs of a round that wait; answers which. `plans`: only if that is what they would do
    /// ([`Pending::round_plans`]).
    ///
    /// # Errors
    /// None of them waits, they would do something else, or one of them waits not for this person: nothing was said to any.
    /// If the journal can't be written, nothing was said to those after that.
    pub async fn decide_round(
        &self,
        round: RoundId,
        plans: Option<&str>,
        said: &Decision,
    ) -> Result<Vec<RunId>, ApprovalError> {
        let waiting: Vec<Pending> = self
            .pending()
            .into_iter()
            .filter(|pending| pending.round == round)
            .collect();
        let first = waiting.first().ok_or(ApprovalError::NothingAskedOf(round))?;
        match plans {
            Some(plans) if plans.len() < NAMED => return Err(ApprovalError::TooShort),
            Some(plans) if !first.round_plans.starts_with(plans) => return Err(ApprovalError::OtherPlans(round)),
            _ => {}
        }
        let (home, now) = (self.home(), self.ports.clock.now());
        let mut again = None;
        for waiting in &waiting {
            if let Some(live) = self.registry.get(waiting.run) {
                let told = live
                    .recorder
                    .read(|run| body(live.id, run, &home, Some(&waiting.plan), said, now));
                told.map(drop).or_else(|error| unless_it_is_over(error, &mut again))?;
            }
        }
        let waiting = waiting.into_iter().map(|pending| (pending.run, pending.plan));
        let mut runs = BTreeSet::new();
        for (run, plan) in waiting {
            match self.decide(run, Some(&plan), said).await {
                Ok(()) => drop(runs.insert(run)),
                Err(error) => unless_it_is_over(error, &mut again)?,
            }
        }
        match again {
            Some(again) if runs.is_empty() => Err(again),
            _ => Ok(runs.into_iter().collect()),
        }
    }

    async fn say(&self, live: &Arc<Live>, plan: Option<&str>, said: &Decision) -> Result<(), ApprovalError> {
        let home = self.home();
        loop {
            let now = self.ports.clock.now();
            let (mark, body) = live
                .recorder
                .read(|run| (run.mark, body(live.id, run, &home, plan, said, now)));
            match live.recorder.append_after(mark, vec![body?]).await? {
                Append::Done => {
                    live.touched.notify_one();
                    return Ok(());
                }
                Append::Stale => {}
            }
        }
    }
}

/// What came of others has ended its wait; or they have said so to that one before.
fn unless_it_is_over(error: ApprovalError, again: &mut Option<ApprovalError>) -> Result<(), ApprovalError> {
    match error {
        ApprovalError::NothingAsked(_) | ApprovalError::OtherPlan(_) => Ok(()),
        ApprovalError::Again { .. } => {
            again.get_or_insert(error);
            Ok(())
        }
        error => Err(error),
    }
}

fn body(
    id: RunId,
    run: &Run,
    home: &Home,
    plan: Option<&str>,
    said: &Decision,
    now: DateTime<Utc>,
) -> Result<Body, ApprovalError> {
    let (step, approval) = meant(id, run, plan, &said.who)?;
    if approval.until <= now {
        return Err(ApprovalError::NothingAsked(id));
    }
    may(id, run, approval, home, said)?;
    let (step, who, why) = (step.clone(), said.who.clone(), said.why.clone());
    Ok(match said.approve {
        true => Body::Approved {
            step,
            binding: approval.binding.clone(),
            enough: approval.approved.len() + 1 >= approval.need as usize,
            who,
            why,
        },
        false => Body::Declined { step, who, why },
    })
}

/// What waits, and is named if anything is; of plans that are the same, one that this person has not
/// approved yet.
fn meant<'r>(
    id: RunId,
    run: &'r Run,
    plan: Option<&str>,
    who: &str,
) -> Result<(&'r StepId, &'r Approval), ApprovalError> {
    if plan.is_some_and(|plan| plan.len() < NAMED) {
        return Err(ApprovalError::TooShort);
    }
    let hash = |step| run.plan(step).map(|plan| plan.hash.as_str());
    let is_meant = |step| plan.is_none_or(|plan| hash(step).is_some_and(|hash| hash.starts_with(plan)));
    let meant: Vec<_> = run.waiting_for_approval().filter(|(step, _)| is_meant(step)).collect();
    let is_new = |(_, approval): &&(_, &Approval)| approval.approved.iter().all(|before| before.who != who);
    match (meant.iter().find(is_new).or(meant.first()), meant.len()) {
        (Some(_), 2..) if plan.is_none() => Err(ApprovalError::Several(id)),
        (Some(meant), _) => Ok(*meant),
        (None, _) if run.waits_for_approval() => Err(ApprovalError::OtherPlan(id)),
        (None, _) => Err(ApprovalError::NothingAsked(id)),
    }
}

/// Whoever is asked may say no to their own, and only others yes.
fn may(id: RunId, run: &Run, approval: &Approval, home: &Home, said: &Decision) -> Result<(), ApprovalError> {
    let who = said.who.clone();
    if let Some(ask) = &approval.ask {
        let people = people(Some(ask), home);
        if !people.contains(&who) {
            let people = if people.is_empty() {
                "nobody".into()
            } else {
                people.join(", ")
            };
            return Err(ApprovalError::NotAsked {
                who,
                ask: ask.clone(),
                people,
            });
        }
    }
    if !said.approve {
        return Ok(());
    }
    let own = run.request.as_ref().and_then(|request| request.person()) == Some(&who);
    if own && !home.settings.approve_own {
        return Err(ApprovalError::Own { run: id, who });
    }
    match approval.approved.iter().any(|before| before.who == who) {
        true => Err(ApprovalError::Again { run: id, who }),
        false => Ok(()),
    }
}

pub(crate) fn people(ask: Option<&str>, home: &Home) -> Vec<String> {
    let group = ask.and_then(|ask| home.settings.approvers.get(ask));
    group.map(|group| group.people.clone()).unwrap_or_default()
}

/// So many people have to say yes.
pub(crate) fn need(ask: Option<&str>, home: &Home) -> u32 {
    let group = ask.and_then(|ask| home.settings.approvers.get(ask));
    group.map_or(1, |group| group.need)
}

/// Everything that needs `target`, however far away, in the order of their ids.
fn dependents(target: &AssetId, home: &Home) -> Vec<AssetId> {
    let mut needing: BTreeMap<&AssetId, Vec<&AssetId>> = BTreeMap::new();
    for asset in home.assets.values() {
        for on in &asset.depends_on {
            needing.entry(on).or_default().push(&asset.id);
        }
    }
    let (mut found, mut next) = (BTreeSet::new(), vec![target]);
    while let Some(asset) = next.pop() {
        for dependent in needing.get(asset).into_iter().flatten() {
            if *dependent != target && found.insert((*dependent).clone()) {
                next.push(dependent);
            }
        }
    }
    found.into_iter().collect()
}
