//! `rules` and `alerts`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use evenkeel_alerting::promql::{Labels, json};
use evenkeel_alerting::rules::definition::Does;
use evenkeel_alerting::rules::{self, Alert, Group, Rule};
use serde_json::{Map, Value, json};

use super::access::Scope;
use super::answer::{Answer, Error};
use super::params::Params;
use super::time;
use crate::state::Console;

/// `GET /api/v1/rules`
pub async fn list(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let wanted = Wanted::read(&params)?;
    let every = console.watch.every();
    let groups = console.watch.groups();
    let groups = groups.iter().filter(|group| wanted.has_group(group));
    let groups = groups.filter_map(|group| {
        let rules = group.rules().iter().filter(|rule| wanted.has_rule(rule));
        let rules: Vec<Value> = rules.map(|rule| wanted.rule(rule)).collect();
        (!rules.is_empty() || group.rules().is_empty()).then(|| shown(group, rules, every))
    });
    let groups: Vec<Value> = groups.collect();
    Ok(Answer::of(&json!({ "groups": groups })))
}

/// `GET /api/v1/alerts`
pub async fn alerts(State(console): State<Arc<Console>>, params: Params) -> Answer {
    let groups = console.watch.groups();
    let rules = groups.iter().flat_map(|group| group.rules());
    let alerts = rules
        .flat_map(Rule::alerts)
        .filter(|alert| params.scope.sees(&alert.labels));
    let alerts: Vec<Value> = alerts.map(alert).collect();
    Answer::of(&json!({ "alerts": alerts }))
}

/// What is asked for; what is not said does not matter.
struct Wanted<'p> {
    alerts: Option<bool>,
    names: Vec<&'p str>,
    groups: Vec<&'p str>,
    files: Vec<&'p str>,
    exclude_alerts: bool,
    scope: &'p Scope,
}

impl<'p> Wanted<'p> {
    fn read(params: &'p Params) -> Result<Self, Error> {
        let alerts = match params.get("type") {
            None => None,
            Some("alert") => Some(true),
            Some("record") => Some(false),
            Some(other) => return Err(Error::parameter("type", format!("not supported value \"{other}\""))),
        };
        Ok(Self {
            alerts,
            names: params.all("rule_name[]").collect(),
            groups: params.all("rule_group[]").collect(),
            files: params.all("file[]").collect(),
            exclude_alerts: params.flag("exclude_alerts")?,
            scope: &params.scope,
        })
    }

    fn has_group(&self, group: &Group) -> bool {
        is_in(&self.groups, &group.name) && is_in(&self.files, &group.file)
    }

    /// To who sees one customer alone, a rule is there when it has an alert of that customer: what a rule asks of all, and what
    /// went wrong with it, may name others.
    fn has_rule(&self, rule: &Rule) -> bool {
        let is_alert = rule.definition.is_alert();
        if self.scope.0.is_some() && !rule.alerts().any(|alert| self.scope.sees(&alert.labels)) {
            return false;
        }
        self.alerts.is_none_or(|alerts| alerts == is_alert) && is_in(&self.names, &rule.definition.name)
    }

    fn rule(&self, rule: &Rule) -> Value {
        let mut shown = Map::new();
        let definition = &rule.definition;
        let mut alerts: Vec<&Alert> = Vec::new();
        if let Does::Alert {
            for_ms,
            keep_firing_for_ms,
            annotations,
        } = &definition.does
        {
            alerts.extend(rule.alerts().filter(|alert| self.scope.sees(&alert.labels)));
            shown.insert("state".into(), json!(state(&alerts)));
            shown.insert("name".into(), json!(definition.name));
            let expr = if self.scope.0.is_none() {
                definition.expr.as_str()
            } else {
                ""
            };
            shown.insert("query".into(), json!(expr));
            shown.insert("duration".into(), json!(seconds(*for_ms)));
            shown.insert("keepFiringFor".into(), json!(seconds(*keep_firing_for_ms)));
            let templates = |all: &[(String, rules::Text)]| match self.scope.0.is_none() {
                true => texts(all),
                false => json!({}),
            };
            shown.insert("labels".into(), templates(&definition.labels));
            shown.insert("annotations".into(), templates(annotations));
            let listed = alerts.into_iter().filter(|_| !self.exclude_alerts);
            shown.insert("alerts".into(), listed.map(alert).collect());
        } else {
            shown.insert("name".into(), json!(definition.name));
            shown.insert("query".into(), json!(definition.expr));
            shown.insert("labels".into(), texts(&definition.labels));
        }
        let fared = &rule.fared;
        shown.insert("health".into(), json!(fared.health.as_str()));
        if let Some(error) = fared.last_error.as_ref().filter(|_| self.scope.0.is_none()) {
            shown.insert("lastError".into(), json!(error));
        }
        shown.insert("evaluationTime".into(), json!(fared.took.as_secs_f64()));
        let last = fared.at_ms.map_or(time::NEVER.to_owned(), time::shown);
        shown.insert("lastEvaluation".into(), json!(last));
        let kind = if definition.is_alert() { "alerting" } else { "recording" };
        shown.insert("type".into(), json!(kind));
        Value::Object(shown)
    }
}

fn is_in(wanted: &[&str], name: &str) -> bool {
    wanted.is_empty() || wanted.contains(&name)
}

fn shown(group: &Group, rules: Vec<Value>, every: Duration) -> Value {
    let interval = group.interval_ms.map_or(every.as_secs_f64(), seconds);
    json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": interval,
        "limit": group.limit.unwrap_or(0),
        "evaluationTime": group.took.as_secs_f64(),
        "lastEvaluation": group.last_evaluation_ms.map_or(time::NEVER.to_owned(), time::shown),
    })
}

fn state(alerts: &[&Alert]) -> &'static str {
    let states = [rules::State::Firing, rules::State::Pending];
    let found = states
        .into_iter()
        .find(|state| alerts.iter().any(|alert| alert.state == *state));
    found.unwrap_or(rules::State::Inactive).as_str()
}

fn alert(alert: &Alert) -> Value {
    let mut shown = json!({
        "labels": pairs(&alert.labels),
        "annotations": alert.annotations,
        "state": alert.state.as_str(),
        "activeAt": time::shown(alert.active_at_ms),
    });
    if let Some(since) = alert.keep_firing_since_ms {
        shown["keepFiringSince"] = json!(time::shown(since));
    }
    shown["value"] = json!(json::exponent(alert.value));
    shown
}

fn pairs(labels: &Labels) -> BTreeMap<&str, &str> {
    labels.iter().collect()
}

fn texts(texts: &[(String, rules::Text)]) -> Value {
    let texts = texts.iter().map(|(name, text)| (name.clone(), json!(text.source())));
    Value::Object(texts.collect())
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
