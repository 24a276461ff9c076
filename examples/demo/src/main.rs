//! The demonstration of evenkeel: a small service that breaks by itself, and what repairs it.

mod board;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

/// Shows evenkeel at work on a small service.
#[derive(Parser)]
#[command(name = "demo", version)]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
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
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().mode {
        Mode::Board { listen, data } => board::serve(listen, &data).await,
    }
}
