//! Benchmarks beside the peer, in one run. They print figures and ratios and assert nothing: these belong to the machine
//! that they were measured on. benches/README.md says how to read them.

mod alert;
mod bare;
mod build;
mod copies;
mod exposition;
mod extism;
mod figures;
mod intake;
mod journal;
mod live;
mod load;
mod ours;
mod race;
mod recorded;
mod rules;
mod runs;
mod scale;
mod schedules;
mod series;
mod serve;
mod step;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::extism::Extism;
use crate::figures::say;
use crate::scale::Scale;

/// Measures evenkeel beside its peers.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// All of them, if none is named.
    #[command(subcommand)]
    what: Option<What>,
    /// A shorter form, whose figures are rougher.
    #[arg(long, global = true)]
    short: bool,
    /// A handful of each: only whether it runs.
    #[arg(long, global = true, conflicts_with = "short")]
    smoke: bool,
    /// Without Extism, which takes minutes to build.
    #[arg(long, global = true)]
    no_extism: bool,
    /// This `evenkeel`, instead of one that is built now.
    #[arg(long, global = true, value_name = "PROGRAM")]
    evenkeel: Option<PathBuf>,
}

#[derive(Clone, Subcommand)]
enum What {
    /// A no-op step, one with ten calls, and 64 at once.
    Step,
    /// Whole runs of a no-op step, journaled, one at a time, 16 and 64 at once.
    Runs,
    /// The memory of 1,000 live instances.
    Live,
    /// 100 plugins compiled, and out of the cache.
    Load,
    /// `evenkeel serve` with 100 plugins and 1,000 runbooks: until it is ready, and idle.
    Serve,
    /// An alert's way to the first call of a plugin.
    Alert,
    /// 100,000 schedules: a tick's cost, their memory, and how late rounds are opened.
    Schedules,
    /// Alerts accepted durably.
    Intake,
    /// Unit tests of rules.
    Rules,
    /// Rules over many series, and a Prometheus beside it.
    Judged,
    /// Exposition text, read and scraped.
    Exposition,
    /// A journal of ten million events: its size, and what it costs to start with it and to look into it.
    Journal,
    /// The store of series: its memory, appends, selectors and snapshots, and a Prometheus beside it.
    Series,
    #[command(hide = true)]
    LiveOf {
        who: String,
        instances: usize,
        home: PathBuf,
    },
    #[command(hide = true)]
    Receiver { fifo: String },
}

/// How everything is measured.
struct Setting {
    scale: Scale,
    with_extism: bool,
    evenkeel: Option<PathBuf>,
}

impl Setting {
    fn of(args: &Args) -> Self {
        let scale = match (args.smoke, args.short) {
            (true, _) => Scale::SMOKE,
            (false, true) => Scale::SHORT,
            (false, false) => Scale::FULL,
        };
        Self {
            scale,
            with_extism: !args.no_extism,
            evenkeel: args.evenkeel.clone(),
        }
    }

    fn evenkeel(&self) -> Result<PathBuf> {
        let Some(program) = &self.evenkeel else {
            return build::evenkeel();
        };
        // It is started from other directories.
        Ok(std::path::absolute(program)?)
    }

    fn extism(&self) -> Result<Option<Extism>> {
        self.with_extism.then(Extism::start).transpose()
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let setting = Setting::of(&args);
    match args.what {
        Some(What::LiveOf { who, instances, home }) => live::of(&who, instances, &home),
        Some(What::Receiver { fifo }) => alert::receiver::serve(&fifo),
        what => {
            say(&machine()?);
            measure(what, &setting)
        }
    }
}

fn measure(what: Option<What>, setting: &Setting) -> Result<()> {
    type Measure = fn(&Setting) -> Result<()>;
    let wanted: &[Measure] = match what {
        Some(What::Step) => &[step::run],
        Some(What::Runs) => &[runs::run],
        Some(What::Live) => &[live::run],
        Some(What::Load) => &[load::run],
        Some(What::Serve) => &[serve::run],
        Some(What::Alert) => &[alert::run],
        Some(What::Schedules) => &[schedules::run],
        Some(What::Intake) => &[intake::run],
        Some(What::Rules) => &[rules::run],
        Some(What::Judged) => &[series::judged::run],
        Some(What::Exposition) => &[exposition::run],
        Some(What::Journal) => &[journal::run],
        Some(What::Series) => &[series::run],
        _ => &[
            step::run,
            runs::run,
            live::run,
            load::run,
            serve::run,
            alert::run,
            schedules::run,
            intake::run,
            rules::run,
            exposition::run,
            journal::run,
            series::run,
            series::judged::run,
        ],
    };
    wanted.iter().try_for_each(|measure| measure(setting))
}

/// What the figures can't be read without: other work on the machine makes all of them worse.
fn machine() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let cores = std::thread::available_parallelism()?;
    let build = if cfg!(debug_assertions) {
        ", an unoptimised build"
    } else {
        ""
    };
    Ok(format!("{cores} cores, load {load} before it begins{build}"))
}
