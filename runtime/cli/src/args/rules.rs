//! `evenkeel rules …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Listing;

#[derive(Subcommand)]
pub enum Rules {
    /// Checks rule files and names every problem with its place and its fix. No home is needed for files that are named.
    Check(RulesCheck),
    /// Runs unit tests of rules, as `promtool test rules` does and from the same files. No home is needed.
    Test(RulesTest),
}

#[derive(Args)]
pub struct RulesCheck {
    /// Rule files of Prometheus (YAML) or of evenkeel (TOML). The default is all of the home's `rules/`.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Args)]
pub struct RulesTest {
    /// Test files; the rule files that they name are looked for beside them.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only tests whose names this regular expression finds itself in; one of several is enough.
    #[arg(long, value_name = "REGEX")]
    pub run: Vec<String>,
    #[command(flatten)]
    pub listing: Listing,
}
