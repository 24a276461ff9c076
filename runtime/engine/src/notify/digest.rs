//! What tells the same of many runs is told together, so that a storm is a few messages and nothing else waits behind it.
//!
//! A plan that waits for a person and a doubt that somebody has to look at are always told by themselves.

use evenkeel_model::invocation::Notice;
use evenkeel_model::notify::Topic;

use crate::port::outbox::{Alike, Posted};
use crate::words;

/// So many of a kind that wait are told one by one.
const FEW: u64 = 5;
/// Runs that are named.
pub const LISTED: usize = 20;

pub fn may_be_told_together(topic: Topic) -> bool {
    match topic {
        Topic::Escalation | Topic::Refusal | Topic::NotRepaired => true,
        Topic::Approval | Topic::Unknown => false,
    }
}

/// The notice, with what waits behind it and tells the same; and the number up to which that is in it, 0 if nothing is. Its id
/// says that, too: who gets the same id twice gets the same text.
pub fn together(head: &Posted, alike: &Alike) -> (Notice, u64) {
    let mut notice = head.notice.clone();
    if alike.count < FEW {
        return (notice, 0);
    }
    let more = words::count(usize::try_from(alike.count).unwrap_or(usize::MAX), "more run");
    notice.id = format!("{}-to-{}", notice.id, alike.last);
    notice.title = format!("{}, and {more}", notice.title);
    let named: Vec<String> = alike.first.iter().take(LISTED).map(named).collect();
    let unnamed = usize::try_from(alike.count)
        .unwrap_or(usize::MAX)
        .saturating_sub(named.len());
    let and_more = match unnamed {
        0 => String::new(),
        unnamed => format!(" and {unnamed} more"),
    };
    notice.text = format!("{}\nAlike: {more}: {}{and_more}", notice.text, named.join(", "));
    if let Some(details) = notice.details.as_mut().filter(|details| details.is_object()) {
        details["alike"] = alike.count.into();
    }
    (notice, alike.last)
}

fn named(posted: &Posted) -> String {
    let label = |name: &str| posted.notice.labels.get(name).map(String::as_str);
    let target = label("target").unwrap_or("no target");
    let run = posted.run;
    match label("customer") {
        Some(customer) => format!("{target} of {customer} (run {run})"),
        None => format!("{target} (run {run})"),
    }
}
