//! `evenkeel rules test`.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::RulesTest;

pub fn test(args: &RulesTest) -> Result<ExitCode> {
    bail!("{} files: not yet", args.files.len())
}
