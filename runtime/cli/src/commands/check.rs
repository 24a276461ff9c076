//! `evenkeel check`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use evenkeel_model::access::explain::{Explained, explain, is_refused};
use evenkeel_model::home::Home;
use evenkeel_model::problem::{self, Problem};
use evenkeel_model::runbook::On;
use serde::Serialize;

use crate::args::Check;
use crate::home::{self, Files};
use crate::{exit, render};

/// So many ticks of each schedule are shown.
const TICKS: usize = 5;

#[derive(Serialize)]
struct Report<'a> {
    clean: bool,
    problems: &'a [Problem],
    schedules: Vec<Schedule>,
    /// With `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<Vec<Explained>>,
}

#[derive(Serialize)]
struct Schedule {
    runbook: String,
    cron: String,
    zone: String,
    next: Vec<DateTime<Utc>>,
    /// The same in the zone.
    local: Vec<String>,
}

pub fn check(dir: &Path, args: &Check, now: DateTime<Utc>) -> Result<ExitCode> {
    let listing = &args.listing;
    let files = Files::read(&home::locate(dir)?)?;
    match files.check() {
        Ok(checked) => {
            if !listing.json && !checked.warnings.is_empty() {
                let colour = std::io::stderr().is_terminal();
                render::note(&render::problem::render(&checked.warnings, &files.texts(), colour));
            }
            clean(&checked.home, &checked.warnings, args, now)
        }
        Err(unclean) if listing.json => {
            render::json(&Report {
                clean: false,
                problems: &unclean.problems,
                schedules: Vec::new(),
                grants: None,
            })?;
            Ok(exit::ERROR.into())
        }
        Err(unclean) => Err(unclean.into()),
    }
}

fn clean(home: &Home, warnings: &[Problem], args: &Check, now: DateTime<Utc>) -> Result<ExitCode> {
    let schedules = schedules(home, now);
    let grants = match &args.explain {
        Some(only) => Some(explained(home, only.as_deref())?),
        None => None,
    };
    // What can't be had is an error, although a home that checks clean should hold nothing of the kind.
    let code = match &grants {
        Some(grants) if is_refused(grants) => exit::ERROR.into(),
        _ => ExitCode::SUCCESS,
    };
    if args.listing.json {
        render::json(&Report {
            clean: true,
            problems: warnings,
            schedules,
            grants,
        })?;
        return Ok(code);
    }
    if let Some(grants) = grants {
        render::line(&render::grants::text(&grants))?;
        return Ok(code);
    }
    render::line(&format!(
        "clean: {}, {}, {}, {}",
        count(home.runbooks.len(), "runbook"),
        count(home.assets.len(), "asset"),
        count(home.roles.len(), "role"),
        count(home.plugins.len(), "plugin")
    ))?;
    for schedule in schedules {
        render::line(&format!(
            "`{}` at `{}` ({})",
            schedule.runbook, schedule.cron, schedule.zone
        ))?;
        for (local, tick) in schedule.local.iter().zip(schedule.next) {
            render::line(&format!("  {}", render::schedule::tick(local, tick)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(home: &Home, only: Option<&str>) -> Result<Vec<Explained>> {
    if let Some(only) = only.filter(|only| !home.runbooks.keys().any(|name| name.as_str() == *only)) {
        let known = home.runbooks.keys().map(|name| name.as_str());
        let near = problem::closest(only, known).map(|near| format!("; did you mean `{near}`?"));
        bail!("there is no runbook `{only}`{}", near.unwrap_or_default());
    }
    Ok(explain(home, only))
}

/// `1 role`, `3 roles`.
fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

fn schedules(home: &Home, now: DateTime<Utc>) -> Vec<Schedule> {
    let mut all = Vec::new();
    for runbook in home.runbooks.values() {
        for on in &runbook.on {
            let On::Cron { schedule, .. } = on else { continue };
            let next: Vec<_> = schedule.ticks(now).take(TICKS).collect();
            let local = next.iter().map(|tick| tick.with_timezone(&schedule.zone));
            all.push(Schedule {
                runbook: runbook.name.to_string(),
                cron: schedule.expression.clone(),
                zone: schedule.zone.to_string(),
                local: local
                    .map(|tick| tick.to_rfc3339_opts(SecondsFormat::Secs, true))
                    .collect(),
                next,
            });
        }
    }
    all
}
