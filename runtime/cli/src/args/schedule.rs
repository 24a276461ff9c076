//! `evenkeel schedule …`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use evenkeel_model::cron;

use super::Listing;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Schedule {
    #[command(subcommand)]
    pub command: Option<ScheduleCommand>,
    /// Only those of this runbook.
    #[arg(long, value_name = "RUNBOOK")]
    pub runbook: Option<String>,
    /// Coming ticks of each.
    #[arg(short = 'n', long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub ticks: u16,
    /// How many schedules at most, up to 1,000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Subcommand)]
pub enum ScheduleCommand {
    /// Computes when an expression comes next. No home is needed.
    Next(ScheduleNext),
}

#[derive(Args)]
pub struct ScheduleNext {
    /// Five fields as in crontab(5), six that begin with seconds, or `@daily` and the like.
    #[arg(value_name = "EXPR", value_parser = expression, allow_hyphen_values = true)]
    pub expression: cron::Schedule,
    /// A name of the IANA time zone database.
    #[arg(long, default_value = "UTC", value_parser = zone)]
    pub zone: Tz,
    /// Only what comes after this instant. The default is now.
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub from: Option<DateTime<Utc>>,
    /// How many, up to 1,000,000.
    #[arg(short = 'n', long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub ticks: u32,
    #[command(flatten)]
    pub listing: Listing,
}

fn expression(text: &str) -> Result<cron::Schedule, String> {
    cron::Schedule::parse(text, Tz::UTC).map_err(|error| error.to_string())
}

fn zone(name: &str) -> Result<Tz, String> {
    cron::zone(name).map_err(|meant| match meant {
        Some(meant) => format!("there is no such zone; did you mean `{meant}`?"),
        None => "there is no such zone; they have the names of the IANA database, as in `Europe/Berlin`".to_owned(),
    })
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc())
        .map_err(|error| format!("{error}; write it like `2026-03-29T00:30:00Z` or `2026-03-29T01:30:00+01:00`"))
}
