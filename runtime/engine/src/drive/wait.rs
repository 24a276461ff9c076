//! What a run waits for, when nothing can be done at once.

use chrono::{DateTime, Utc};

use crate::decide::{Awaited, Command};

pub(super) struct Wait {
    /// Nothing is under way, and nothing is about to be tried again: others may have its target.
    pub idle: bool,
    pub wants_turn: bool,
    /// Runs below.
    pub awaited: Vec<Awaited>,
    /// For people.
    asks: bool,
    until: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
}

impl Wait {
    pub fn new(idle: bool) -> Self {
        Self {
            idle,
            wants_turn: false,
            awaited: Vec::new(),
            asks: false,
            until: None,
            not_after: None,
        }
    }

    pub fn add(&mut self, command: Command) {
        match command {
            Command::AwaitRun(run) => self.awaited.push(*run),
            Command::NotAfter(at) => self.not_after = Some(at),
            Command::AwaitDecision(at) => {
                self.asks = true;
                self.at(at);
            }
            Command::SleepUntil(at) => {
                self.idle = false;
                self.at(at);
            }
            // It waits for what is under way.
            _ => {}
        }
    }

    fn at(&mut self, at: DateTime<Utc>) {
        self.until = Some(self.until.map_or(at, |until| until.min(at)));
    }

    /// And for nothing else.
    pub fn is_for_its_turn(&self) -> bool {
        self.idle && self.wants_turn && !self.asks && self.awaited.is_empty()
    }

    /// The time until its turn is not the run's.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        let not_after = self.not_after.filter(|_| !self.is_for_its_turn());
        self.until.into_iter().chain(not_after).min()
    }
}
