//! Prometheus's own judge of rule files and of their unit tests.

use std::path::Path;

use super::{Installed, Wanted, installed};

const WANTED: Wanted = Wanted {
    package: "promtool",
    programs: &["promtool"],
    since: (3, 5),
};

pub struct Promtool {
    program: Installed,
}

/// What it said, and whether it found everything right.
#[derive(Debug)]
pub struct Judged {
    pub passed: bool,
    pub said: String,
}

impl Promtool {
    /// # Errors
    /// When there is none.
    pub fn find() -> anyhow::Result<Self> {
        Ok(Self {
            program: installed(&WANTED)?,
        })
    }

    /// Runs it in this directory.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn judge(&self, directory: &Path, arguments: &[&str]) -> anyhow::Result<Judged> {
        let output = self.program.command().args(arguments).current_dir(directory).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Judged {
            passed: output.status.success(),
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}
