//! "Why did it run?" and "why did it not?", from the record.

pub mod nearest;
pub mod people;
pub mod simulate;

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::{Alert, Identity};
use evenkeel_model::hold::Hold;
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, RunbookName};
use evenkeel_model::run::{Body, Event, Occurrence, Summary};
use evenkeel_model::runbook::On;
use evenkeel_model::target;
use serde::{Deserialize, Serialize};

use self::people::Asked;
use crate::port::gates::{Happening, Ledger, Unstarted};
use crate::port::{Journal, JournalError, RunFilter};
use crate::run::Run;
use crate::trigger;

/// Runs in one answer, at most.
pub const MOST: usize = 200;
/// Runs that are looked at for it.
const LOOKED_AT: usize = 5_000;
const PAGE: usize = 500;
/// Pages of a run's events that are looked at.
const PAGES: usize = 20;

/// What is left out doesn't narrow it down.
#[derive(Clone, Debug)]
pub struct Question {
    pub runbook: Option<RunbookName>,
    pub asset: Option<AssetId>,
    /// A fingerprint, or a name.
    pub alert: Option<String>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Runs, and as many other happenings.
    pub limit: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The newest first.
    pub runs: Vec<Story>,
    /// There are more runs than were asked for.
    pub more: bool,
    /// The newest first.
    pub unstarted: Vec<Unstarted>,
    /// Pauses and silences that stood in that time.
    pub holds: Vec<Hold>,
}

/// A run, what was said before it started, or instead, and what people said of its plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    pub summary: Summary,
    pub alert: Option<Trigger>,
    pub said: Vec<Event>,
    /// The people that it waits for now.
    #[serde(default)]
    pub waits: Vec<Asked>,
}

/// The alert that started it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    pub identity: Identity,
    pub starts_at: DateTime<Utc>,
}

pub async fn tell(
    journal: &dyn Journal,
    ledger: &dyn Ledger,
    home: &Home,
    question: &Question,
) -> Result<Told, JournalError> {
    let (runs, more) = runs(journal, home, question).await?;
    let holds = ledger.holds(question.from).await?;
    let (asked, served) = (question.clone(), home.clone());
    let wanted = Box::new(move |unstarted: &Unstarted| concerns(unstarted, &asked, &served));
    let limit = question.limit.clamp(1, MOST);
    let mut unstarted = ledger.unstarted(question.from, question.to, limit, wanted).await?;
    for passed in last_passed(journal, home, question).await? {
        if !unstarted.iter().any(|known| known.what == passed.what) {
            unstarted.push(passed);
        }
    }
    unstarted.sort_by_key(|unstarted| Reverse(unstarted.at));
    unstarted.truncate(limit);
    Ok(Told {
        from: question.from,
        to: question.to,
        runs,
        more,
        unstarted,
        holds: holds.into_iter().filter(|hold| hold.since <= question.to).collect(),
    })
}

// ---- runs --------------------------------------------------------------------------------

async fn runs(journal: &dyn Journal, home: &Home, question: &Question) -> Result<(Vec<Story>, bool), JournalError> {
    let limit = question.limit.clamp(1, MOST);
    let (mut found, mut looked_at, mut before) = (Vec::new(), 0, None);
    loop {
        let filter = RunFilter {
            runbook: question.runbook.clone(),
            target: question.asset.clone(),
            before,
            from: Some(question.from),
            to: Some(question.to),
            limit: PAGE,
            ..RunFilter::default()
        };
        let page = journal.runs(filter).await?;
        let last = page.len() < PAGE;
        before = page.last().map(|run| run.run);
        looked_at += page.len();
        for summary in page {
            let Some(alert) = asked_for(journal, &summary, question).await? else {
                continue;
            };
            if found.len() == limit {
                return Ok((found, true));
            }
            let (said, waits) = said(journal, home, &summary).await?;
            found.push(Story {
                summary,
                alert,
                said,
                waits,
            });
        }
        if last || looked_at >= LOOKED_AT {
            return Ok((found, !last));
        }
    }
}

/// None: the question is not about it. Else the alert that started it, if one did.
async fn asked_for(
    journal: &dyn Journal,
    summary: &Summary,
    question: &Question,
) -> Result<Option<Option<Trigger>>, JournalError> {
    let Occurrence::Alert {
        identity, starts_at, ..
    } = &summary.occurrence
    else {
        return Ok(question.alert.is_none().then_some(None));
    };
    let first = journal.events_after(summary.run, 0, 1).await?;
    let name = first.into_iter().find_map(|event| match event.body {
        Body::Requested(request) => request.alert.map(|alert| alert.name().to_owned()),
        _ => None,
    });
    let trigger = Trigger {
        name: name.unwrap_or_default(),
        identity: identity.clone(),
        starts_at: *starts_at,
    };
    let asked = question.alert.as_ref();
    let asked = asked.is_none_or(|alert| *alert == trigger.name || *alert == trigger.identity.fingerprint);
    Ok(asked.then_some(Some(trigger)))
}

/// Of all its events, what says why it did or did not start, what people said and what came of it;
/// and whom it waits for. What has not finished is read to its end, for that is where it waits.
async fn said(journal: &dyn Journal, home: &Home, summary: &Summary) -> Result<(Vec<Event>, Vec<Asked>), JournalError> {
    let goes_on = summary.finished_at.is_none();
    let pages = if goes_on { usize::MAX } else { PAGES };
    let (mut said, mut run, mut after) = (Vec::new(), Run::default(), 0);
    for _ in 0..pages {
        let page = journal.events_after(summary.run, after, PAGE).await?;
        let last = page.len() < PAGE;
        after = page.last().map_or(after, |event| event.seq);
        if goes_on {
            page.iter().for_each(|event| run.apply(event));
        }
        said.extend(page.into_iter().filter(|event| tells(&event.body)));
        if last {
            break;
        }
    }
    Ok((said, people::asked(&run, home)))
}

fn tells(body: &Body) -> bool {
    matches!(
        body,
        Body::Waiting { .. }
            | Body::Refused { .. }
            | Body::Started
            | Body::ApprovalAsked { .. }
            | Body::Approved { .. }
            | Body::Declined { .. }
            | Body::PlanVoid { .. }
            | Body::Escalated { .. }
            | Body::CancelRequested { .. }
            | Body::Finished { .. }
    )
}

// ---- what started nothing ----------------------------------------------------------------

/// The last ticks of each schedule that were passed over: of those, older versions kept no others, and
/// not beside what else started nothing.
async fn last_passed(journal: &dyn Journal, home: &Home, question: &Question) -> Result<Vec<Unstarted>, JournalError> {
    let schedules = journal.schedules().await?;
    let passed = schedules.into_iter().filter_map(|scheduled| {
        let passed = scheduled.passed?;
        Some(passed.unstarted(&scheduled.runbook, &scheduled.schedule))
    });
    let in_time = |unstarted: &Unstarted| unstarted.at >= question.from && unstarted.since() <= question.to;
    let asked = passed.filter(|unstarted| in_time(unstarted) && concerns(unstarted, question, home));
    Ok(asked.collect())
}

fn concerns(unstarted: &Unstarted, question: &Question, home: &Home) -> bool {
    let is_runbook = |name: &RunbookName| question.runbook.as_ref().is_none_or(|asked| asked == name);
    match &unstarted.what {
        Happening::Alert(alert) => concerns_alert(alert, question, home),
        Happening::Ticks { runbook, .. } => {
            let selects = |asset: &AssetId| {
                home.runbooks
                    .get(runbook)
                    .is_some_and(|runbook| selects(runbook, asset, home))
            };
            question.alert.is_none() && is_runbook(runbook) && question.asset.as_ref().is_none_or(selects)
        }
        Happening::Attempt { runbook, target, .. } => {
            let is_asset = question.asset.is_none() || question.asset == *target;
            question.alert.is_none() && is_runbook(runbook) && is_asset
        }
    }
}

fn concerns_alert(alert: &Alert, question: &Question, home: &Home) -> bool {
    let takes = |name: &RunbookName| {
        let on = home.runbooks.get(name).into_iter().flat_map(|runbook| &runbook.on);
        on.filter_map(|on| match on {
            On::Alert { name, .. } => Some(name),
            On::Cron { .. } => None,
        })
        .any(|name| name == alert.name())
    };
    let names = |id: &AssetId| {
        let asset = home.assets.get(id).into_iter().map(AsRef::as_ref);
        !target::named_by(&alert.labels, Some(&alert.identity.customer), asset).is_empty()
    };
    let is = |asked: &String| asked == alert.name() || *asked == alert.identity.fingerprint;
    question.runbook.as_ref().is_none_or(takes)
        && question.asset.as_ref().is_none_or(names)
        && question.alert.as_ref().is_none_or(is)
}

fn selects(runbook: &evenkeel_model::runbook::Runbook, asset: &AssetId, home: &Home) -> bool {
    trigger::selected(runbook, home)
        .iter()
        .any(|selected| selected.id == *asset)
}
