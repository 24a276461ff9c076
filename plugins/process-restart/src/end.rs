//! Ends processes: TERM first, KILL for what is left if the runbook says so.

use evenkeel_sdk::process::{Process, ProcessError, Signal};
use evenkeel_sdk::{Duration, Error, Host, Result};

use crate::seen::{Key, is_alive, key};
use crate::{MARGIN, POLL, named};

/// What to end, and how long it may take.
pub struct End<'p> {
    pub profile: &'p str,
    pub planned: &'p [Key],
    pub kill_after: Option<Duration>,
    pub within: Duration,
}

/// What was ended, by pid.
pub struct Ended {
    /// All of it.
    pub pids: Vec<u32>,
    /// What took KILL.
    pub killed: Vec<u32>,
}

impl Ended {
    pub fn words(&self, profile: &str) -> String {
        if self.pids.is_empty() {
            return format!("nothing that was planned to be ended is left of `{profile}`");
        }
        let pids = |pids: &[u32]| pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let mut words = format!("ended {} of `{profile}`", pids(&self.pids));
        if !self.killed.is_empty() {
            words.push_str(&format!(", with KILL {}", pids(&self.killed)));
        }
        words
    }
}

impl End<'_> {
    /// Ends those of the plan that are still there: what was started since is another process and is left alone.
    pub fn run(&self, host: &Host) -> Result<Ended> {
        let pids = self.send(host, Signal::Terminate, &self.left(host)?)?;
        let mut killed = Vec::new();
        let start = host.monotonic();
        let bound = (*self.within).min(host.deadline().saturating_sub(MARGIN));
        loop {
            let left = self.left(host)?;
            if left.is_empty() {
                return Ok(Ended { pids, killed });
            }
            let waited = host.monotonic().saturating_sub(start);
            if waited >= bound {
                return Err(self.failure(&left, waited.into(), !killed.is_empty()));
            }
            if killed.is_empty() && self.kill_after.is_some_and(|after| waited >= *after) {
                killed = self.send(host, Signal::Kill, &left)?;
            }
            let done = waited.as_millis() * 1_000 / bound.as_millis().max(1);
            let words = format!(
                "waiting until {} of `{}` ended",
                named(&left.iter().collect::<Vec<_>>()),
                self.profile
            );
            host.progress(u16::try_from(done).unwrap_or(1_000), &words);
            host.sleep(POLL.min(bound.saturating_sub(waited)));
        }
    }

    /// Those of the plan that run.
    fn left(&self, host: &Host) -> Result<Vec<Process>> {
        let mut left = host.process(self.profile).select()?;
        left.retain(|process| is_alive(process) && self.planned.contains(&key(process)));
        Ok(left)
    }

    /// Whom it reached: one that has ended meanwhile needs no signal.
    fn send(&self, host: &Host, signal: Signal, processes: &[Process]) -> Result<Vec<u32>> {
        let mut reached = Vec::new();
        for process in processes {
            match host.process(self.profile).signal(process, signal) {
                Ok(()) => reached.push(process.pid),
                Err(error) if matches!(error.cause, ProcessError::Missing) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(reached)
    }

    fn failure(&self, left: &[Process], waited: Duration, killed: bool) -> Error {
        let signal = if killed { "TERM and KILL" } else { "TERM" };
        let why = match self.kill_after {
            None => ", and without `kill_after` nothing gets KILL",
            Some(_) if !killed => ", and the step's time is over before `kill_after`",
            Some(_) => ", and what the kernel holds no signal ends",
        };
        let words = format!(
            "{waited} after {signal} there still runs {} of `{}`{why}",
            named(&left.iter().collect::<Vec<_>>()),
            self.profile
        );
        Error::permanent("not-ended", words)
    }
}
