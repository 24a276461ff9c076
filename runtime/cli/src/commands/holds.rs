//! `evenkeel pause`, `unpause`, `pauses`, `silence …` and `strikes …`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::hold::{Hold, What, Wish};
use evenkeel_model::runbook::Selector;

use crate::args::Listing;
use crate::args::gates::{Pause, Scope, Silence, SilenceAdd, Strikes};
use crate::office::Office;
use crate::render::{self, safe, story, table};
use crate::user;

pub async fn pause(dir: &Path, args: &Pause, now: DateTime<Utc>) -> Result<ExitCode> {
    let scope = args.scope.scope();
    let wish = Wish {
        what: What::Pause(scope.clone()),
        why: args.why.clone(),
        who: user::name(),
        until: args.lasts.map(|lasts| end(now, lasts)).transpose()?,
    };
    let hold = Office::of(dir).await?.hold(wish, now).await?;
    told(&hold, &args.listing, &format!("{scope} is paused{}", until(&hold)))
}

pub async fn unpause(dir: &Path, args: &Scope, now: DateTime<Utc>) -> Result<ExitCode> {
    let scope = args.scope();
    let mut office = Office::of(dir).await?;
    let standing = office.holds(now).await?;
    let pauses = standing.iter().filter(|hold| hold.what == What::Pause(scope.clone()));
    let pauses: Vec<u64> = pauses.map(|hold| hold.id).collect();
    if pauses.is_empty() {
        bail!("{scope} is not paused; `evenkeel pauses` lists what is");
    }
    for pause in pauses {
        office.release(pause, &user::name(), now).await?;
    }
    render::line(&format!("{scope} goes on"))?;
    Ok(ExitCode::SUCCESS)
}

pub async fn pauses(dir: &Path, listing: &Listing, now: DateTime<Utc>) -> Result<ExitCode> {
    let holds = Office::of(dir).await?.holds(now).await?;
    let pauses: Vec<Hold> = holds
        .into_iter()
        .filter(|hold| matches!(hold.what, What::Pause(_)))
        .collect();
    list(&pauses, listing, "paused")
}

pub async fn silence(dir: &Path, command: &Silence, now: DateTime<Utc>) -> Result<ExitCode> {
    let mut office = Office::of(dir).await?;
    match command {
        Silence::Add(args) => add(&mut office, args, now).await,
        Silence::List(listing) => {
            let holds = office.holds(now).await?.into_iter();
            let silences: Vec<Hold> = holds.filter(|hold| matches!(hold.what, What::Silence { .. })).collect();
            list(&silences, listing, "silenced")
        }
        Silence::End { silence } => {
            let known = office.holds(now).await?;
            let known = known
                .iter()
                .any(|hold| hold.id == *silence && matches!(hold.what, What::Silence { .. }));
            if !known || office.release(*silence, &user::name(), now).await?.is_none() {
                bail!("there is no silence {silence}; `evenkeel silence list` shows those in force");
            }
            render::line(&format!("silence {silence} is over"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn add(office: &mut Office, args: &SilenceAdd, now: DateTime<Utc>) -> Result<ExitCode> {
    let matchers = match Selector::from_words(&args.matchers) {
        Ok(selector) => selector.text,
        Err(error) => bail!("`{}` are no matchers: {error}", args.matchers.join(" ")),
    };
    let wish = Wish {
        what: What::Silence { matchers },
        why: args.why.clone(),
        who: user::name(),
        until: Some(end(now, args.lasts)?),
    };
    let hold = office.hold(wish, now).await?;
    let said = format!("silence {}{}", hold.id, until(&hold));
    told(&hold, &args.listing, &said)
}

pub async fn strikes(dir: &Path, command: &Strikes, now: DateTime<Utc>) -> Result<ExitCode> {
    let Strikes::Clear { runbook, target } = command;
    let mut office = Office::of(dir).await?;
    office.clear_strikes(runbook, target, &user::name(), now).await?;
    render::line(&format!("`{runbook}` may try again on `{target}`"))?;
    Ok(ExitCode::SUCCESS)
}

fn end(now: DateTime<Utc>, lasts: Duration) -> Result<DateTime<Utc>> {
    let end = TimeDelta::from_std(lasts)
        .ok()
        .and_then(|lasts| now.checked_add_signed(lasts));
    match end {
        Some(end) if end > now => Ok(end),
        _ => bail!("--for is longer than nothing, and a hundred years at most"),
    }
}

fn told(hold: &Hold, listing: &Listing, said: &str) -> Result<ExitCode> {
    match listing.json {
        true => render::json(hold)?,
        false => render::line(said)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn until(hold: &Hold) -> String {
    match hold.until {
        Some(until) => format!(" until {}", story::clock(until)),
        None => " until `evenkeel unpause`".to_owned(),
    }
}

fn list(holds: &[Hold], listing: &Listing, what: &str) -> Result<ExitCode> {
    if listing.json {
        render::json(&holds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table::new(&["id", what, "since", "until", "by", "why"]);
    for hold in holds {
        let held = match &hold.what {
            What::Pause(scope) => scope.to_string(),
            What::Silence { matchers } => safe::text(matchers),
        };
        rows.add_row([
            hold.id.to_string(),
            held,
            story::clock(hold.since),
            hold.until.map_or("-".to_owned(), story::clock),
            safe::text(&hold.who),
            safe::short(&hold.why, 80),
        ]);
    }
    render::line(&table::text(&rows))?;
    Ok(ExitCode::SUCCESS)
}
