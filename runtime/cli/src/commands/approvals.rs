//! `evenkeel approvals`, `approve` and `decline`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use evenkeel_engine::{Decision, Pending};

use crate::args::{Approvals, Approve, Whose};
use crate::commands::run;
use crate::desk::Desk;
use crate::render::{self, plan, safe, story, table};
use crate::user;

/// What waits, with all that there is to know before one says yes.
pub async fn list(dir: &Path, args: &Approvals) -> Result<ExitCode> {
    let pending = Desk::pending(dir).await?;
    if args.listing.json {
        render::json(&pending)?;
        return Ok(ExitCode::SUCCESS);
    }
    if pending.is_empty() {
        render::line("nothing waits for an approval")?;
    }
    for waiting in &pending {
        for line in told(waiting) {
            render::line(&line)?;
        }
    }
    for line in rounds(&pending) {
        render::line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rounds several of whose plans wait, and how all of them are approved as they are shown.
fn rounds(pending: &[Pending]) -> Vec<String> {
    let mut rounds: BTreeMap<_, (usize, &str)> = BTreeMap::new();
    for waiting in pending {
        rounds.entry(waiting.round).or_insert((0, &waiting.round_plans)).0 += 1;
    }
    let several = rounds.into_iter().filter(|(_, (count, _))| *count > 1);
    let told = several.map(|(round, (count, plans))| {
        let plans = plans.get(..12).unwrap_or(plans);
        format!(
            "round {round}: {count} plans wait; `evenkeel approve --round {round} --plan {plans}` approves just these"
        )
    });
    told.collect()
}

/// Says yes or no to what waits. Without a daemon, the run goes on in this process.
pub async fn decide(dir: &Path, args: &Approve, approve: bool) -> Result<ExitCode> {
    let said = Decision {
        approve,
        who: user::name(),
        why: args.why.clone(),
    };
    let whose = match (args.run, args.round) {
        (Some(run), None) => Whose::Run(run),
        (None, Some(round)) => Whose::Round(round),
        _ => bail!("name a run, or a round with --round"),
    };
    let concerned = |waiting: &Pending| match &whose {
        Whose::Run(run) => waiting.run == *run,
        Whose::Round(round) => waiting.round == *round,
    };
    let waits = Desk::pending(dir).await?.iter().any(concerned);
    run::at(Desk::to_try(dir).await?, async |desk| {
        if waits {
            desk.resume().await?;
        }
        let runs = desk.decide(&whose, args.plan.as_deref(), &said).await?;
        let verb = if approve { "approved" } else { "declined" };
        for run in &runs {
            render::line(&format!("run {run}: {verb} by {}", safe::text(&said.who)))?;
        }
        match desk {
            Desk::House(_) => run::follow_all(desk, &runs).await,
            _ => Ok(ExitCode::SUCCESS),
        }
    })
    .await
}

fn told(waiting: &Pending) -> Vec<String> {
    let target = waiting
        .target
        .as_ref()
        .map_or("no target".into(), |target| format!("`{target}`"));
    let customer = waiting
        .customer
        .as_ref()
        .map_or(String::new(), |name| format!(" of `{name}`"));
    let mut lines = vec![
        format!(
            "run {} (round {}): `{}` on {target}{customer}: {}",
            waiting.run,
            waiting.round,
            waiting.runbook,
            safe::text(&waiting.summary)
        ),
        format!(
            "  step `{}`, risk {}, plan {}; asked {}, rejected at {}",
            waiting.step,
            waiting.risk,
            waiting.plan.get(..12).unwrap_or(&waiting.plan),
            story::clock(waiting.asked_at),
            story::clock(waiting.until)
        ),
        format!("  who: {}", who(waiting)),
    ];
    lines.extend(plan::whole(&waiting.actions, "`evenkeel approvals --json`"));
    let grants: Vec<String> = waiting.grants.iter().map(ToString::to_string).collect();
    if !grants.is_empty() {
        lines.push(format!("  it may use: {}", grants.join(", ")));
    }
    if !waiting.dependents.is_empty() {
        let names: Vec<String> = waiting.dependents.iter().map(|asset| format!("`{asset}`")).collect();
        lines.push(format!("  what depends on {target}: {}", names.join(", ")));
    }
    lines.push(format!(
        "  `evenkeel approve {}` or `evenkeel decline {}`",
        waiting.run, waiting.run
    ));
    lines
}

fn who(waiting: &Pending) -> String {
    let people = match &waiting.ask {
        Some(ask) => format!(
            "{} of `{}` ({})",
            waiting.need,
            safe::text(ask),
            table::names(&waiting.people)
        ),
        None => format!("{} who may talk to the daemon", waiting.need),
    };
    match waiting.approved_by.as_slice() {
        [] => people,
        by => format!("{people}; approved by {} so far", table::names(by)),
    }
}
