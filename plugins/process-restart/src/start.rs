//! Starts what a profile selects, through a command of the operator, and waits until it runs.

use evenkeel_sdk::exec::{Exec, ExecError};
use evenkeel_sdk::{Duration, Error, Host, Params, Result, ensure};

use crate::remedy::half_a_minute;
use crate::seen::is_alive;
use crate::{MARGIN, POLL, counted};

/// Bytes of a failed command's last words that an error tells.
const TAIL: usize = 500;

/// A command that starts the processes and ends by itself.
#[derive(Params)]
pub struct Start {
    /// The exec profile.
    pub profile: String,
    /// Further arguments; the profile says which are allowed.
    #[serde(default)]
    pub args: Vec<String>,
    /// How long it may take until enough of them run.
    #[serde(default = "half_a_minute")]
    pub within: Duration,
}

/// What runs now.
pub struct Started {
    pub words: String,
    pub pids: Vec<u32>,
}

impl Start {
    pub fn command<'h>(&self, host: &'h Host) -> Exec<'h> {
        host.exec(&self.profile).args(&self.args)
    }

    /// As a person would write it.
    pub fn line(&self) -> String {
        std::iter::once(self.profile.as_str())
            .chain(self.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it once, and waits until two looks in a row see enough processes of `profile`.
    pub fn run(&self, host: &Host, profile: &str, least: u32) -> Result<Started> {
        self.execute(host)?;
        let least = usize::try_from(least)?;
        let start = host.monotonic();
        let bound = (*self.within).min(host.deadline().saturating_sub(MARGIN));
        let mut seen = false;
        loop {
            let mut running = host.process(profile).select()?;
            running.retain(is_alive);
            let enough = running.len() >= least;
            if enough && seen {
                let words = format!("ran `{}`, {} now", self.line(), counted(running.len()));
                let pids = running.iter().map(|process| process.pid).collect();
                return Ok(Started { words, pids });
            }
            seen = enough;
            let waited = host.monotonic().saturating_sub(start);
            ensure!(
                waited < bound,
                permanent,
                "not-started",
                "ran `{}`, but after {} it is {} of `{profile}`, at least {least} wanted",
                self.line(),
                Duration::from(waited),
                counted(running.len())
            );
            host.sleep(POLL.min(bound.saturating_sub(waited)));
        }
    }

    fn execute(&self, host: &Host) -> Result<()> {
        let output = match self.command(host).run() {
            // It may have started something all the same, so this must not count as harmless to try again.
            Err(error) if error.cause == ExecError::TimedOut => {
                let words = format!("`{}` took too long; what it started is not known", self.line());
                return Err(Error::permanent("start-timed-out", words));
            }
            answer => answer?,
        };
        let said = output.tail(TAIL);
        ensure!(
            output.success(),
            permanent,
            "start-failed",
            "`{}` {}: {}",
            self.line(),
            output
                .code
                .map_or("was ended by a signal".to_owned(), |code| format!("exited with {code}")),
            if said.is_empty() { "it said nothing" } else { &said }
        );
        Ok(())
    }
}
