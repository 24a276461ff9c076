//! `evenkeel runs …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use evenkeel_model::name::RunId;

use super::{Listing, verdict};

#[derive(Subcommand)]
pub enum Runs {
    /// Lists runs, the newest first.
    List(RunsList),
    /// Tells why a run started, each step and call, what changed, and the verdict.
    Show(RunsShow),
    /// Makes every call of a run's plugins again, offline, and says whether all comes out the same.
    Replay(RunsReplay),
    /// Asks a run to stop at the next point where that is safe.
    Cancel {
        /// Its number.
        run: RunId,
    },
    /// Ends a run at once, in the middle of whatever it does. Nothing is looked at or undone after that, and an
    /// effect that is under way is left in doubt: `cancel` is the better way wherever there is time.
    Kill {
        /// Its number.
        run: RunId,
        /// Why; it is kept with the run.
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
    /// Goes on with a run that ended as `unknown`, once you have looked at what it may have done.
    Resolve(RunsResolve),
    /// Rolls back what a finished run applied, the last first, by the very plugins that applied it.
    Undo(RunsUndo),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("found").required(true))]
pub struct RunsResolve {
    /// Its number.
    pub run: RunId,
    /// The action that was in doubt is done, as a whole: the run goes on with what follows it.
    #[arg(long, group = "found")]
    pub done: bool,
    /// The effect was not made: an action that was interrupted there makes it now.
    #[arg(long, group = "found")]
    pub not_done: bool,
    /// Which action you looked at, if several are in doubt.
    #[arg(long, value_name = "STEP/ACTION")]
    pub of: Option<String>,
    /// What you saw; it is kept with the run.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
}

#[derive(Args)]
pub struct RunsUndo {
    /// Its number.
    pub run: RunId,
    /// Why; it is kept with the run.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
    /// Shows what would be rolled back, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// In spite of a change freeze, and why; it is kept with the run.
    #[arg(long, value_name = "WHY", value_parser = super::reason)]
    pub override_freeze: Option<String>,
    /// Also if a later run of the same runbook changed the same target.
    #[arg(long)]
    pub despite_later: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct RunsList {
    #[arg(long)]
    pub runbook: Option<String>,
    #[arg(long, value_name = "ASSET")]
    pub target: Option<String>,
    #[arg(long)]
    pub customer: Option<String>,
    /// For example `repaired` or `failed`.
    #[arg(long, value_parser = verdict)]
    pub verdict: Option<evenkeel_model::run::Verdict>,
    /// Only runs with a smaller number.
    #[arg(long, value_name = "RUN")]
    pub before: Option<RunId>,
    /// How many at most, up to 1,000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct RunsShow {
    /// Its number, as `runs list` shows it.
    pub run: RunId,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct RunsReplay {
    /// Their numbers, as `runs list` shows them.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<RunId>,
    /// Replays with this component, a changed version say, what its plugin was called for, and
    /// nothing else.
    #[arg(long, value_name = "COMPONENT")]
    pub with: Option<PathBuf>,
    #[command(flatten)]
    pub listing: Listing,
}
