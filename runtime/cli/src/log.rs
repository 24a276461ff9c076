//! The daemon's log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// What is logged unless `EVENKEEL_LOG` says otherwise.
const FILTER: &str = "info";

pub fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var("EVENKEEL_LOG")
        .with_default_directive(FILTER.parse().expect("it is a level"))
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
