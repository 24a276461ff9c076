use std::collections::BTreeMap;

use crate::process::{Process, Signal};

/// The processes of a mock host, by profile.
#[derive(Default)]
pub(crate) struct Processes {
    selected: BTreeMap<String, Vec<Entry>>,
    /// Command, profile, and what the command leaves behind there.
    started: Vec<(String, String, Process)>,
}

struct Entry {
    process: Process,
    stubborn: bool,
}

impl Processes {
    pub fn put(&mut self, profile: &str, process: Process) {
        self.add(profile, process, false);
    }

    pub fn put_stubborn(&mut self, profile: &str, process: Process) {
        self.add(profile, process, true);
    }

    pub fn know(&mut self, profile: &str) {
        self.selected.entry(profile.to_owned()).or_default();
    }

    pub fn start(&mut self, command: &str, profile: &str, process: Process) {
        self.know(profile);
        self.started.push((command.to_owned(), profile.to_owned(), process));
    }

    /// Nothing for a profile that was never told of.
    pub fn of(&self, profile: &str) -> Option<Vec<Process>> {
        let entries = self.selected.get(profile)?;
        Some(entries.iter().map(|entry| entry.process.clone()).collect())
    }

    /// Whether there was such a process: its pid and the time that it was started.
    pub fn signal(&mut self, profile: &str, wanted: (u32, u64), signal: Signal) -> bool {
        let Some(entries) = self.selected.get_mut(profile) else {
            return false;
        };
        let found = entries
            .iter()
            .position(|entry| (entry.process.pid, entry.process.started_ms) == wanted);
        let Some(at) = found else { return false };
        let ends = match signal {
            Signal::Kill => true,
            Signal::Interrupt | Signal::Quit | Signal::Terminate => !entries[at].stubborn,
            Signal::Hangup | Signal::User1 | Signal::User2 => false,
        };
        if ends {
            entries.remove(at);
        }
        true
    }

    /// A command was run.
    pub fn ran(&mut self, command: &str) {
        let (now, later) = std::mem::take(&mut self.started)
            .into_iter()
            .partition(|(starter, ..)| starter == command);
        self.started = later;
        let now: Vec<(String, String, Process)> = now;
        for (_, profile, process) in now {
            self.put(&profile, process);
        }
    }

    fn add(&mut self, profile: &str, process: Process, stubborn: bool) {
        let entries = self.selected.entry(profile.to_owned()).or_default();
        entries.push(Entry { process, stubborn });
    }
}
