//! `[limits]` of a runbook.

use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::DeValue;

use super::value::{self, Count, Fault};
use super::{At, Table};
use crate::quantity;
use crate::runbook::{Batch, Limits, MaxRuns, Overlap};

const OVERLAPS: &[(&str, Overlap)] = &[
    ("skip", Overlap::Skip),
    ("queue", Overlap::Queue),
    ("replace", Overlap::Replace),
];
/// More is no bound that anybody means; and it is how many runs a gate looks at.
const MOST: u32 = 1_000;
/// Of one run, which is one of many.
const PARALLEL: u32 = 64;

pub(crate) fn defaults() -> Limits {
    let count = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Limits {
        cooldown: Duration::from_secs(600),
        max_runs: Some(MaxRuns {
            count: count(5),
            within: Duration::from_secs(3_600),
        }),
        strikes: count(3),
        overlap: Overlap::Skip,
        fleet: Batch::Percent(20),
        deadline: None,
        parallel: count(8),
    }
}

pub(crate) fn read(table: Option<&Table<'_, '_>>) -> Limits {
    let mut limits = defaults();
    let Some(table) = table else {
        return limits;
    };
    if let Some(cooldown) = table.optional::<Duration>("cooldown") {
        limits.cooldown = cooldown.into_inner();
    }
    if let Some(bound) = table.optional::<Bound>("max_runs") {
        limits.max_runs = bound.into_inner().0;
    }
    if let Some(strikes) = table.optional::<Count>("strikes") {
        let span = strikes.span();
        let strikes = strikes.into_inner().0;
        if strikes > MOST {
            let problem = table.problem("bad-value", span, "`strikes` is too large");
            table.say(problem.label(format!("write a number from 1 to {MOST}")));
        }
        limits.strikes = NonZeroU32::new(strikes).unwrap_or(limits.strikes);
    }
    if let Some(overlap) = table.choice("overlap", OVERLAPS) {
        limits.overlap = overlap.into_inner();
    }
    if let Some(fleet) = table.optional::<Batch>("fleet") {
        limits.fleet = fleet.into_inner();
    }
    if let Some(deadline) = table.optional::<Deadline>("deadline") {
        limits.deadline = deadline.into_inner().0;
    }
    if let Some(parallel) = table.optional::<Count>("parallel") {
        match NonZeroU32::new(parallel.get_ref().0).filter(|parallel| parallel.get() <= PARALLEL) {
            Some(number) => limits.parallel = number,
            None => {
                let problem = table.problem("bad-value", parallel.span(), "`parallel` is too large");
                table.say(problem.label(format!(
                    "write a number from 1 to {PARALLEL}; 1 does one thing after the other"
                )));
            }
        }
    }
    table.finish();
    limits
}

/// `"2h"`, or `"none"`: an end, or none.
pub(super) struct Deadline(pub Option<Duration>);

impl value::Value for Deadline {
    const EXPECTED: &'static str = "a time";

    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        let deadline = quantity::duration(text).filter(|deadline| !deadline.is_zero());
        match (text, deadline) {
            ("none", _) => Ok(Self(None)),
            (_, Some(deadline)) => Ok(Self(Some(deadline))),
            (_, None) => Err(Fault::Value("write it like `2h`, or `none`".to_owned())),
        }
    }
}

/// `"5 in 1h"`, or `"none"`.
struct Bound(Option<MaxRuns>);

impl value::Value for Bound {
    const EXPECTED: &'static str = "a number of runs in a time";

    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        if text == "none" {
            return Ok(Self(None));
        }
        let bound = text.split_once(" in ").and_then(|(count, within)| {
            let count = count
                .trim()
                .parse()
                .ok()
                .filter(|count: &NonZeroU32| count.get() <= MOST)?;
            let within = quantity::duration(within.trim()).filter(|within| !within.is_zero())?;
            Some(MaxRuns { count, within })
        });
        let write = || Fault::Value(format!("write it like `5 in 1h`, with at most {MOST} runs, or `none`"));
        bound.map(|bound| Self(Some(bound))).ok_or_else(write)
    }
}
