//! Why an alert starts nothing, and what came nearest. Pure.

use evenkeel_model::alert::Alert;
use evenkeel_model::home::Home;
use evenkeel_model::runbook::{MatchOp, Matcher, On, Runbook, Selector};

use crate::words;

/// Runbooks that are named.
const NAMED: usize = 3;

/// To be asked only if no runbook takes the alert.
pub fn nearest(alert: &Alert, home: &Home) -> String {
    let of_its_name: Vec<String> = home
        .runbooks
        .values()
        .filter_map(|runbook| refused_by(runbook, alert))
        .take(NAMED)
        .collect();
    if !of_its_name.is_empty() {
        return of_its_name.join("; ");
    }
    let name = alert.name();
    let taken = || {
        home.runbooks
            .values()
            .flat_map(|runbook| taken(runbook).map(move |(name, _)| (runbook, name)))
    };
    let near = words::closest(name, taken().map(|(_, name)| name));
    let near = near.and_then(|near| taken().find(|(_, name)| *name == near));
    match near {
        Some((runbook, near)) => {
            format!(
                "no runbook takes an alert `{name}`; the nearest is `{near}`, which `{}` takes",
                runbook.name
            )
        }
        None => format!("no runbook takes an alert `{name}`"),
    }
}

/// Why a runbook that takes alerts of this name doesn't take this one.
pub fn refused_by(runbook: &Runbook, alert: &Alert) -> Option<String> {
    let mut refusals = taken(runbook)
        .filter(|(name, _)| *name == alert.name())
        .filter_map(|(_, matching)| Some(refused(runbook, alert, failing(matching, alert)?)));
    refusals.next()
}

fn refused(runbook: &Runbook, alert: &Alert, matcher: &Matcher) -> String {
    let (label, op) = (&matcher.label, written(&matcher.op));
    let has = match alert.labels.get(label) {
        Some(value) => format!("has {label}={value:?}"),
        None => format!("has no label `{label}`"),
    };
    format!(
        "`{}` takes `{}` only with {label}{op}, and this one {has}",
        runbook.name,
        alert.name()
    )
}

fn failing<'s>(selector: &'s Selector, alert: &Alert) -> Option<&'s Matcher> {
    selector.matchers.iter().find(|matcher| {
        let alone = Selector {
            text: String::new(),
            matchers: vec![(*matcher).clone()],
        };
        !alone.matches(&alert.labels)
    })
}

fn taken(runbook: &Runbook) -> impl Iterator<Item = (&str, &Selector)> {
    runbook.on.iter().filter_map(|on| match on {
        On::Alert { name, matching, .. } => Some((name.as_str(), matching)),
        On::Cron { .. } => None,
    })
}

fn written(op: &MatchOp) -> String {
    // An anchored pattern is shown as its author wrote it.
    let pattern = |regex: &str| {
        let inner = regex.strip_prefix("^(?s:").and_then(|rest| rest.strip_suffix(")$"));
        inner.unwrap_or(regex).to_owned()
    };
    match op {
        MatchOp::Equal(value) => format!("={value:?}"),
        MatchOp::NotEqual(value) => format!("!={value:?}"),
        MatchOp::Regex(regex) => format!("=~{:?}", pattern(regex.as_str())),
        MatchOp::NotRegex(regex) => format!("!~{:?}", pattern(regex.as_str())),
    }
}
