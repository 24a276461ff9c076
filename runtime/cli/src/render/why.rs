//! Why something ran, or did not.

use evenkeel_engine::port::gates::{Happening, Unstarted};
use evenkeel_engine::why::people::{Asked, WouldAsk};
use evenkeel_engine::why::simulate::{Match, Says, Simulated};
use evenkeel_engine::why::{Story, Told};
use evenkeel_model::action::Risk;
use evenkeel_model::hold::{Hold, What};
use evenkeel_model::run::{Body, Event, Occurrence};

use super::story::clock;
use super::{safe, table};

pub fn told(told: &Told) -> Vec<String> {
    let mut lines = vec![format!("from {} to {}", clock(told.from), clock(told.to))];
    for story in &told.runs {
        lines.push(String::new());
        lines.extend(run(story));
    }
    if told.more {
        lines.push(String::new());
        lines.push("there are more runs; narrow it down, or raise --limit".to_owned());
    }
    section(&mut lines, "started nothing:", told.unstarted.iter().map(unstarted));
    section(&mut lines, "held back:", told.holds.iter().map(hold));
    if told.runs.is_empty() && told.unstarted.is_empty() {
        lines.push(String::new());
        lines.push("nothing that is asked for happened in that time".to_owned());
    }
    lines
}

fn section(lines: &mut Vec<String>, head: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("  {item}")).collect();
    if !items.is_empty() {
        lines.push(String::new());
        lines.push(head.to_owned());
        lines.extend(items);
    }
}

fn run(story: &Story) -> Vec<String> {
    let summary = &story.summary;
    let target = summary
        .target
        .as_ref()
        .map_or("no target".to_owned(), |target| format!("`{target}`"));
    let state = match (summary.verdict, story.waits.is_empty()) {
        (Some(verdict), _) => verdict.as_str(),
        (None, true) => "not finished",
        (None, false) => "waits for an approval",
    };
    let mut lines = vec![format!(
        "run {} of `{}` on {target}: {state}",
        summary.run, summary.runbook
    )];
    lines.push(format!("  {}  {}", clock(summary.requested_at), asked(story)));
    lines.extend(story.said.iter().map(event));
    lines.extend(story.waits.iter().map(waits));
    lines
}

fn asked(story: &Story) -> String {
    match (&story.summary.occurrence, &story.alert) {
        (Occurrence::Alert { attempt, .. }, Some(alert)) => {
            let again = match attempt {
                1 => String::new(),
                attempt => format!(", attempt {attempt}"),
            };
            format!(
                "asked for by the alert `{}` ({} of customer `{}`) that fires since {}{again}",
                safe::text(&alert.name),
                safe::text(&alert.identity.fingerprint),
                alert.identity.customer,
                clock(alert.starts_at),
            )
        }
        (Occurrence::Tick { schedule, .. }, _) => format!("asked for by the schedule `{}`", safe::text(schedule)),
        (Occurrence::Person { who, .. }, _) => format!("asked for by {}", safe::text(who)),
        (Occurrence::Step { run, step, .. }, _) => format!("asked for by step `{step}` of run {run}"),
        (Occurrence::After { round, .. }, _) => format!("looks at the runs of round {round}"),
        (Occurrence::Alert { .. }, None) => "asked for by an alert".to_owned(),
    }
}

fn event(event: &Event) -> String {
    let said = match &event.body {
        Body::Waiting { gate, why, until } => {
            let until = until.map_or(String::new(), |until| format!(", until {} at the latest", clock(until)));
            format!("waits for `{gate}`: {}{until}", safe::text(why))
        }
        Body::Refused { gate, why } => format!("refused by `{gate}`: {}", safe::text(why)),
        Body::Started => "started".to_owned(),
        body @ (Body::ApprovalAsked { .. } | Body::Approved { .. } | Body::Declined { .. } | Body::PlanVoid { .. }) => {
            of_plan(body)
        }
        Body::Escalated { why } => format!("escalated: {}", safe::text(why)),
        Body::CancelRequested { why } => format!("asked to stop: {}", safe::text(why)),
        Body::Finished { verdict, why, .. } => format!("{verdict}: {}", safe::text(why)),
        _ => String::new(),
    };
    format!("  {}  {said}", clock(event.at))
}

/// What people were asked about a plan, and said.
fn of_plan(body: &Body) -> String {
    match body {
        Body::ApprovalAsked {
            step,
            risk,
            ask,
            need,
            until,
            ..
        } => format!(
            "the plan of step `{step}` (risk {risk}) needs the yes of {} until {}",
            persons(*need, ask.as_deref(), &[]),
            clock(*until)
        ),
        Body::Approved { step, who, why, .. } => said(who, "approved", step.as_str(), why),
        Body::Declined { step, who, why } => said(who, "declined", step.as_str(), why),
        Body::PlanVoid { step, why } => {
            format!(
                "the plan of step `{step}` is void, and it is planned anew: {}",
                safe::text(why)
            )
        }
        _ => String::new(),
    }
}

fn said(who: &str, what: &str, step: &str, why: &str) -> String {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", safe::text(why))
    };
    format!("{} {what} the plan of step `{step}`{why}", safe::text(who))
}

fn waits(asked: &Asked) -> String {
    let so_far = match asked.approved_by.as_slice() {
        [] => String::new(),
        by => format!(", approved by {} so far", table::names(by)),
    };
    format!(
        "  waits for {} to approve the plan of step `{}` until {}{so_far}; `evenkeel approvals` shows it",
        persons(asked.need, asked.ask.as_deref(), &asked.people),
        asked.step,
        clock(asked.until)
    )
}

/// "2 people of `duty` (ada, ben, cleo)"
fn persons(need: u32, ask: Option<&str>, people: &[String]) -> String {
    let count = match need {
        1 => "a person".to_owned(),
        need => format!("{need} people"),
    };
    let Some(ask) = ask else {
        return format!("{count} who may talk to the daemon");
    };
    let names = match people {
        [] => String::new(),
        people => format!(" ({})", table::names(people)),
    };
    format!("{count} of `{}`{names}", safe::text(ask))
}

fn unstarted(unstarted: &Unstarted) -> String {
    let what = match &unstarted.what {
        Happening::Alert(alert) => format!(
            "the alert `{}` ({} of customer `{}`)",
            safe::text(alert.name()),
            safe::text(&alert.identity.fingerprint),
            alert.identity.customer
        ),
        Happening::Ticks {
            runbook,
            schedule,
            first,
            last,
        } if first == last => format!(
            "the tick of `{runbook}` (`{}`) at {}",
            safe::text(schedule),
            clock(*first)
        ),
        Happening::Ticks {
            runbook,
            schedule,
            first,
            last,
        } => format!(
            "ticks of `{runbook}` (`{}`) from {} to {}",
            safe::text(schedule),
            clock(*first),
            clock(*last)
        ),
        Happening::Attempt { run, runbook, .. } => format!("another attempt after run {run} of `{runbook}`"),
    };
    format!("{}  {what}: {}", clock(unstarted.at), safe::text(&unstarted.why))
}

fn hold(hold: &Hold) -> String {
    let what = match &hold.what {
        What::Pause(scope) => format!("{scope} was paused"),
        What::Silence { matchers } => format!("alerts with {} were silenced", safe::text(matchers)),
    };
    let until = match (&hold.ended, hold.until) {
        (Some(ended), _) => format!(" until {} ended it at {}", safe::text(&ended.who), clock(ended.at)),
        (None, Some(until)) => format!(" until {}", clock(until)),
        (None, None) => String::new(),
    };
    format!(
        "{}  {what} by {}{until}: {}",
        clock(hold.since),
        safe::text(&hold.who),
        safe::text(&hold.why)
    )
}

// ---- what would be -----------------------------------------------------------------------

pub fn simulated(simulated: &Simulated) -> Vec<String> {
    let alert = &simulated.alert;
    let fires = if simulated.fires { "fires" } else { "does not fire now" };
    let mut lines = vec![format!(
        "the alert `{}` ({} of customer `{}`) {fires}",
        safe::text(alert.name()),
        alert.identity.fingerprint,
        alert.identity.customer
    )];
    for found in &simulated.runbooks {
        lines.push(String::new());
        lines.extend(one(found));
    }
    section(&mut lines, "not:", simulated.others.iter().map(|why| safe::text(why)));
    lines
}

fn one(found: &Match) -> Vec<String> {
    let target = found
        .target
        .as_ref()
        .map_or("no target".to_owned(), |target| format!("`{target}`"));
    let outcome = match found.outcome {
        Says::Pass => "would start",
        Says::Wait => "would wait",
        Says::Refuse => "would be refused",
        Says::Cancel => "would be cancelled",
        Says::Replace => "would replace another run",
    };
    let mut lines = vec![format!("`{}` on {target}: {outcome}", found.runbook)];
    let gates = found.gates.iter().map(|saying| match saying.says {
        Says::Pass => format!("  {}  passes", saying.gate),
        Says::Wait => format!("  {}  waits: {}", saying.gate, safe::text(&saying.why)),
        Says::Refuse => format!("  {}  refuses: {}", saying.gate, safe::text(&saying.why)),
        Says::Cancel => format!("  {}  cancels: {}", saying.gate, safe::text(&saying.why)),
        Says::Replace => format!("  {}  replaces: {}", saying.gate, safe::text(&saying.why)),
    });
    lines.extend(gates);
    if !matches!(found.outcome, Says::Refuse | Says::Cancel) {
        lines.extend(found.asks.iter().map(|asks| would_ask(found, asks)));
    }
    lines
}

fn would_ask(found: &Match, asks: &WouldAsk) -> String {
    let of = match asks.runbook == found.runbook {
        true => String::new(),
        false => format!(" of `{}`", asks.runbook),
    };
    let step = format!("step `{}`{of}", asks.step);
    let plan = match asks.from {
        Risk::Low => format!("any plan of {step}"),
        Risk::Medium => format!("a plan of {step} of risk medium or higher"),
        Risk::High => format!("a plan of {step} of risk high"),
    };
    let who = persons(asks.need, asks.ask.as_deref(), &asks.people);
    format!("  once it is planned: {plan} waits for {who}")
}
