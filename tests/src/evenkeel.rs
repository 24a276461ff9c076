//! The real binary, on a home of the test's own.

use std::{
    fs, io,
    path::Path,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    plugins,
    process::{self, Process},
    programs,
    wait::wait_until,
};

/// How long a daemon may take to become ready, or to end.
const BOUND: Duration = Duration::from_secs(60);

/// A home in a temporary directory, which goes when this is dropped.
pub struct Home {
    directory: TempDir,
}

/// What a command said, and with which code it ended.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// A running `evenkeel serve`.
pub struct Daemon {
    /// `http://ADDRESS`
    pub url: String,
    process: Process,
}

impl Home {
    /// An empty directory, for the test to write a home into.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn empty() -> io::Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
        })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of the home, with the directories that it is in.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.path().join(file);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, text)
    }

    /// Installs every shipped plugin.
    ///
    /// # Errors
    /// When one doesn't build.
    pub fn install_plugins(&self) -> anyhow::Result<()> {
        let into = self.path().join("plugins");
        fs::create_dir_all(&into)?;
        for component in fs::read_dir(plugins::shipped()?)? {
            let component = component?;
            fs::copy(component.path(), into.join(component.file_name()))?;
        }
        Ok(())
    }

    /// The binary with this home, for a test that adds arguments and an environment of its own.
    ///
    /// # Errors
    /// When it doesn't build.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(programs::program("evenkeel")?);
        command
            .arg("--home")
            .arg(self.path())
            .current_dir(self.path())
            .env_remove("EVENKEEL_HOME")
            .env_remove("EVENKEEL_LOG")
            .env("NO_COLOR", "1");
        Ok(command)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the binary doesn't build, or is ended by a signal.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let output = self.command()?.args(arguments).output()?;
        Ok(Said {
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            code: output.status.code().context("it was ended by a signal")?,
        })
    }

    /// Runs a command that ends well.
    ///
    /// # Errors
    /// When it doesn't, with all that it said.
    pub fn done(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let said = self.run(arguments)?;
        ensure!(said.code == 0, "`evenkeel {}` said {said:#?}", arguments.join(" "));
        Ok(said)
    }

    /// What a listing says with `--json`.
    ///
    /// # Errors
    /// When it fails, or prints anything else.
    pub fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.done(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&said.stdout).with_context(|| format!("not JSON: {}", said.stdout))
    }

    /// Serves the home, and waits until it is ready.
    ///
    /// # Panics
    /// When it doesn't become ready.
    ///
    /// # Errors
    /// When it doesn't build or can't be started.
    #[track_caller]
    pub fn serve(&self) -> anyhow::Result<Daemon> {
        let address = format!("127.0.0.1:{}", process::free_port()?);
        let mut command = self.command()?;
        command.args(["serve", "--listen", &address]);
        let mut process = Process::spawn("evenkeel", &mut command, self.path())?;
        let url = format!("http://{address}");
        let health = format!("{url}/healthz");
        wait_until(BOUND, "evenkeel is ready", || {
            if process.ended()?.is_some() {
                return Ok(Err(process.log()));
            }
            reqwest::blocking::get(&health)?.error_for_status()?;
            Ok(Ok(()))
        })
        .map_err(|log| anyhow::anyhow!("evenkeel ended before it was ready:\n{log}"))?;
        Ok(Daemon { url, process })
    }
}

impl Daemon {
    /// `HOST:PORT`, as a Prometheus is told of an Alertmanager.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it doesn't end.
    ///
    /// # Errors
    /// When it had ended before.
    #[track_caller]
    pub fn terminate(self) -> anyhow::Result<ExitStatus> {
        self.process.terminate(BOUND)
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGKILL)
    }
}
