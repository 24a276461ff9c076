//! The command line. A doc comment here is what `--help` prints.

mod changes;
pub mod gates;
mod query;
mod rules;
mod runs;
mod schedule;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use evenkeel_engine::port::outbox::NoticeState;
use evenkeel_model::name::{RoundId, RunId};

pub use changes::{Audit, AuditVerify, Changes};
pub use query::{Moment, Query};
pub use rules::{Rules, RulesCheck, RulesTest};
pub use runs::{Runs, RunsList, RunsReplay, RunsResolve, RunsShow, RunsUndo};
pub use schedule::{Schedule, ScheduleCommand, ScheduleNext};

const AFTER_HELP: &str = "\
Exit codes: 0 healthy, changed, repaired, planned or undone; 1 an error; 2 wrong usage; 10 unhealthy; 11 not-repaired; \
12 failed; 13 rejected; 14 cancelled; 15 unknown; 16 waits for an approval. A command over several runs exits with the worst.";

/// Runs runbooks of sandboxed WebAssembly plugins, by schedule and by alert.
#[derive(Parser)]
#[command(name = "evenkeel", version, about, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// The directory that holds `evenkeel.toml`, `assets.toml`, `runbooks/`, `plugins/` and `data/`.
    #[arg(long, global = true, env = "EVENKEEL_HOME", value_name = "DIR", default_value = ".")]
    pub home: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Writes a new home with every setting and its default.
    Init(Init),
    /// Checks the whole home and names every problem with its place and its fix.
    Check(Check),
    /// Pins the plugins that the runbooks use in `evenkeel.lock`.
    Lock(Lock),
    /// Runs a runbook now, and follows it to its verdict.
    Run(Run),
    /// Serves the home: takes alerts in, keeps schedules, runs runbooks.
    Serve(Serve),
    /// Lists runs and tells their stories.
    #[command(subcommand)]
    Runs(Runs),
    /// Lets no run start for a while; what is at work goes on, and what waits starts afterwards if it is still wanted.
    Pause(gates::Pause),
    /// Ends a pause.
    Unpause(gates::Scope),
    /// Lists the pauses that are in force.
    Pauses(Listing),
    /// Has alerts start nothing for a while.
    #[command(subcommand)]
    Silence(gates::Silence),
    /// Lets a runbook try again where it was given up.
    #[command(subcommand)]
    Strikes(gates::Strikes),
    /// Tells why something ran, and why it did not.
    Why(gates::Why),
    /// Shows the plans that wait for a person: content, impact, undo.
    Approvals(Approvals),
    /// Says yes to a plan that waits.
    Approve(Approve),
    /// Says no to a plan that waits.
    Decline(Approve),
    /// Shows which schedules come next, and what became of the last ticks.
    Schedule(Schedule),
    /// Checks and tests alerting and recording rules.
    #[command(subcommand)]
    Rules(Rules),
    /// Evaluates a PromQL expression over the daemon's series, or over a file of series, for which no home is needed.
    Query(Query),
    /// Lists what was done to the world: who, when, what, and whether it was undone.
    Changes(Changes),
    /// Checks that the records of changes are what was written.
    #[command(subcommand)]
    Audit(Audit),
    /// Shows what people were told, what still waits to be told, and each try.
    Outbox(Outbox),
    /// Tries the notifiers of the home.
    #[command(subcommand)]
    Notify(Notify),
    /// Copies the journal, the home's key and the components of its runs, also while a daemon is at work.
    Backup(Backup),
    /// Takes the data of a home from a backup, or looks through one.
    Restore(Restore),
    /// Builds, lists and inspects plugins.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Reads what a target answers to a scrape, and names the place that a Prometheus would refuse it for. No home is needed.
    Metrics(Metrics),
    /// Prints completions for a shell.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// How a listing is printed.
#[derive(Args)]
pub struct Listing {
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Metrics {
    /// Files with exposition text; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How they are read. Without it, a text that ends with `# EOF` is OpenMetrics.
    #[arg(long, value_enum)]
    pub format: Option<MetricsFormat>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum MetricsFormat {
    /// `text/plain`, version 0.0.4 or 1.0.0.
    Text,
    /// `application/openmetrics-text`, version 1.0.0.
    #[value(name = "openmetrics")]
    OpenMetrics,
}

#[derive(Args)]
pub struct Backup {
    /// A directory that is not there yet. It holds the home's key: keep it as you keep that.
    #[arg(value_name = "DIRECTORY")]
    pub to: PathBuf,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct Restore {
    /// The directory that `backup` wrote.
    #[arg(value_name = "DIRECTORY")]
    pub from: PathBuf,
    /// Only looks whether it is whole, and says what is in it.
    #[arg(long)]
    pub check: bool,
    /// Also if the home has a journal: that is moved aside.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct Check {
    /// Prints what every step may do on every target, what each name stands for there, and what is left over: of one
    /// runbook, or of all.
    #[arg(long, value_name = "RUNBOOK", num_args = 0..=1)]
    pub explain: Option<Option<String>>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct Init {
    /// Where; it is made if it is not there. The default is `--home`.
    pub dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct Lock {
    /// Takes the newest installed version of this plugin although the lock pins another.
    #[arg(long, value_name = "PLUGIN")]
    pub update: Vec<String>,
    /// Does so for every plugin.
    #[arg(long)]
    pub update_all: bool,
}

#[derive(Args)]
pub struct Run {
    /// The runbook's name.
    pub runbook: String,
    /// The asset to run it on. Without it, the one that the alert names, or the only one that its
    /// `[targets]` select; if they select several, nothing is run.
    #[arg(long, value_name = "ASSET")]
    pub target: Option<String>,
    /// Runs it on every asset that its `[targets]` select, in their batches.
    #[arg(long, conflicts_with_all = ["target", "alert"])]
    pub all_targets: bool,
    /// Plans only: no effect is made, whatever a plugin tries.
    #[arg(long)]
    pub dry_run: bool,
    /// A file with the alert that the runbook sees: what Prometheus or Alertmanager would send.
    #[arg(long, value_name = "FILE")]
    pub alert: Option<PathBuf>,
    /// Changes something although a `[[freeze]]` says otherwise, and records why.
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub override_freeze: Option<String>,
    /// A value of one of the runbook's `[[input]]`s.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct Serve {
    /// Where to listen for alerts and for the API, instead of `[server] listen`.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// How the log is written to standard error. `EVENKEEL_LOG` filters it, as in `info,evenkeel_engine=debug`.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How long runs may go on after SIGTERM before they are left to the next start.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub drain: std::time::Duration,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Args)]
pub struct Approvals {
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub struct Approve {
    /// The run that waits.
    #[arg(group = "whose")]
    pub run: Option<RunId>,
    /// All runs of a round that wait.
    #[arg(long, group = "whose")]
    pub round: Option<RoundId>,
    /// Only if this is its plan, or these are the plans of the round: the hash that `approvals` shows, or the beginning of it.
    #[arg(long, value_name = "HASH")]
    pub plan: Option<String>,
    /// Why; it is kept with the run.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
}

#[derive(Args)]
pub struct Outbox {
    /// Only notices in this state: `waiting`, `delivered` or `given-up`.
    #[arg(long, value_parser = notice_state)]
    pub state: Option<NoticeState>,
    /// Only those for this notifier.
    #[arg(long, value_name = "NAME")]
    pub notifier: Option<String>,
    /// Only notices with a smaller number.
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
    /// How many at most, up to 1,000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Subcommand)]
pub enum Notify {
    /// Sends a test notice, and says what came of it.
    Test {
        /// The notifier's name in `evenkeel.toml`.
        name: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// What is decided on.
pub enum Whose {
    Run(RunId),
    Round(RoundId),
}

#[derive(Subcommand)]
pub enum Plugin {
    /// Builds a plugin from its source into the home's `plugins/`, or, outside of a home, into this directory.
    Build(PluginBuild),
    /// Lists the plugins that are installed in the home.
    List(Listing),
    /// Shows what a plugin is, asks for and takes, without running it.
    Inspect(PluginInspect),
    /// Has the daemon call a plugin again that trapped three times in a row.
    Close {
        /// `NAME`, or `NAME@VERSION`.
        plugin: String,
    },
}

#[derive(Args)]
pub struct PluginBuild {
    /// The directory with `plugin.toml`, and `Cargo.toml` if it is Rust.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Where the component is written.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct PluginInspect {
    /// A component file, or the name of an installed plugin (`NAME` or `NAME@VERSION`).
    pub plugin: String,
    #[command(flatten)]
    pub listing: Listing,
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn verdict(text: &str) -> Result<evenkeel_model::run::Verdict, String> {
    let all = evenkeel_model::run::Verdict::ALL;
    all.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|verdict| verdict.as_str()).collect();
        format!("one of {}", names.join(", "))
    })
}

fn notice_state(text: &str) -> Result<NoticeState, String> {
    let all = NoticeState::ALL;
    let found = all.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| format!("one of {}", all.map(NoticeState::as_str).join(", ")))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    evenkeel_model::quantity::duration(text).ok_or_else(|| "write it as `90s`, `10m` or `1h30m`".to_owned())
}
