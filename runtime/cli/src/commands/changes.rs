//! `evenkeel changes` and `evenkeel audit …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use evenkeel_model::change::{ChangeFilter, Recorded};
use evenkeel_model::name::{AssetId, CustomerId, RunbookName};
use evenkeel_model::run::Occurrence;
use evenkeel_store::audit;

use crate::args::{Audit, AuditVerify, Changes};
use crate::desk::{Desk, encode};
use crate::render::{self, safe, story, table};
use crate::{exit, home, key};

pub async fn list(dir: &Path, args: &Changes) -> Result<ExitCode> {
    let changes = read(dir, args).await?;
    if args.listing.json {
        render::json(&changes)?;
        return Ok(ExitCode::SUCCESS);
    }
    if changes.is_empty() {
        render::note("nothing was changed");
        return Ok(ExitCode::SUCCESS);
    }
    let head = [
        "#", "at", "run", "runbook", "target", "action", "outcome", "cause", "approved", "what",
    ];
    let mut listing = table::new(&head);
    for change in &changes {
        listing.add_row(row(change));
    }
    render::line(&table::text(&listing))?;
    Ok(ExitCode::SUCCESS)
}

async fn read(dir: &Path, args: &Changes) -> Result<Vec<Recorded>> {
    let pairs = [
        ("runbook", &args.runbook),
        ("target", &args.target),
        ("customer", &args.customer),
    ];
    let filters = pairs.iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some(format!("&{name}={}", encode(value)))
    });
    match Desk::to_read(dir).await? {
        Desk::Daemon(mut client) => {
            let filters: String = filters.collect();
            client
                .get(&format!("/api/v1/changes?limit={}{filters}", args.limit))
                .await
        }
        Desk::Files(store) => {
            let filter = ChangeFilter {
                runbook: args.runbook.as_deref().map(RunbookName::from),
                target: args.target.as_deref().map(AssetId::from),
                customer: args.customer.as_deref().map(CustomerId::from),
                limit: args.limit.into(),
            };
            store.changes(filter).await.map_err(anyhow::Error::msg)
        }
        Desk::House(_) => unreachable!("a desk to read runs nothing"),
    }
}

fn row(recorded: &Recorded) -> Vec<String> {
    let change = &recorded.change;
    let outcome = match (change.undo, recorded.undone) {
        (true, _) => format!("undo: {}", change.outcome.as_str()),
        (false, true) => format!("{}, undone since", change.outcome.as_str()),
        (false, false) => change.outcome.as_str().to_owned(),
    };
    vec![
        recorded.seq.to_string(),
        story::clock(change.at),
        change.run.to_string(),
        change.runbook.to_string(),
        change.target.as_ref().map_or("-".into(), ToString::to_string),
        safe::text(&format!("{}/{}", change.step, change.action)),
        outcome,
        cause(&change.cause),
        match change.approved_by.as_slice() {
            [] => "-".to_owned(),
            by => table::names(by),
        },
        safe::text(&change.summary),
    ]
}

fn cause(cause: &Occurrence) -> String {
    match cause {
        Occurrence::Person { who, .. } => safe::text(who),
        Occurrence::Tick { schedule, .. } => format!("schedule {}", safe::text(schedule)),
        Occurrence::Alert { .. } => "alert".to_owned(),
        Occurrence::Step { run, .. } => format!("run {run}"),
        Occurrence::After { round, .. } => format!("round {round}"),
    }
}

/// Reads the file itself, whether or not a daemon serves the home: the audit trusts nobody's word.
pub fn audit(dir: &Path, command: &Audit) -> Result<ExitCode> {
    let data = home::data(&home::locate(dir)?);
    let path = data.join("evenkeel.db");
    let look = |head| -> Result<audit::Audit> { Ok(audit::verify(&path, Some(&key::seal(&data)?), head)?) };
    match command {
        Audit::Verify(args) => verified(args, &look(args.head.as_deref())?),
        Audit::Head => match look(None)?.head {
            Some(head) => {
                render::line(&head)?;
                Ok(ExitCode::SUCCESS)
            }
            None => bail!("there are no records of changes yet"),
        },
    }
}

fn verified(args: &AuditVerify, audit: &audit::Audit) -> Result<ExitCode> {
    if args.listing.json {
        render::json(audit)?;
    } else {
        for at in &audit.breaks {
            render::line(&format!("change {}: {}", at.seq, at.why))?;
        }
        let head = audit.head.as_deref().unwrap_or("none");
        render::line(&format!("{} records, head {head}", audit.records))?;
    }
    match audit.breaks.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        _ => Ok(exit::ERROR.into()),
    }
}
