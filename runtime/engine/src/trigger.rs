//! From what happened to the rounds that it starts: pure.
//!
//! `[targets]` bounds every trigger. A schedule takes all that it selects, an alert the one of
//! them that it names within its own customer, a person the one they say, or all if they say
//! that; what they leave out is one target at most. A runbook without
//! `select` acts on the asset `local`, whoever starts it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Alert;
use evenkeel_model::asset::Asset;
use evenkeel_model::cron::Schedule;
use evenkeel_model::home::Home;
use evenkeel_model::name::AssetId;
use evenkeel_model::run::{Mode, Occurrence, Request};
use evenkeel_model::runbook::{Batch, Input, InputKind, On, Runbook};
use evenkeel_model::target;
use serde_json::{Map, Value};

use crate::port::{NewRound, NewRun};
use crate::request::{PersonRequest, RequestError};
use crate::words;

/// What a runbook without `[targets] select` acts on.
const LOCAL: &str = "local";

/// Targets that an error names.
const LISTED: usize = 10;

/// A round that is to be opened, with the runbook that it is of.
#[derive(Clone, Debug)]
pub struct Start {
    pub runbook: Arc<Runbook>,
    pub round: NewRound,
}

/// One round for each runbook that an alert starts, however many of its `[[on]]` match.
pub fn from_alert(alert: &Alert, home: &Home) -> Vec<Start> {
    let all = home.runbooks.values();
    all.filter_map(|runbook| by_alert(runbook, alert, home, 1)).collect()
}

/// The round of an attempt at what the alert is about; none: the runbook doesn't take it.
pub fn by_alert(runbook: &Arc<Runbook>, alert: &Alert, home: &Home, attempt: u32) -> Option<Start> {
    on(runbook, alert).next()?;
    let targets = match named(runbook, alert, home) {
        Ok(asset) => runs_on(vec![asset], Batch::All),
        Err(_) => vec![NewRun {
            customer: Some(alert.identity.customer.clone()),
            ..NewRun::default()
        }],
    };
    let occurrence = Occurrence::Alert {
        runbook: runbook.name.clone(),
        identity: alert.identity.clone(),
        starts_at: alert.starts_at,
        attempt,
    };
    Some(Start {
        runbook: Arc::clone(runbook),
        round: NewRound {
            alert: Some(alert.clone()),
            ..round(runbook, occurrence, targets)
        },
    })
}

/// The round of a tick, over all that the runbook selects.
pub fn from_tick(runbook: &Arc<Runbook>, schedule: &Schedule, at: DateTime<Utc>, home: &Home) -> Start {
    let assets = selected(runbook, home);
    let targets = if assets.is_empty() {
        // Refused by the gate `target`, so that it can be read that nothing was done, and why.
        vec![NewRun::default()]
    } else {
        runs_on(assets, runbook.targets.batch)
    };
    let occurrence = Occurrence::Tick {
        runbook: runbook.name.clone(),
        schedule: schedule_name(schedule),
        at,
    };
    Start {
        runbook: Arc::clone(runbook),
        round: round(runbook, occurrence, targets),
    }
}

/// The round that a person asks for.
///
/// # Errors
/// What they named does not exist, is not selected, or an input is not what it must be.
pub fn from_person(request: &PersonRequest, home: &Home) -> Result<Start, RequestError> {
    let Some(runbook) = home.runbooks.get(&request.runbook) else {
        return Err(RequestError::UnknownRunbook {
            name: request.runbook.clone(),
            suggestion: words::closest(request.runbook.as_str(), home.runbooks.keys().map(|name| name.as_str())),
        });
    };
    let targets = persons_targets(request, runbook, home)?;
    let occurrence = Occurrence::Person {
        runbook: runbook.name.clone(),
        request: request.request.clone(),
        who: request.who.clone(),
    };
    Ok(Start {
        runbook: Arc::clone(runbook),
        round: NewRound {
            mode: request.mode,
            alert: request.alert.clone(),
            input: Value::Object(inputs(&runbook.inputs, &request.input)?),
            override_freeze: request.override_freeze.clone(),
            ..round(runbook, occurrence, targets)
        },
    })
}

/// The round that a step of another run asks for: on the same target, if the runbook selects any, with
/// what that run was asked with. The error is why it can't be.
pub(crate) fn from_step(
    runbook: &Arc<Runbook>,
    occurrence: Occurrence,
    above: &Request,
    set: &Value,
    home: &Home,
) -> Result<Start, String> {
    let asset = match (&runbook.targets.select, &above.target) {
        (None, _) => local(home)?,
        (Some(_), None) => return Err("the run has no target".to_owned()),
        (Some(_), Some(id)) => said(id, runbook, home).map_err(|error| error.to_string())?,
    };
    let set = set.as_object().cloned().unwrap_or_default();
    let input = inputs(&runbook.inputs, &set).map_err(|error| error.to_string())?;
    Ok(Start {
        runbook: Arc::clone(runbook),
        round: NewRound {
            mode: above.mode,
            alert: above.alert.clone(),
            input: Value::Object(input),
            override_freeze: above.override_freeze.clone(),
            asked_by: above.person().cloned(),
            ..round(runbook, occurrence, runs_on(vec![asset], Batch::All))
        },
    })
}

/// How a schedule is named in an occurrence and in the journal.
pub fn schedule_name(schedule: &Schedule) -> String {
    format!("{} {}", schedule.expression, schedule.zone)
}

/// A run goes on although its alert resolved, if any `[[on]]` that it matches says so.
pub fn goes_on_when_resolved(runbook: &Runbook, alert: &Alert) -> bool {
    on(runbook, alert).any(|goes_on| goes_on)
}

/// The `on_resolve = "continue"` of each `[[on]]` that the alert matches.
fn on<'a>(runbook: &'a Runbook, alert: &'a Alert) -> impl Iterator<Item = bool> + 'a {
    runbook.on.iter().filter_map(|on| match on {
        On::Alert {
            name,
            matching,
            on_resolve_continue,
        } => (name == alert.name() && matching.matches(&alert.labels)).then_some(*on_resolve_continue),
        On::Cron { .. } => None,
    })
}

pub(crate) fn round(runbook: &Runbook, occurrence: Occurrence, targets: Vec<NewRun>) -> NewRound {
    NewRound {
        occurrence,
        runbook: runbook.name.clone(),
        text_hash: runbook.hash.clone(),
        text: runbook.text.clone(),
        mode: Mode::Live,
        alert: None,
        input: Value::Object(defaults(&runbook.inputs)),
        targets,
        override_freeze: None,
        asked_by: None,
        has_after: !runbook.after.is_empty(),
    }
}

// ---- targets -----------------------------------------------------------------------------

/// All that the runbook selects, by id.
pub fn selected(runbook: &Runbook, home: &Home) -> Vec<Arc<Asset>> {
    match &runbook.targets.select {
        None => home.assets.get(&AssetId::from(LOCAL)).cloned().into_iter().collect(),
        Some(_) => {
            let assets = home.assets.values();
            assets.filter(|asset| selects(runbook, asset)).cloned().collect()
        }
    }
}

fn selects(runbook: &Runbook, asset: &Asset) -> bool {
    match &runbook.targets.select {
        None => asset.id.as_str() == LOCAL,
        Some(select) => select.matches(&asset.selectable()),
    }
}

/// The one asset that an alert's labels name, of those that the runbook selects and of the
/// alert's customer; or why there isn't exactly one.
pub fn named(runbook: &Runbook, alert: &Alert, home: &Home) -> Result<Arc<Asset>, String> {
    let Some(select) = &runbook.targets.select else {
        return local(home);
    };
    let customer = &alert.identity.customer;
    // First by name: to look at all labels of a large home for each of many alerts takes longer.
    let ids = target::named_by(&alert.labels, Some(customer), home.assets.values().map(Arc::as_ref));
    let named = ids.iter().filter_map(|id| home.assets.get(id));
    let named: Vec<&Arc<Asset>> = named.filter(|asset| selects(runbook, asset)).collect();
    match named.as_slice() {
        [asset] => Ok(Arc::clone(asset)),
        [] => Err(format!(
            "no asset of customer `{customer}` that `{}` selects is named by the alert's labels ({})",
            select.text,
            looked_at(alert),
        )),
        several => Err(format!(
            "the alert's labels ({}) name {} assets: {}; a run wants exactly one",
            looked_at(alert),
            several.len(),
            several
                .iter()
                .map(|asset| format!("`{}`", asset.id))
                .collect::<Vec<_>>()
                .join(", "),
        )),
    }
}

fn local(home: &Home) -> Result<Arc<Asset>, String> {
    let local = home.assets.get(&AssetId::from(LOCAL));
    local.cloned().ok_or_else(|| "the home has no asset `local`".to_owned())
}

/// Why a schedule found nothing.
pub fn nothing_selected(runbook: &Runbook) -> String {
    match &runbook.targets.select {
        Some(select) => format!("no asset matches `{}`", select.text),
        None => "the home has no asset `local`".to_owned(),
    }
}

/// The labels that an asset is looked for in (see [`target::named_by`]), with their values.
fn looked_at(alert: &Alert) -> String {
    let said: Vec<String> = ["asset", "instance"]
        .iter()
        .filter_map(|name| Some(format!("{name}=\"{}\"", alert.labels.get(*name)?)))
        .collect();
    if said.is_empty() {
        "it has neither `asset` nor `instance`".into()
    } else {
        said.join(", ")
    }
}

fn persons_targets(request: &PersonRequest, runbook: &Arc<Runbook>, home: &Home) -> Result<Vec<NewRun>, RequestError> {
    let no_target = |why| RequestError::NoTarget {
        runbook: runbook.name.clone(),
        why,
    };
    match (&request.target, &request.alert) {
        (Some(id), _) => Ok(runs_on(vec![said(id, runbook, home)?], Batch::All)),
        (None, Some(alert)) => {
            let asset = named(runbook, alert, home).map_err(no_target)?;
            Ok(runs_on(vec![asset], Batch::All))
        }
        (None, None) => match selected(runbook, home) {
            none if none.is_empty() => Err(no_target(nothing_selected(runbook))),
            several if several.len() > 1 && !request.all => Err(RequestError::SeveralTargets {
                runbook: runbook.name.clone(),
                count: several.len(),
                listed: listed(&several),
            }),
            assets => Ok(runs_on(assets, runbook.targets.batch)),
        },
    }
}

fn listed(assets: &[Arc<Asset>]) -> String {
    let names = assets.iter().take(LISTED).map(|asset| format!("`{}`", asset.id));
    let names = names.collect::<Vec<_>>().join(", ");
    match assets.len().saturating_sub(LISTED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// The asset that a person says, if the runbook selects it.
fn said(id: &AssetId, runbook: &Runbook, home: &Home) -> Result<Arc<Asset>, RequestError> {
    let Some(asset) = home.assets.get(id) else {
        return Err(RequestError::UnknownTarget {
            asset: id.clone(),
            suggestion: words::closest(id.as_str(), home.assets.keys().map(|id| id.as_str())),
        });
    };
    if selects(runbook, asset) {
        return Ok(Arc::clone(asset));
    }
    let why = match &runbook.targets.select {
        Some(select) => format!("it is not among what `{}` selects", select.text),
        None => "without `[targets] select` it acts on `local` alone".to_owned(),
    };
    Err(RequestError::NotSelected {
        runbook: runbook.name.clone(),
        asset: id.clone(),
        why,
    })
}

/// A run a target, in batches: a share of the targets is rounded up, so that it is at least one.
fn runs_on(assets: Vec<Arc<Asset>>, batch: Batch) -> Vec<NewRun> {
    let size = match batch {
        Batch::All => assets.len().max(1),
        Batch::Count(count) => count.get() as usize,
        Batch::Percent(percent) => (assets.len() * usize::from(percent)).div_ceil(100).max(1),
    };
    let runs = assets.iter().enumerate().map(|(index, asset)| NewRun {
        target: Some(asset.id.clone()),
        customer: Some(asset.customer.clone()),
        batch: u32::try_from(index / size).unwrap_or(u32::MAX),
        runs: Vec::new(),
    });
    runs.collect()
}

// ---- inputs ------------------------------------------------------------------------------

fn defaults(inputs: &[Input]) -> Map<String, Value> {
    inputs
        .iter()
        .filter_map(|input| Some((input.name.clone(), input.default.clone()?)))
        .collect()
}

/// What was set, over the defaults.
fn inputs(declared: &[Input], set: &Map<String, Value>) -> Result<Map<String, Value>, RequestError> {
    let error = |name: &str, why: String| RequestError::Input {
        name: name.to_owned(),
        why,
    };
    if let Some(unknown) = set
        .keys()
        .find(|name| declared.iter().all(|input| input.name != **name))
    {
        let suggestion = words::closest(unknown, declared.iter().map(|input| input.name.as_str()));
        let hint = suggestion.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        return Err(error(unknown, format!("the runbook takes no such input{hint}")));
    }
    let mut values = defaults(declared);
    for input in declared {
        match set.get(&input.name) {
            Some(value) => {
                let value = of_kind(value, input.kind).map_err(|why| error(&input.name, why))?;
                values.insert(input.name.clone(), value);
            }
            None if values.contains_key(&input.name) => {}
            None => return Err(error(&input.name, "it has no default and must be set".into())),
        }
    }
    Ok(values)
}

fn of_kind(value: &Value, kind: InputKind) -> Result<Value, String> {
    let text = value.as_str();
    let (wanted, value) = match kind {
        InputKind::String => ("a string", value.is_string().then(|| value.clone())),
        InputKind::Integer => {
            let parsed = text.and_then(|text| text.parse::<i64>().ok()).map(Value::from);
            ("an integer", parsed.or_else(|| value.as_i64().map(Value::from)))
        }
        InputKind::Number => {
            let parsed = text
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|number| number.is_finite());
            (
                "a number",
                parsed
                    .map(Value::from)
                    .or_else(|| value.is_number().then(|| value.clone())),
            )
        }
        InputKind::Boolean => {
            let parsed = text.and_then(|text| text.parse::<bool>().ok()).map(Value::from);
            ("`true` or `false`", parsed.or_else(|| value.as_bool().map(Value::from)))
        }
    };
    value.ok_or_else(|| format!("it must be {wanted}"))
}
