//! Runs that steps of a run ask for.

use evenkeel_model::run::Body;

use super::row;
use crate::render::safe;

pub fn line(body: &Body) -> String {
    let of = |item: &Option<u32>| item.map_or(String::new(), |item| format!(" for item {item}"));
    match body {
        Body::RunOpened { step, item, run } => row(step.as_str(), &format!("is run {run}{}", of(item))),
        Body::RunRefused { step, item, why, .. } => {
            row(step.as_str(), &format!("can't be run{}: {}", of(item), safe::text(why)))
        }
        Body::RunEnded { step, item, ended } => {
            let why = safe::text(&ended.why);
            row(
                step.as_str(),
                &format!("run {}{} is {}: {why}", ended.run, of(item), ended.verdict),
            )
        }
        Body::RunKnown { step, ended, who, .. } => {
            let who = safe::text(who);
            row(
                step.as_str(),
                &format!(
                    "{who} says that it is known now: run {} is {}",
                    ended.run, ended.verdict
                ),
            )
        }
        Body::RunUndone {
            step,
            item,
            verdict,
            why,
        } => row(
            step.as_str(),
            &format!("its run{} is {verdict}: {}", of(item), safe::text(why)),
        ),
        _ => String::new(),
    }
}
