//! The command line and the daemon: the only place that wires the rooms and prints.

mod archive;
mod args;
mod client;
mod clock;
mod commands;
mod daemon;
mod desk;
mod exit;
mod home;
mod key;
mod lock;
mod log;
mod office;
mod render;
mod signals;
mod socket;
mod user;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{CommandFactory as _, Parser as _};
use evenkeel_engine::port::Clock as _;

use crate::args::{Cli, Command};

/// How long a file system that doesn't answer may keep the process from ending.
const BLOCKED: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next();
    // Both are started by this program alone, with nothing but pipes: no part of the command line.
    if first.as_ref().is_some_and(|first| first == wire::COMPILE) {
        return evenkeel_sandbox::compile_as_child(args.map(|arg| arg.to_string_lossy().into_owned()));
    }
    if first.is_some_and(|first| first == wire::ATTEND) {
        return evenkeel_sandbox::attend_as_child(args);
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let code = runtime.block_on(execute(&cli)).unwrap_or_else(|error| failed(&error));
    runtime.shutdown_timeout(BLOCKED);
    code
}

async fn execute(cli: &Cli) -> Result<ExitCode> {
    let now = clock::SystemClock.now();
    match &cli.command {
        Command::Init(args) => commands::init::init(args.dir.as_deref().unwrap_or(&cli.home)),
        Command::Check(check) => commands::check::check(&cli.home, check, now),
        Command::Lock(args) => commands::lock::lock(&cli.home, args),
        Command::Run(args) => commands::run::run(&cli.home, args, now).await,
        Command::Serve(args) => commands::serve::serve(&cli.home, args).await,
        Command::Runs(command) => commands::runs::runs(&cli.home, command).await,
        Command::Pause(args) => commands::holds::pause(&cli.home, args, now).await,
        Command::Unpause(scope) => commands::holds::unpause(&cli.home, scope, now).await,
        Command::Pauses(listing) => commands::holds::pauses(&cli.home, listing, now).await,
        Command::Silence(command) => commands::holds::silence(&cli.home, command, now).await,
        Command::Strikes(command) => commands::holds::strikes(&cli.home, command, now).await,
        Command::Why(args) => commands::why::why(&cli.home, args, now).await,
        Command::Approvals(args) => commands::approvals::list(&cli.home, args).await,
        Command::Approve(args) => commands::approvals::decide(&cli.home, args, true).await,
        Command::Decline(args) => commands::approvals::decide(&cli.home, args, false).await,
        Command::Schedule(args) => commands::schedule::schedule(&cli.home, args, now).await,
        Command::Rules(command) => commands::rules::rules(&cli.home, command),
        Command::Query(args) => commands::query::query(args),
        Command::Changes(args) => commands::changes::list(&cli.home, args).await,
        Command::Audit(command) => commands::changes::audit(&cli.home, command),
        Command::Backup(args) => commands::backup::backup(&cli.home, args, now),
        Command::Restore(args) => commands::backup::restore(&cli.home, args, now).await,
        Command::Outbox(args) => commands::outbox::outbox(&cli.home, args).await,
        Command::Notify(command) => commands::outbox::notify(&cli.home, command).await,
        Command::Plugin(command) => commands::plugin::plugin(&cli.home, command).await,
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "evenkeel", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<home::Unclean>() {
        Some(unclean) => render::note(&unclean.render()),
        None => render::note(&format!("error: {error:#}")),
    }
    exit::ERROR.into()
}
