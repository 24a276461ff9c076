//! `evenkeel schedule …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use evenkeel_engine::schedule::{self, Filter, Listing};
use evenkeel_model::name::RunbookName;

use crate::args::{Schedule, ScheduleCommand, ScheduleNext};
use crate::desk::{Desk, encode};
use crate::home::{self, Files};
use crate::render;

pub async fn schedule(dir: &Path, args: &Schedule, now: DateTime<Utc>) -> Result<ExitCode> {
    match &args.command {
        Some(ScheduleCommand::Next(args)) => next(args, now)?,
        None => list(dir, args, now).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn next(args: &ScheduleNext, now: DateTime<Utc>) -> Result<()> {
    let schedule = args.expression.clone().in_zone(args.zone);
    let ticks = schedule.ticks(args.from.unwrap_or(now));
    let ticks = ticks.take(usize::try_from(args.ticks).unwrap_or(usize::MAX));
    if args.listing.json {
        return Ok(render::json(&ticks.collect::<Vec<_>>())?);
    }
    for tick in ticks {
        let local = tick.with_timezone(&args.zone);
        render::line(&local.to_rfc3339_opts(SecondsFormat::Secs, true))?;
    }
    Ok(())
}

async fn list(dir: &Path, args: &Schedule, now: DateTime<Utc>) -> Result<()> {
    let mut desk = Desk::to_read(dir).await?;
    let is_kept = matches!(desk, Desk::Daemon(_));
    let listing = read(dir, &mut desk, args, now).await?;
    if args.listing.json {
        return Ok(render::json(&listing)?);
    }
    if listing.schedules.is_empty() {
        render::note("no runbook has an `[[on]]` with `cron`");
    } else if !is_kept {
        render::note("no daemon serves this home: nothing of this starts before `evenkeel serve` does");
    }
    for schedule in &listing.schedules {
        for line in render::schedule::lines(schedule) {
            render::line(&line)?;
        }
    }
    if listing.more > 0 {
        render::note(&format!("{} more; `--limit` and `--runbook` show others", listing.more));
    }
    Ok(())
}

async fn read(dir: &Path, desk: &mut Desk, args: &Schedule, now: DateTime<Utc>) -> Result<Listing> {
    let filter = Filter {
        runbook: args.runbook.as_deref().map(RunbookName::from),
        ticks: args.ticks.into(),
        limit: args.limit.into(),
    };
    let store = match desk {
        Desk::Daemon(client) => {
            let runbook = filter.runbook.as_ref();
            let runbook = runbook.map_or(String::new(), |name| format!("&runbook={}", encode(name.as_str())));
            let path = format!(
                "/api/v1/schedules?ticks={}&limit={}{runbook}",
                filter.ticks, filter.limit
            );
            return client.get(&path).await;
        }
        Desk::Files(store) => &*store,
        Desk::House(house) => &*house.store,
    };
    let home = Files::read(&home::locate(dir)?)?.check()?.home;
    Ok(schedule::list(store, &home, &filter, now).await?)
}
