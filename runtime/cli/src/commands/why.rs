//! `evenkeel why`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::why::Question;
use evenkeel_model::quantity;

use super::run::read_alert;
use crate::args::gates::Why;
use crate::office::{Asked, Office};
use crate::render;
use crate::render::why::{simulated, told};

pub async fn why(dir: &Path, args: &Why, now: DateTime<Utc>) -> Result<ExitCode> {
    let mut office = Office::of(dir).await?;
    if let Some(alert) = &args.simulate {
        let path = Path::new(alert);
        let asked = match path.exists() {
            true => Asked::Alert(Box::new(read_alert(dir, path, now)?)),
            false => Asked::Stored(alert.clone()),
        };
        let answer = office.simulate(asked).await?;
        return print(&answer, args.listing.json, simulated);
    }
    let answer = office.why(&question(args, now)?).await?;
    print(&answer, args.listing.json, told)
}

fn print<T: serde::Serialize>(answer: &T, json: bool, text: impl Fn(&T) -> Vec<String>) -> Result<ExitCode> {
    if json {
        render::json(answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in text(answer) {
        render::line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn question(args: &Why, now: DateTime<Utc>) -> Result<Question> {
    let half = TimeDelta::minutes(30);
    let (from, to) = match (&args.at, &args.since) {
        (Some(at), _) => {
            let at = time(at, now)?;
            (at - half, at + half)
        }
        (None, Some(since)) => (time(since, now)?, now),
        (None, None) => (now - TimeDelta::hours(24), now),
    };
    Ok(Question {
        runbook: args.runbook.as_deref().map(Into::into),
        asset: args.asset.as_deref().map(Into::into),
        alert: args.alert.clone(),
        from,
        to,
        limit: args.limit.into(),
    })
}

fn time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let ago = quantity::duration(text).and_then(|ago| TimeDelta::from_std(ago).ok());
    match ago.and_then(|ago| now.checked_sub_signed(ago)) {
        Some(time) => Ok(time),
        None => bail!("`{text}` is no time: write it like `2026-11-23T10:00:00Z`, or `3h` for three hours ago"),
    }
}
