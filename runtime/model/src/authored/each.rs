//! `each` of a step: what it is done for, one by one.

use std::num::NonZeroU32;

use toml::de::DeValue;

use super::json::Json;
use super::value::{self, Count, Fault, integer};
use super::{At, Table};
use crate::runbook::{self, Tolerate};

pub(crate) struct Each {
    pub list: List,
    pub concurrency: NonZeroU32,
    pub tolerate: Tolerate,
}

pub(crate) enum List {
    Expression(At<String>),
    Items(Json),
}

impl Each {
    pub fn checked(&self) -> Option<runbook::Each> {
        let list = match &self.list {
            List::Expression(expression) => runbook::List::Expression(expression.get_ref().clone()),
            List::Items(items) => runbook::List::Items(items.value.as_array()?.clone()),
        };
        Some(runbook::Each {
            list,
            concurrency: self.concurrency,
            tolerate: self.tolerate,
        })
    }
}

/// With `concurrency` and `tolerate`, which mean nothing without it.
pub(super) fn read(table: &Table<'_, '_>) -> Option<Each> {
    let list = table.value("each").and_then(|value| read_list(table, value));
    let concurrency = table.optional::<Count>("concurrency");
    let tolerate = table.optional::<Share>("tolerate");
    if !table.has("each") {
        for key in ["concurrency", "tolerate"] {
            if let Some(place) = table.key_span(key) {
                let problem = table.problem("without-each", place, format!("`{key}` is for a step with `each`"));
                table.say(problem.help("leave it out, or say with `each` what the step is done for"));
            }
        }
    }
    Some(Each {
        list: list?,
        concurrency: concurrency
            .and_then(|count| NonZeroU32::new(count.into_inner().0))
            .unwrap_or(NonZeroU32::MIN),
        tolerate: tolerate.map_or(Tolerate::Count(0), |tolerate| tolerate.into_inner().0),
    })
}

fn read_list(table: &Table<'_, '_>, value: &At<DeValue<'_>>) -> Option<List> {
    match value.get_ref() {
        DeValue::String(text) => Some(List::Expression(At::new(value.span(), text.to_string()))),
        DeValue::Array(items) if items.len() > runbook::Each::MOST => {
            let message = format!("`each` has {} items", items.len());
            let problem = table.problem("bad-value", value.span(), message);
            table.say(problem.label(format!("a step is done for {} at most", runbook::Each::MOST)));
            None
        }
        DeValue::Array(_) => Some(List::Items(Json::read(table, value))),
        _ => {
            table.wrong_type("each", value, "an array, or an expression that comes to one");
            None
        }
    }
}

/// `2`, or `"20%"`.
struct Share(Tolerate);

impl value::Value for Share {
    const EXPECTED: &'static str = "a number of items, or a share of them";

    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        if let DeValue::Integer(_) = value.get_ref() {
            let count = integer(value.get_ref()).and_then(|count| u32::try_from(count).ok());
            let count = count.ok_or_else(|| Fault::Value("write a number from 0 up".to_owned()))?;
            return Ok(Self(Tolerate::Count(count)));
        }
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
        match percent.filter(|percent: &u8| *percent <= 100) {
            Some(percent) => Ok(Self(Tolerate::Percent(percent))),
            None => Err(Fault::Value(
                "write a number like `2`, or a share like `20%`".to_owned(),
            )),
        }
    }
}
