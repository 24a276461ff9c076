//! What people are asked, and say.

use chrono::{DateTime, Utc};
use evenkeel_model::invocation::Key;
use evenkeel_model::run::Body;

use super::{clock, row};
use crate::render::safe;

pub fn lines(body: &Body) -> Vec<String> {
    match body {
        Body::ApprovalAsked { ask, need, until, .. } => vec![approval_asked(ask.as_deref(), *need, *until)],
        Body::Approved { who, why, .. } => vec![said("approval", who, "approved it", why)],
        Body::Declined { who, why, .. } => vec![said("approval", who, "declined it", why)],
        Body::UndoRequested {
            who,
            why,
            override_freeze,
        } => {
            let mut lines = vec![said("undo", who, "wants it undone", why)];
            lines.extend(override_freeze.as_deref().map(thawed));
            lines
        }
        Body::Killed { who, why } => vec![said("kill", who, "killed it", why)],
        _ => Vec::new(),
    }
}

/// A freeze does not hold for this.
pub fn thawed(why: &str) -> String {
    row("freeze", &format!("set aside: {}", safe::text(why)))
}

fn approval_asked(ask: Option<&str>, need: u32, until: DateTime<Utc>) -> String {
    let who = ask.map_or(String::new(), |ask| format!(" of `{}`", safe::text(ask)));
    let people = if need == 1 {
        "a person".into()
    } else {
        format!("{need} people")
    };
    row(
        "asks",
        &format!(
            "{people}{who} to approve it until {}; `evenkeel approvals` shows it",
            clock(until)
        ),
    )
}

fn said(head: &str, who: &str, what: &str, why: &str) -> String {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", safe::text(why))
    };
    row(head, &format!("{} {what}{why}", safe::text(who)))
}

pub fn resolved(key: &Key, done: bool, who: &str, why: &str) -> String {
    let action = key.action.as_deref().unwrap_or_default();
    let said = if done { "is done" } else { "was not done" };
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", safe::text(why))
    };
    let what = format!("{} says that `{}` {said}{why}", safe::text(who), safe::text(action));
    row("resolved", &what)
}
