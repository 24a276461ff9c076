//! `[[maintenance]]` and `[[freeze]]` of `evenkeel.toml`.

use chrono::{DateTime, Utc};
use toml::de::DeValue;

use super::trigger;
use super::value::{self, Fault, Span as Length};
use super::{At, Table};
use crate::alert::Grade;
use crate::runbook::Selector;
use crate::window::{Freeze, Maintenance, Span, When};

const SCHEDULES: &[(&str, bool)] = &[("run", false), ("wait", true)];
const GRADES: &[(&str, Grade)] = &[("low", Grade::Low), ("medium", Grade::Medium), ("high", Grade::High)];

/// A window, with the places of what the rest of the home has a say in.
pub(crate) struct Placed<T> {
    /// None: something was said about it.
    pub window: Option<T>,
    pub name: Option<At<String>>,
    pub select: Option<At<Selector>>,
}

#[derive(Default)]
pub(crate) struct Windows {
    pub maintenance: Vec<Placed<Maintenance>>,
    pub freezes: Vec<Placed<Freeze>>,
}

pub(crate) fn read(root: &Table<'_, '_>) -> Windows {
    Windows {
        maintenance: root.tables("maintenance").iter().map(maintenance).collect(),
        freezes: root.tables("freeze").iter().map(freeze).collect(),
    }
}

fn maintenance(table: &Table<'_, '_>) -> Placed<Maintenance> {
    let name = read_name(table, "a maintenance window");
    let select = read_select(table);
    let when = read_when(table);
    let schedules_wait = table.choice("schedules", SCHEDULES).is_some_and(At::into_inner);
    let sound = table.finish();
    let window = name
        .as_ref()
        .zip(when)
        .filter(|_| sound)
        .map(|(name, when)| Maintenance {
            name: name.get_ref().clone(),
            select: select.as_ref().map(|select| select.get_ref().clone()),
            when,
            schedules_wait,
        });
    Placed { window, name, select }
}

fn freeze(table: &Table<'_, '_>) -> Placed<Freeze> {
    let name = read_name(table, "a freeze");
    let select = read_select(table);
    let from = table.required::<Moment>("from");
    let until = table.required::<Moment>("until");
    let except = table.choice("except", GRADES).map(At::into_inner);
    let span = span(table, from, until);
    let sound = table.finish();
    let window = name.as_ref().zip(span).filter(|_| sound).map(|(name, span)| Freeze {
        name: name.get_ref().clone(),
        select: select.as_ref().map(|select| select.get_ref().clone()),
        span,
        except,
    });
    Placed { window, name, select }
}

fn read_name(table: &Table<'_, '_>, what: &str) -> Option<At<String>> {
    let name = table.required::<String>("name")?;
    table.check_name(what, &name);
    Some(name)
}

pub(super) fn read_select(table: &Table<'_, '_>) -> Option<At<Selector>> {
    let text = table.optional::<String>("select")?;
    let selector = trigger::selector(table, "select", &text)?;
    Some(At::new(text.span(), selector))
}

/// `cron` and `for`, or `from` and `until`.
fn read_when(table: &Table<'_, '_>) -> Option<When> {
    let expression = table.optional::<String>("cron");
    let zone = table.optional::<String>("zone");
    let lasts = table.optional::<Length>("for");
    let from = table.optional::<Moment>("from");
    let until = table.optional::<Moment>("until");
    let of_each = ["cron", "for", "zone"].into_iter().find_map(|key| table.key_span(key));
    let of_once = ["from", "until"].into_iter().find_map(|key| table.key_span(key));
    match (of_each, of_once) {
        (Some(_), None) => {
            require(table, "cron", "for");
            let schedule = trigger::schedule_in(table, &expression?, zone.as_ref())?;
            let lasts = lasts?.into_inner().0;
            Some(When::Each { schedule, lasts })
        }
        (None, Some(_)) => {
            require(table, "from", "until");
            span(table, from, until).map(When::Once)
        }
        (Some(_), Some(place)) => {
            let problem = table.problem(
                "two-times",
                place,
                "a window has `cron` and `for`, or `from` and `until`",
            );
            table.say(problem.label("write a second `[[maintenance]]` for it"));
            None
        }
        (None, None) => {
            let problem = table.problem(
                "missing-key",
                table.span.clone(),
                "`[[maintenance]]` does not say when it is",
            );
            table.say(problem.label("add `cron` and `for`, or `from` and `until`"));
            None
        }
    }
}

fn require(table: &Table<'_, '_>, one: &str, other: &str) {
    for (key, with) in [(one, other), (other, one)] {
        if !table.has(key) {
            let message = format!("`[[maintenance]]` has `{with}` and no `{key}`");
            let place = table.key_span(with).unwrap_or(table.span.clone());
            table.say(
                table
                    .problem("missing-key", place, message)
                    .label(format!("add `{key}`")),
            );
        }
    }
}

fn span(table: &Table<'_, '_>, from: Option<At<Moment>>, until: Option<At<Moment>>) -> Option<Span> {
    let (from, until) = (from?, until?);
    let place = until.span();
    let span = Span {
        from: from.into_inner().0,
        until: until.into_inner().0,
    };
    if span.until <= span.from {
        let problem = table.problem("bad-value", place, "it ends before it begins");
        table.say(problem.label("`until` is later than `from`"));
        return None;
    }
    Some(span)
}

/// RFC 3339, in quotes or as TOML has it.
pub(crate) struct Moment(pub DateTime<Utc>);

impl value::Value for Moment {
    const EXPECTED: &'static str = "a time with its offset";

    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            _ => return Err(Fault::Type),
        };
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Ok(Self(time.to_utc())),
            Err(_) => Err(Fault::Value("write it like `2026-12-24T00:00:00+01:00`".to_owned())),
        }
    }
}
