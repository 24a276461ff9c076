//! What several looks at the processes of a profile agree on.

use evenkeel_sdk::process::Process;
use evenkeel_sdk::{Duration, Host, Params, Result, ensure};

/// Looks that have to agree on a trouble: every process waits for a disk now and then, and one that is being restarted
/// is missing for a moment.
const CONFIRMATIONS: u32 = 3;

/// A state in which a process does nothing.
#[derive(Params, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Stuck {
    /// Waits for a disk or a file server (`D`).
    DiskSleep,
    /// Was told to stop (`T`).
    Stopped,
    /// Has ended, and its parent doesn't take notice (`Z`).
    Zombie,
}

impl Stuck {
    pub fn all() -> Vec<Self> {
        vec![Self::DiskSleep, Self::Stopped, Self::Zombie]
    }

    /// As the host names it.
    fn name(self) -> &'static str {
        match self {
            Self::DiskSleep => "disk-sleep",
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
        }
    }
}

/// What is well.
pub struct Rule<'p> {
    pub profile: &'p str,
    pub least: u32,
    pub most: Option<u32>,
    pub stuck: &'p [Stuck],
    /// The pause between two looks.
    pub every: Duration,
}

impl Rule<'_> {
    /// What the schema can't say.
    pub fn validate(&self) -> Result<()> {
        if let Some(most) = self.most {
            ensure!(
                self.least <= most,
                invalid,
                "levels",
                "`least` ({}) is above `most` ({most})",
                self.least
            );
        }
        Ok(())
    }

    /// Looks several times before it says that something is wrong.
    pub fn confirmed(&self, host: &Host) -> Result<Seen> {
        let mut seen = self.look(host)?;
        for _ in 1..CONFIRMATIONS {
            if seen.is_well() {
                break;
            }
            host.sleep(self.every);
            seen = self.look(host)?.confirming(&seen);
        }
        Ok(seen)
    }

    fn look(&self, host: &Host) -> Result<Seen> {
        let processes = host.process(self.profile).select()?;
        let running = processes.iter().filter(|process| is_alive(process)).count();
        let stuck = processes
            .iter()
            .filter(|process| self.stuck.iter().any(|state| state.name() == process.state))
            .map(key)
            .collect();
        Ok(Seen {
            missing: running < usize::try_from(self.least)?,
            surplus: self
                .most
                .is_some_and(|most| running > usize::try_from(most).unwrap_or(usize::MAX)),
            stuck,
            processes,
        })
    }
}

/// Which process it is, whoever gets its number later.
pub type Key = (u32, u64);

pub fn key(process: &Process) -> Key {
    (process.pid, process.started_ms)
}

/// A zombie runs no more.
pub fn is_alive(process: &Process) -> bool {
    !["zombie", "dead"].contains(&process.state.as_str())
}

/// The processes as the last look saw them, and the troubles of all looks.
pub struct Seen {
    pub processes: Vec<Process>,
    /// Fewer run than there have to.
    pub missing: bool,
    /// More run than there may.
    pub surplus: bool,
    stuck: Vec<Key>,
}

impl Seen {
    /// Those that run, stuck or not.
    pub fn running(&self) -> Vec<&Process> {
        self.processes.iter().filter(|process| is_alive(process)).collect()
    }

    pub fn stuck(&self) -> Vec<&Process> {
        self.processes
            .iter()
            .filter(|process| self.stuck.contains(&key(process)))
            .collect()
    }

    fn is_well(&self) -> bool {
        !self.missing && !self.surplus && self.stuck.is_empty()
    }

    /// A trouble that an earlier look didn't see is none yet.
    fn confirming(mut self, earlier: &Self) -> Self {
        self.missing &= earlier.missing;
        self.surplus &= earlier.surplus;
        self.stuck.retain(|key| earlier.stuck.contains(key));
        self
    }
}
