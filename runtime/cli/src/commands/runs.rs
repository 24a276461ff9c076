//! `evenkeel runs …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evenkeel_engine::port::RunFilter;
use evenkeel_model::name::{AssetId, CustomerId, RunId, RunbookName};
use evenkeel_model::run::{Mode, Occurrence, State, Summary};
use serde_json::json;

use crate::args::{Runs, RunsList, RunsShow};
use crate::commands::{replay, run};
use crate::desk::Desk;
use crate::render::{self, safe, story, table};

pub async fn runs(dir: &Path, command: &Runs) -> Result<ExitCode> {
    if let Runs::Resolve(args) = command {
        return run::resolve(dir, args).await;
    }
    if let Runs::Undo(args) = command {
        return run::undo(dir, args).await;
    }
    let mut desk = Desk::to_read(dir).await?;
    match command {
        Runs::Replay(args) => return replay::replay(dir, &mut desk, args).await,
        Runs::List(args) => list(&mut desk, args).await?,
        Runs::Show(args) => show(&mut desk, args).await?,
        Runs::Cancel { run } => cancel(&mut desk, *run).await?,
        Runs::Kill { run, why } => kill(&mut desk, *run, why).await?,
        Runs::Resolve(_) | Runs::Undo(_) => unreachable!("it is no reading"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(desk: &mut Desk, args: &RunsList) -> Result<()> {
    let filter = RunFilter {
        runbook: args.runbook.as_deref().map(RunbookName::from),
        target: args.target.as_deref().map(AssetId::from),
        customer: args.customer.as_deref().map(CustomerId::from),
        verdict: args.verdict,
        round: None,
        before: args.before,
        limit: args.limit.into(),
        ..RunFilter::default()
    };
    let runs = desk.runs(filter).await?;
    if args.listing.json {
        return Ok(render::json(&runs)?);
    }
    let mut rows = table::new(&["run", "asked at", "runbook", "target", "started by", "verdict", "why"]);
    for run in &runs {
        rows.add_row(row(run));
    }
    Ok(render::line(&table::text(&rows))?)
}

fn row(run: &Summary) -> [String; 7] {
    let started_by = match &run.occurrence {
        Occurrence::Tick { .. } => "schedule".to_owned(),
        Occurrence::Alert { .. } => "alert".to_owned(),
        Occurrence::Person { who, .. } => safe::text(who),
        Occurrence::Step { run, .. } => format!("run {run}"),
        Occurrence::After { round, .. } => format!("round {round}"),
    };
    let state = match run.state {
        State::Requested => "(requested)",
        State::Waiting => "(waiting)",
        State::Running => "(running)",
        State::Finished => "",
    };
    let dry = if run.mode == Mode::DryRun { " (dry run)" } else { "" };
    [
        run.run.to_string(),
        story::clock(run.requested_at),
        run.runbook.to_string(),
        run.target.as_ref().map_or("-".to_owned(), ToString::to_string),
        started_by,
        run.verdict
            .map_or(state.to_owned(), |verdict| format!("{verdict}{dry}")),
        safe::short(&run.why, 80),
    ]
}

async fn show(desk: &mut Desk, args: &RunsShow) -> Result<()> {
    let (summary, events) = desk.whole_story(args.run).await?;
    if args.listing.json {
        return Ok(render::json(&json!({ "summary": summary, "events": events }))?);
    }
    for line in story::Story::tell(args.run, &events) {
        render::line(&line)?;
    }
    if summary.compacted {
        render::note("its calls and log lines are not kept any more (`keep_calls`)");
    }
    Ok(())
}

async fn cancel(desk: &mut Desk, run: RunId) -> Result<()> {
    desk.cancel(run).await?;
    Ok(render::line(&format!("run {run} is asked to stop"))?)
}

async fn kill(desk: &mut Desk, run: RunId, why: &str) -> Result<()> {
    desk.kill(run, why).await?;
    Ok(render::line(&format!(
        "run {run} is ended where it stands; nothing of it is cleaned up, and `evenkeel runs show {run}` says what it was at"
    ))?)
}
