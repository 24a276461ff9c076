//! Which event tells whom, and in which words. Pure.

use chrono::{DateTime, Utc};
use evenkeel_model::alert::{Grade, Labels};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Notice, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::notify::{Happened, Topic};
use evenkeel_model::run::{Body, Event, Request, Verdict};
use serde_json::{Value, json};

use crate::port::outbox::NewNotice;
use crate::run::Run;
use crate::words;

/// Steps, and actions, that are spoken of in one notice.
const LISTED: usize = 20;
/// Actions in a notice's details.
const DETAILED: usize = 50;
/// Characters of one line.
const LINE: usize = 500;

/// What people are told by `event`, which `run` has folded. Nobody is told of a dry run.
pub fn notices(id: RunId, run: &Run, event: &Event, home: &Home) -> Vec<NewNotice> {
    let Some(request) = run.request.as_ref().filter(|_| !run.dry()) else {
        return Vec::new();
    };
    let grade = request.alert.as_ref().map(|alert| alert.grade);
    let Some(topic) = topic(&event.body, grade) else {
        return Vec::new();
    };
    let told = home.routing.told(Happened {
        topic,
        customer: request.customer.as_ref(),
        grade,
        runbook: &request.runbook,
    });
    let told = told.into_iter().map(|notifier| NewNotice {
        notifier: notifier.name.clone(),
        topic,
        notice: Notice {
            id: format!("run-{id}-{}-{}", event.seq, notifier.name),
            severity: severity(topic),
            title: title(topic, request),
            text: text(id, topic, run, request, event, home),
            labels: labels(id, topic, request),
            link: link(request),
            details: Some(details(id, topic, run, request, &event.body)),
        },
    });
    told.collect()
}

fn topic(body: &Body, grade: Option<Grade>) -> Option<Topic> {
    match body {
        Body::ApprovalAsked { .. } => Some(Topic::Approval),
        Body::Escalated { .. } => Some(Topic::Escalation),
        Body::Refused { .. } if grade == Some(Grade::High) => Some(Topic::Refusal),
        Body::Finished { verdict, .. } => match verdict {
            Verdict::NotRepaired => Some(Topic::NotRepaired),
            Verdict::Unknown => Some(Topic::Unknown),
            _ => None,
        },
        _ => None,
    }
}

fn severity(topic: Topic) -> Severity {
    match topic {
        Topic::Approval => Severity::Warning,
        Topic::Escalation | Topic::Refusal | Topic::NotRepaired | Topic::Unknown => Severity::Critical,
    }
}

fn title(topic: Topic, request: &Request) -> String {
    let what = match topic {
        Topic::Approval => "waits for an approval",
        Topic::Escalation => "needs a person",
        Topic::Refusal => "was refused",
        Topic::NotRepaired => "did not repair it",
        Topic::Unknown => "ended, and what it did is unknown",
    };
    format!("{} {what}: {}", request.runbook, place(request))
}

fn place(request: &Request) -> String {
    let target = request.target.as_ref().map_or("no target", |target| target.as_str());
    match &request.customer {
        Some(customer) => format!("{target} of {customer}"),
        None => target.to_owned(),
    }
}

fn text(id: RunId, topic: Topic, run: &Run, request: &Request, event: &Event, home: &Home) -> String {
    let mut lines = vec![
        format!("What: {}", what(topic, run, &event.body, home)),
        format!(
            "Where: {} (runbook {}, run {id}, round {})",
            place(request),
            request.runbook,
            request.round
        ),
        format!("Since: {}", since(run, request, event.at)),
        format!("Why: {}", why(request, run, &event.body)),
    ];
    lines.extend(tried(run));
    lines.push(format!("To do: {}", to_do(id, topic, run, &event.body)));
    let lines: Vec<String> = lines.iter().map(|line| cut(line)).collect();
    lines.join("\n")
}

fn what(topic: Topic, run: &Run, body: &Body, home: &Home) -> String {
    match body {
        Body::ApprovalAsked {
            step,
            risk,
            ask,
            need,
            until,
            ..
        } => {
            let group = ask
                .as_ref()
                .and_then(|ask| Some((ask, home.settings.approvers.get(ask)?)));
            let who = group.map_or("whoever may talk to the daemon".to_owned(), |(ask, group)| {
                format!("{need} of {ask} ({})", group.people.join(", "))
            });
            let actions = run.plan(step).map_or(0, |plan| plan.actions.len());
            format!(
                "the plan of step {step} ({}, risk {risk}) waits for {who}, and is rejected at {}",
                words::count(actions, "action"),
                words::time(*until)
            )
        }
        Body::Refused { gate, .. } => format!("the gate {gate} refused the run, which does not start"),
        Body::Finished { verdict, .. } => format!("the run ended as {verdict}"),
        _ => format!("{topic}: the run can't go on by itself"),
    }
}

fn since(run: &Run, request: &Request, now: DateTime<Utc>) -> String {
    match (&request.alert, run.requested_at) {
        (Some(alert), _) => format!(
            "{}, when alert {} began to fire",
            words::time(alert.starts_at),
            alert.name()
        ),
        (None, Some(at)) => format!("{}, when the run was asked for", words::time(at)),
        (None, None) => words::time(now),
    }
}

fn why(request: &Request, run: &Run, body: &Body) -> String {
    let said = match body {
        Body::Refused { why, .. } | Body::Escalated { why } | Body::Finished { why, .. } => why.clone(),
        Body::ApprovalAsked { step, .. } => actions(run, step),
        _ => String::new(),
    };
    let alert = request.alert.as_ref();
    let summary = alert.and_then(|alert| {
        alert
            .annotations
            .get("summary")
            .or(alert.annotations.get("description"))
    });
    match summary {
        Some(summary) => format!("{said} (the alert: {summary})"),
        None => said,
    }
}

fn actions(run: &Run, step: &evenkeel_model::name::StepId) -> String {
    let Some(plan) = run.plan(step) else {
        return "there is no plan".to_owned();
    };
    let mut said: Vec<&str> = plan
        .actions
        .iter()
        .take(LISTED)
        .map(|action| action.summary.as_str())
        .collect();
    let more = format!("and {} more", plan.actions.len().saturating_sub(LISTED));
    if plan.actions.len() > LISTED {
        said.push(&more);
    }
    format!("it would: {}", said.join("; "))
}

/// What steps came to, in the order in which they ended.
fn tried(run: &Run) -> Vec<String> {
    let ended = run.steps.iter();
    let ended = ended.filter_map(|(id, step)| Some((step.finished_at?, id, step.result.as_ref()?)));
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(at, id, _)| (*at, (*id).clone()));
    let told = ended.iter().take(LISTED).map(|(_, id, result)| {
        let status = serde_json::to_value(result.status).unwrap_or_default();
        let status = status.as_str().unwrap_or_default().to_owned();
        format!("Tried: {id}, {status}: {}", result.summary)
    });
    let mut told: Vec<String> = told.collect();
    if let Some(verified) = &run.verified {
        let healed = if verified.healed { "healed" } else { "not healed" };
        told.push(format!("Then: {healed}: {}", verified.why));
    }
    if told.is_empty() {
        told.push("Tried: nothing yet".to_owned());
    }
    told
}

fn to_do(id: RunId, topic: Topic, run: &Run, body: &Body) -> String {
    match (topic, body) {
        (Topic::Approval, Body::ApprovalAsked { step, .. }) => {
            let hash = run.plan(step).map_or(String::new(), |plan| {
                let hash = plan.hash.as_str();
                format!(" --plan {}", hash.get(..12).unwrap_or(hash))
            });
            format!("`evenkeel approvals` shows all of it; `evenkeel approve {id}{hash}` or `evenkeel decline {id}`")
        }
        (Topic::Unknown, _) => format!(
            "`evenkeel runs show {id}` says which effect is in doubt; look there, then `evenkeel runs resolve {id} --done` \
             or `--not-done`"
        ),
        (Topic::Refusal, _) => {
            format!("see to it by hand, or change what refused it; `evenkeel runs show {id}` tells more")
        }
        _ => format!("see to it by hand; `evenkeel runs show {id}` tells what was done"),
    }
}

fn labels(id: RunId, topic: Topic, request: &Request) -> Labels {
    let mut labels = Labels::from([
        ("topic".to_owned(), topic.to_string()),
        ("run".to_owned(), id.to_string()),
        ("runbook".to_owned(), request.runbook.to_string()),
    ]);
    let mut add = |name: &str, value: Option<String>| {
        labels.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("target", request.target.as_ref().map(ToString::to_string));
    add("customer", request.customer.as_ref().map(ToString::to_string));
    if let Some(alert) = &request.alert {
        add("alertname", Some(alert.name().to_owned()));
        let grade = serde_json::to_value(alert.grade).unwrap_or_default();
        add("grade", grade.as_str().map(str::to_owned));
    }
    labels
}

/// Where the alert comes from; nothing that a browser could take for something else.
fn link(request: &Request) -> Option<String> {
    let url = &request.alert.as_ref()?.generator_url;
    let web = url.starts_with("https://") || url.starts_with("http://");
    (web && !url.contains(char::is_whitespace)).then(|| url.clone())
}

fn details(id: RunId, topic: Topic, run: &Run, request: &Request, body: &Body) -> Value {
    let mut details = json!({ "topic": topic, "run": id, "round": request.round });
    match body {
        Body::ApprovalAsked {
            step,
            risk,
            ask,
            need,
            until,
            ..
        } => {
            let plan = run.plan(step);
            let actions = plan.into_iter().flat_map(|plan| &plan.actions).take(DETAILED);
            let actions = actions.map(|action| {
                json!({ "id": action.id, "summary": action.summary, "risk": action.risk, "undo": action.undo })
            });
            details["step"] = json!(step);
            details["risk"] = json!(risk);
            details["ask"] = json!(ask);
            details["need"] = json!(need);
            details["until"] = json!(until);
            details["plan"] = json!(plan.map(|plan| plan.hash.as_str()));
            details["actions"] = actions.collect();
        }
        Body::Refused { gate, why } => {
            details["gate"] = json!(gate);
            details["why"] = json!(why);
        }
        Body::Finished { verdict, why, changed } => {
            details["verdict"] = json!(verdict);
            details["why"] = json!(why);
            details["changed"] = json!(changed);
        }
        Body::Escalated { why } => details["why"] = json!(why),
        _ => {}
    }
    details
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
