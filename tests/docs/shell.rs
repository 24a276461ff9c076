//! A reader at a shell: evenkeel is on the PATH, and `$EVENKEEL` names the checkout.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use evenkeel_tests::{process::Process, programs, wait::wait_until, workspace};
use tempfile::TempDir;

/// Compiling a plugin and all that it is made of may take a while on a busy machine.
const BOUND: Duration = Duration::from_secs(420);

pub struct Shell {
    /// Where the commands are typed; empty at first.
    directory: TempDir,
    /// What they say is kept elsewhere, so that the directory has only what they make.
    logs: TempDir,
    environment: Vec<(OsString, OsString)>,
    path: Vec<PathBuf>,
}

impl Shell {
    pub fn in_an_empty_directory() -> anyhow::Result<Self> {
        let evenkeel = programs::program("evenkeel")?;
        let programs = evenkeel.parent().context("a program is in a directory")?.to_owned();
        let mut shell = Self {
            directory: tempfile::tempdir()?,
            logs: tempfile::tempdir()?,
            environment: Vec::new(),
            path: vec![programs],
        };
        shell.set("EVENKEEL", workspace::root());
        Ok(shell)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// Puts a directory before all others on the PATH.
    pub fn look_first_in(&mut self, directory: PathBuf) {
        self.path.insert(0, directory);
    }

    /// Runs the commands, each of which must succeed, and gives all that they said.
    pub fn run(&self, commands: &str) -> anyhow::Result<String> {
        let mut bash = Command::new("bash");
        bash.args(["-eux", "-c", commands])
            .current_dir(self.directory())
            .env_remove("EVENKEEL_HOME")
            .env_remove("EVENKEEL_LOG")
            .env("PATH", self.path_variable()?)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::spawn("bash", &mut bash, self.logs.path())?;
        let status = wait_until(BOUND, "the commands end", || {
            process
                .ended()?
                .with_context(|| format!("they still run: {}", process.log()))
        });
        ensure!(status.success(), "bash -eu ended with {status}:\n{}", process.log());
        Ok(process.log())
    }

    fn path_variable(&self) -> anyhow::Result<OsString> {
        let rest = env::var_os("PATH").unwrap_or_default();
        let all = self.path.iter().cloned().chain(env::split_paths(&rest));
        Ok(env::join_paths(all)?)
    }
}
