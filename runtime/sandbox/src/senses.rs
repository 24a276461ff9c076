//! What a plugin senses besides the answers to its calls: taken down when it is live, played back
//! in a replay.
//!
//! *Invariant:* whatever reaches a plugin and isn't the same each time comes through here or
//! through a call.

use evenkeel_model::tape::Tape;

use crate::halt::Halt;
use crate::state::State;
use crate::tape::Sense;

/// More is handed on before the next call, so that it isn't held in memory.
const PIECE: usize = 64 << 10;

impl State {
    /// `live` is asked unless this is a replay.
    pub fn sense(&mut self, sense: Sense, live: impl FnOnce(&Self) -> u64) -> Result<u64, Halt> {
        self.is_live();
        if let Some(replay) = &mut self.replay {
            let (value, bytes) = replay.number(sense)?;
            self.charge(bytes)?;
            return Ok(value);
        }
        let value = live(self);
        let before = self.tape.len();
        self.tape.number(sense, value);
        self.taped(before)?;
        Ok(value)
    }

    /// A poll of so many came back with these.
    pub fn polled(&mut self, of: usize, ready: &[u32]) -> Result<(), Halt> {
        let before = self.tape.len();
        self.tape.poll(of, ready);
        self.taped(before)
    }

    /// An input as JSON. It is taken down the first time only.
    pub fn input(&mut self, name: &str) -> Result<Option<String>, Halt> {
        if let Some(known) = self.heard.get(name) {
            return Ok(known.clone());
        }
        self.is_live();
        let value = if let Some(replay) = &mut self.replay {
            let (value, bytes) = replay.input(name)?;
            self.charge(bytes)?;
            value
        } else {
            let value = self.invocation.input.get(name).map(ToString::to_string);
            let before = self.tape.len();
            self.tape.input(name, value.as_deref());
            self.taped(before)?;
            value
        };
        self.heard.insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// Hands on what was sensed: before each call is recorded, and at the end.
    pub fn hand_on_senses(&mut self) {
        if self.tape.len() > 0 {
            self.calls.sensed(Tape(self.tape.take()));
        }
    }

    fn taped(&mut self, before: usize) -> Result<(), Halt> {
        let grown = self.tape.len() - before;
        if self.tape.len() >= PIECE {
            self.hand_on_senses();
        }
        self.charge(grown)
    }
}
