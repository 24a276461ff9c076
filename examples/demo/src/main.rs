//! The demonstration of evenkeel: a small service that breaks by itself, and what repairs it.

mod board;
mod cargo;
mod daemon;
mod patience;
mod process;
mod rule;
mod stage;
mod story;
mod terminal;
mod traffic;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Shows evenkeel at work on a small service, in about a minute.
///
/// It exits with 0 only if all of it was observed.
#[derive(Parser)]
#[command(name = "demo", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    mode: Option<Mode>,
    #[command(flatten)]
    story: story::Options,
}

#[derive(Subcommand)]
enum Mode {
    /// Runs only the task board, the service that is looked after.
    Board {
        /// Where it listens; port 0 takes a free one and says which.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8077")]
        listen: SocketAddr,
        /// Where it keeps its tasks and its session cache.
        #[arg(long, value_name = "DIRECTORY")]
        data: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.mode {
        Some(Mode::Board { listen, data }) => board::serve(listen, &data).await.map(|()| ExitCode::SUCCESS),
        None => story::play(&arguments.story).await,
    };
    ended.unwrap_or_else(|error| {
        terminal::complain(&error);
        ExitCode::FAILURE
    })
}
