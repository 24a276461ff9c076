//! `[[on]]`: what starts a runbook.

use std::time::Duration;

use chrono_tz::Tz;

use super::value::Span;
use super::{At, Table, inside};
use crate::cron::{self, Schedule};
use crate::quantity;
use crate::runbook::{Missed, On, Selector};

const ON_RESOLVE: &[(&str, bool)] = &[("cancel", false), ("continue", true)];
const MISSED: &[(&str, Missed)] = &[("none", Missed::None), ("last", Missed::Last), ("all", Missed::All)];

/// None: something was said about it.
pub(crate) fn read(table: &Table<'_, '_>) -> Option<At<On>> {
    let alert = table.optional::<String>("alert");
    let matching = table.optional::<String>("match");
    let on_resolve = table.choice("on_resolve", ON_RESOLVE);
    let expression = table.optional::<String>("cron");
    let zone = table.optional::<String>("zone");
    let missed = table.choice("missed", MISSED);
    let jitter = table.optional::<Span>("jitter");
    table.finish();
    match (table.has("alert"), table.has("cron")) {
        (true, false) => {
            refuse_with(table, &["zone", "missed", "jitter"], "cron");
            let matching = matching.map(|text| selector(table, "match", &text));
            let name = alert?;
            if name.get_ref().is_empty() {
                let problem = table.problem("bad-value", name.span(), "`alert` is empty");
                table.say(problem.label("the `alertname` of a rule"));
            }
            let on = On::Alert {
                name: name.get_ref().clone(),
                matching: matching.unwrap_or_else(|| Some(Selector::default()))?,
                on_resolve_continue: on_resolve.is_some_and(At::into_inner),
            };
            Some(At::new(name.span(), on))
        }
        (false, true) => {
            refuse_with(table, &["match", "on_resolve"], "alert");
            let Some(expression) = expression else {
                // What is wrong with the zone is still said.
                zone.and_then(|name| read_zone(table, &name));
                return None;
            };
            let schedule = schedule_in(table, &expression, zone.as_ref())?;
            let on = On::Cron {
                missed: missed.map(At::into_inner).unwrap_or_default(),
                jitter: jitter.map_or(Duration::ZERO, |jitter| read_jitter(table, jitter, &schedule)),
                schedule,
            };
            Some(At::new(expression.span(), on))
        }
        (true, true) => {
            let span = table.key_span("cron").unwrap_or_default();
            let problem = table.problem("two-triggers", span, "`[[on]]` has both `alert` and `cron`");
            table.say(problem.label("write a second `[[on]]` for it"));
            None
        }
        (false, false) => {
            let message = "`[[on]]` has neither `alert` nor `cron`";
            table.say(
                table
                    .problem("missing-key", table.span.clone(), message)
                    .label("what starts it?"),
            );
            None
        }
    }
}

fn refuse_with(table: &Table<'_, '_>, keys: &[&str], other: &str) {
    for key in keys {
        if let Some(span) = table.key_span(key) {
            let problem = table.problem("misplaced-key", span, format!("`{key}` goes with `{other}`"));
            table.say(problem.label(format!("this `[[on]]` has no `{other}`")));
        }
    }
}

/// A selector, or the place within it where reading stopped.
pub(crate) fn selector(table: &Table<'_, '_>, key: &str, text: &At<String>) -> Option<Selector> {
    match Selector::parse(text.get_ref()) {
        Ok(selector) => Some(selector),
        Err(error) => {
            let span = inside(table.file(), text, error.offset..error.offset);
            let problem = table.problem("bad-selector", span, format!("`{key}` is no selector"));
            let help = format!(
                "column {} of it; write it like `role=\"redmine\", env=~\"prod|test\"`",
                error.column
            );
            table.say(problem.label(error.message).help(help));
            None
        }
    }
}

/// In a zone, or in UTC.
pub(crate) fn schedule_in(
    table: &Table<'_, '_>,
    expression: &At<String>,
    zone: Option<&At<String>>,
) -> Option<Schedule> {
    let zone = zone.map_or(Some(Tz::UTC), |name| read_zone(table, name));
    schedule(table, expression, zone)
}

/// Without a zone (a problem was said), the expression is still read.
fn schedule(table: &Table<'_, '_>, expression: &At<String>, zone: Option<Tz>) -> Option<Schedule> {
    match Schedule::parse(expression.get_ref(), zone.unwrap_or(Tz::UTC)) {
        Ok(schedule) => zone.is_some().then_some(schedule),
        Err(error) => {
            let span = inside(table.file(), expression, error.span);
            let problem = table.problem("bad-cron", span, format!("`{}` is no schedule", expression.get_ref()));
            table.say(
                problem
                    .label(error.message)
                    .help("crontab(5) describes the five fields; six start with seconds"),
            );
            None
        }
    }
}

/// A delayed tick is not to be overtaken by the next one.
fn read_jitter(table: &Table<'_, '_>, jitter: At<Span>, schedule: &Schedule) -> Duration {
    let gap = schedule.shortest_gap().to_std().unwrap_or_default();
    let span = jitter.span();
    let Span(jitter) = jitter.into_inner();
    if jitter >= gap {
        let message = "`jitter` is as long as the time between two ticks, or longer";
        let problem = table.problem("long-jitter", span, message);
        let gap = quantity::written(gap);
        table.say(problem.label(format!(
            "two ticks of this schedule are {gap} apart: it must be shorter"
        )));
    }
    jitter
}

fn read_zone(table: &Table<'_, '_>, name: &At<String>) -> Option<Tz> {
    match cron::zone(name.get_ref()) {
        Ok(zone) => Some(zone),
        Err(meant) => {
            let problem = table.problem(
                "bad-zone",
                name.span(),
                format!("there is no zone `{}`", name.get_ref()),
            );
            let problem = match meant {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None => problem,
            };
            table.say(problem.help("zones have the names of the IANA database, as in `Europe/Berlin`"));
            None
        }
    }
}
