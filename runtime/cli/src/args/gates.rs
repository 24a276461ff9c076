//! What holds runs back, and why they did not start.

use std::time::Duration;

use clap::{Args, Subcommand};
use evenkeel_model::hold;

use super::{Listing, duration};

#[derive(Args)]
pub struct Pause {
    #[command(flatten)]
    pub scope: Scope,
    /// For how long, as in `2h`; without it, until `unpause`.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Option<Duration>,
    /// Why, for who wonders later.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Scope {
    /// Runs on this customer's assets.
    #[arg(long)]
    pub customer: Option<String>,
    /// Runs of this runbook.
    #[arg(long)]
    pub runbook: Option<String>,
    /// All runs.
    #[arg(long)]
    pub all: bool,
}

impl Scope {
    pub fn scope(&self) -> hold::Scope {
        match (&self.customer, &self.runbook) {
            (Some(customer), _) => hold::Scope::Customer(customer.as_str().into()),
            (None, Some(runbook)) => hold::Scope::Runbook(runbook.as_str().into()),
            (None, None) => hold::Scope::All,
        }
    }
}

#[derive(Subcommand)]
pub enum Silence {
    /// Has alerts with these labels start nothing for a while.
    Add(SilenceAdd),
    /// Lists the silences that are in force.
    List(Listing),
    /// Ends a silence.
    End {
        /// Its number, as `silence list` shows it.
        silence: u64,
    },
}

#[derive(Args)]
pub struct SilenceAdd {
    /// Label matchers as an Alertmanager has them, all of which must hold: `alertname=DiskFilling`,
    /// `instance=~"10[.]0[.].*"`, `env!=prod`. `customer` is the alert's customer.
    #[arg(required = true)]
    pub matchers: Vec<String>,
    /// For how long, as in `2h`.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Duration,
    /// Why, for who wonders later.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Subcommand)]
pub enum Strikes {
    /// Has a runbook try again on a target where it was given up.
    Clear {
        /// The runbook's name.
        runbook: String,
        /// The asset's id.
        target: String,
    },
}

#[derive(Args)]
pub struct Why {
    /// Of this runbook.
    #[arg(long)]
    pub runbook: Option<String>,
    /// On this asset.
    #[arg(long)]
    pub asset: Option<String>,
    /// Started by this alert: its fingerprint, or its name.
    #[arg(long, value_name = "ALERT")]
    pub alert: Option<String>,
    /// In the hour around this time, which is in RFC 3339, or so long ago (`3h`).
    #[arg(long, value_name = "TIME", conflicts_with = "since")]
    pub at: Option<String>,
    /// Since then; without it and `--at`, in the last 24 hours.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// How many runs at most, and how many other happenings, up to 200.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Tells what an alert would start now, and starts nothing: a file as Prometheus or Alertmanager would send
    /// it, or the fingerprint of an alert that was taken in (`CUSTOMER/FINGERPRINT` if several customers have it).
    #[arg(long, value_name = "FILE|FINGERPRINT", conflicts_with_all = ["runbook", "asset", "alert", "at", "since"])]
    pub simulate: Option<String>,
    #[command(flatten)]
    pub listing: Listing,
}
