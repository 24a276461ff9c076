//! A run's events as a story: why it started, each step, each call, what changed, the verdict.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use evenkeel_model::action::Action;
use evenkeel_model::alert::Alert;
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::Key;
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::run::{Body, Event, Mode, Occurrence, Over, Request, StepResult, StepStatus, Verdict};
use serde_json::Value;

use super::{plan, safe};

mod invocation;
mod people;
mod runs;

/// Characters of a text within a line.
pub(super) const WIDTH: usize = 100;
/// Fields of answers that hold bytes.
const BYTES: [&str; 3] = ["body", "stdout", "stderr"];

/// Turns events into lines as they come, so that a run can be followed and read later alike.
pub struct Story {
    run: RunId,
    requested: Option<DateTime<Utc>>,
    /// An intent waits for its answer to be told in one line.
    intended: Vec<(Key, u32, Call)>,
    /// The invocation that the last line was of.
    shown: Option<Key>,
    /// Plans of which not all was told.
    cut: BTreeMap<StepId, Vec<Action>>,
}

impl Story {
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            requested: None,
            intended: Vec::new(),
            shown: None,
            cut: BTreeMap::new(),
        }
    }

    /// The whole story of a run that is known.
    pub fn tell(run: RunId, events: &[Event]) -> Vec<String> {
        let mut story = Self::new(run);
        let mut lines: Vec<_> = events.iter().flat_map(|event| story.lines(event)).collect();
        lines.extend(story.unanswered());
        lines
    }

    /// What one event adds. Invocations may be under way side by side: what is of another one than the
    /// line before says of which.
    pub fn lines(&mut self, event: &Event) -> Vec<String> {
        let mut lines = self.lines_of(event);
        if let Some(key) = event.body.key().filter(|_| !lines.is_empty()) {
            let begins = matches!(event.body, Body::Invoked { .. });
            if !begins && self.shown.as_ref().is_some_and(|shown| shown != key) {
                lines.insert(0, invocation::goes_on(key));
            }
            self.shown = Some(key.clone());
        }
        lines
    }

    fn lines_of(&mut self, event: &Event) -> Vec<String> {
        match &event.body {
            Body::Requested(request) => self.requested(request, event.at),
            Body::Waiting { gate, why, until } => vec![waiting(gate, why, *until)],
            Body::Refused { gate, why } => vec![row("refused", &format!("by `{gate}`: {}", safe::text(why)))],
            Body::Turn => vec![row("turn", &clock(event.at))],
            Body::Listed { step, items } => vec![invocation::listed(step.as_str(), items)],
            Body::Started => vec![row("started", &clock(event.at))],
            Body::Skipped { step, why } => vec![row(step.as_str(), &format!("skipped: {}", safe::text(why)))],
            Body::Invoked {
                key, plugin, params, ..
            } => vec![invocation::invoked(key, &plugin.to_string(), params)],
            Body::Resumed { .. } => vec![taken_up(&event.body)],
            Body::Resolved { key, .. } => {
                self.intended.retain(|(of, ..)| of != key);
                vec![taken_up(&event.body)]
            }
            // For a replay; nobody reads it.
            Body::Sensed { .. } => Vec::new(),
            Body::Intended { key, n, call } => {
                self.intended.push((key.clone(), *n, call.clone()));
                Vec::new()
            }
            Body::Called {
                key,
                n,
                call,
                answer,
                took_ms,
            } => self.called(key, *n, call.as_ref(), answer, *took_ms),
            Body::Logged { .. } | Body::LogsDropped { .. } | Body::Progressed { .. } => {
                vec![invocation::said(&event.body)]
            }
            Body::Ended { key, outcome } => invocation::ended(key, outcome),
            Body::Planned {
                step,
                hash,
                risk,
                actions,
            } => self.planned(step, hash.as_str(), &risk.to_string(), actions),
            Body::Asked { action, risk, who, .. } => vec![asked(action, &risk.to_string(), who.as_deref())],
            Body::StepFinished { step, result } => vec![step_finished(step.as_str(), result)],
            Body::ApprovalAsked { step, .. } => self.approval_asked(step, &event.body),
            Body::Approved { .. } | Body::Declined { .. } | Body::UndoRequested { .. } | Body::Killed { .. } => {
                people::lines(&event.body)
            }
            Body::RunIntended { .. } | Body::RunUndoIntended { .. } => Vec::new(),
            Body::RunOpened { .. }
            | Body::RunRefused { .. }
            | Body::RunEnded { .. }
            | Body::RunKnown { .. }
            | Body::RunUndone { .. } => vec![runs::line(&event.body)],
            Body::PlanVoid { .. }
            | Body::Queried { .. }
            | Body::Verified { .. }
            | Body::Restored { .. }
            | Body::Overdue { .. }
            | Body::Halted { .. }
            | Body::Escalated { .. }
            | Body::CancelRequested { .. } => judged(&event.body),
            Body::Finished { verdict, why, .. } => self.finished(*verdict, why, event.at),
        }
    }

    fn requested(&mut self, request: &Request, at: DateTime<Utc>) -> Vec<String> {
        self.requested = Some(at);
        let target = request
            .target
            .as_ref()
            .map_or("no target".to_owned(), |asset| format!("`{asset}`"));
        let customer = request
            .customer
            .as_ref()
            .map_or(String::new(), |name| format!(" of customer `{name}`"));
        let mode = match request.mode {
            Mode::Live => "",
            Mode::DryRun => ", a dry run",
        };
        let mut lines = vec![
            format!("run {}: `{}` on {target}{customer}{mode}", self.run, request.runbook),
            row("why", &why(&request.occurrence, request.alert.as_ref())),
            row("asked", &format!("{} in round {}", clock(at), request.round)),
        ];
        lines.extend(request.override_freeze.as_deref().map(people::thawed));
        if request.input.as_object().is_some_and(|input| !input.is_empty()) {
            lines.push(row("input", &brief(&request.input)));
        }
        lines
    }

    fn planned(&mut self, step: &StepId, hash: &str, risk: &str, actions: &[Action]) -> Vec<String> {
        let told = plan::planned(hash, risk, actions, &self.elsewhere());
        match told.is_cut {
            true => drop(self.cut.insert(step.clone(), actions.to_vec())),
            false => drop(self.cut.remove(step)),
        }
        told.lines
    }

    /// Whoever is asked sees all of the plan.
    fn approval_asked(&mut self, step: &StepId, asked: &Body) -> Vec<String> {
        let mut lines = people::lines(asked);
        if let Some(actions) = self.cut.remove(step) {
            lines.extend(plan::whole(&actions, &self.elsewhere()));
        }
        lines
    }

    fn elsewhere(&self) -> String {
        format!("`evenkeel runs show {} --json`", self.run)
    }

    fn called(&mut self, key: &Key, n: u32, call: Option<&Call>, answer: &Answer, took_ms: u64) -> Vec<String> {
        let place = self.intended.iter().position(|(of, at, _)| of == key && *at == n);
        let intended = place.map(|place| self.intended.remove(place).2);
        match call.cloned().or(intended) {
            Some(call) => vec![call_line(&call, answer, took_ms)],
            None => Vec::new(),
        }
    }

    /// Effects that may have happened: their answer was never heard.
    fn unanswered(&mut self) -> Vec<String> {
        let line = |(_, _, call): (Key, u32, Call)| {
            let name = call_name(&call);
            inner(&format!("{name} … no answer was recorded: it may have happened"))
        };
        self.intended.drain(..).map(line).collect()
    }

    fn finished(&mut self, verdict: Verdict, why: &str, at: DateTime<Utc>) -> Vec<String> {
        let took = self
            .requested
            .map_or(String::new(), |from| format!(" after {}", span(at - from)));
        let mut lines = self.unanswered();
        lines.push(row("verdict", &format!("{verdict}{took}: {}", safe::text(why))));
        if verdict == Verdict::Unknown {
            let run = self.run;
            let found = format!("look, and say what you found: `evenkeel runs resolve {run} --done` (or `--not-done`)");
            lines.push(inner(&found));
        }
        lines
    }
}

fn why(occurrence: &Occurrence, alert: Option<&Alert>) -> String {
    let cause = match occurrence {
        Occurrence::Tick { schedule, at, .. } => {
            format!("schedule `{}`, its tick of {}", safe::text(schedule), clock(*at))
        }
        Occurrence::Alert { starts_at, .. } => format!("an alert that fires since {}", clock(*starts_at)),
        Occurrence::Person { who, .. } => format!("asked by {}", safe::text(who)),
        Occurrence::Step { run, step, item, .. } => match item {
            Some(item) => format!("asked by step `{step}` of run {run}, for item {item}"),
            None => format!("asked by step `{step}` of run {run}"),
        },
        Occurrence::After { round, over, .. } => match over {
            Over::Round => format!("after round {round}, over all of its runs"),
            Over::Customer => format!("after round {round}, over the runs of one customer"),
        },
    };
    match alert {
        Some(alert) => format!("{cause}: {}", alert_line(alert)),
        None => cause,
    }
}

fn alert_line(alert: &Alert) -> String {
    let labels: Vec<_> = alert
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{}={:?}", safe::text(name), safe::short(value, 60)))
        .collect();
    let text = format!("{}{{{}}}", safe::text(alert.name()), labels.join(", "));
    safe::short(&text, 3 * WIDTH)
}

fn waiting(gate: &str, why: &str, until: Option<DateTime<Utc>>) -> String {
    let until = until.map_or(String::new(), |at| format!(", until {} at the latest", clock(at)));
    row("waits", &format!("for `{gate}`: {}{until}", safe::text(why)))
}

fn call_line(call: &Call, answer: &Answer, took_ms: u64) -> String {
    let answered = match answer {
        Answer::Ok(value) => answer_text(value),
        Answer::Err { message, .. } => format!("failed: {}", safe::short(message, WIDTH)),
        Answer::Denied(why) => format!("DENIED: {}", safe::text(why)),
    };
    let mark = if call.effect { "!" } else { "·" };
    inner(&format!("{mark} {} → {answered} ({took_ms} ms)", call_name(call)))
}

pub fn call_name(call: &Call) -> String {
    let more = match call.request.get("paths").and_then(Value::as_array) {
        Some(paths) if paths.len() > 1 => format!(" and {} more", paths.len() - 1),
        _ => String::new(),
    };
    let name = format!("{}.{}", call.capability, safe::text(&call.operation));
    format!("{name} {}{more}", safe::short(&call.subject, WIDTH))
}

fn answer_text(value: &Value) -> String {
    match value {
        Value::Null => "done".to_owned(),
        Value::Array(items) => format!("{} item{}", items.len(), plural(items.len())),
        Value::Object(fields) => {
            let texts: Vec<_> = fields.iter().filter_map(|(name, value)| field(name, value)).collect();
            safe::short(&texts.join(", "), WIDTH)
        }
        other => brief(other),
    }
}

/// One field of an answer; nested ones and empty ones are for `--json`.
fn field(name: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
        Value::String(bytes) if BYTES.contains(&name) => bytes_text(bytes)?,
        other => brief(other),
    };
    Some(format!("{} {text}", safe::text(name)))
}

/// What the journal keeps as base64, as the text that it mostly is.
fn bytes_text(encoded: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(format!("{:?}", safe::short(text.trim_end(), 60))),
        Err(error) => Some(format!("{} bytes", error.as_bytes().len())),
    }
}

fn asked(action: &str, risk: &str, who: Option<&str>) -> String {
    let who = who.map_or(String::new(), |who| format!(" ({})", safe::text(who)));
    inner(&format!(
        "action `{}` of risk {risk} asks for a person{who}",
        safe::text(action)
    ))
}

fn step_finished(step: &str, result: &StepResult) -> String {
    let status = match result.status {
        StepStatus::Ok => "done",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Rejected => "rejected",
        StepStatus::Planned => "planned",
    };
    row(step, &format!("{status}: {}", safe::text(&result.summary)))
}

pub(super) fn row(head: &str, text: &str) -> String {
    format!("  {:<12} {text}", safe::short(head, 40))
}

pub(super) fn inner(text: &str) -> String {
    format!("  {:<12}   {text}", "")
}

pub(super) fn brief(value: &Value) -> String {
    safe::short(&value.to_string(), WIDTH)
}

fn taken_up(body: &Body) -> String {
    match body {
        Body::Resolved {
            key, done, who, why, ..
        } => people::resolved(key, *done, who, why),
        Body::Resumed { key } => invocation::resumed(key),
        _ => String::new(),
    }
}

/// What is thought of it.
fn judged(body: &Body) -> Vec<String> {
    match body {
        Body::PlanVoid { why, .. } => vec![row("void", &format!("the plan: {}", safe::text(why)))],
        Body::Queried {
            expr, told, took_ms, ..
        } => vec![
            row("query", &safe::short(expr, WIDTH)),
            inner(&format!("{} ({took_ms} ms)", safe::text(told))),
        ],
        Body::Verified { healed, why } => vec![row("healed?", &format!("{}: {}", yes(*healed), safe::text(why)))],
        Body::Restored { taken_at } => vec![row(
            "restored",
            &format!(
                "from a backup of {}: what it did after that is not known",
                clock(*taken_at)
            ),
        )],
        Body::Escalated { why } => vec![row("escalated", &safe::text(why))],
        Body::Halted { why, .. } => vec![row(
            "halt",
            &format!("what is under way is finished: {}", safe::text(why)),
        )],
        Body::Overdue { why } => vec![row("deadline", &safe::text(why))],
        Body::CancelRequested { why } => vec![row("cancel", &safe::text(why))],
        _ => Vec::new(),
    }
}

fn yes(healed: bool) -> &'static str {
    if healed { "yes" } else { "no" }
}

pub(super) fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// UTC, to the second.
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A length of time for people.
pub fn span(length: chrono::TimeDelta) -> String {
    let ms = length.num_milliseconds().max(0);
    match ms {
        0..10_000 => format!("{}.{:03} s", ms / 1000, ms % 1000),
        10_000..600_000 => format!("{} s", ms / 1000),
        _ => format!("{} min", ms / 60_000),
    }
}
