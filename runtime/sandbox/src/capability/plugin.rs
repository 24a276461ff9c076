//! `run` and `log`: what every plugin may import without a grant.

use evenkeel_model::call::Level;

use crate::bindings::evenkeel::plugin::{log, run, types};
use crate::halt::Halt;
use crate::state::State;
use crate::tape::Sense;

/// These calls are not journaled, and cheap; a plugin gets so many of them for each capability
/// call that it may make.
const FOR_EACH_CALL: u64 = 100;
/// Of a progress note, in characters.
const NOTE: usize = 200;

impl State {
    fn ask(&mut self) -> wasmtime::Result<()> {
        self.asked += 1;
        let calls = self.invocation.limits.calls;
        if self.asked > FOR_EACH_CALL.saturating_mul(u64::from(calls)) {
            let what = format!("it called `run` and `log` more than {FOR_EACH_CALL} times {calls} times");
            return Err(Halt::limit(what, "calls").into());
        }
        Ok(())
    }
}

impl types::Host for State {}

impl run::Host for State {
    fn id(&mut self) -> wasmtime::Result<String> {
        self.ask()?;
        Ok(self.invocation.run.to_string())
    }

    fn attempt(&mut self) -> wasmtime::Result<u32> {
        self.ask()?;
        Ok(self.invocation.key.attempt)
    }

    fn deadline_ms(&mut self) -> wasmtime::Result<u64> {
        self.ask()?;
        let left = |state: &Self| u64::try_from(state.remaining().as_millis()).unwrap_or(u64::MAX);
        Ok(self.sense(Sense::Deadline, left)?)
    }

    fn input(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.ask()?;
        Ok(State::input(self, &name)?)
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.ask()?;
        let cancelled = self.sense(Sense::Cancelled, |state| u64::from(state.is_cancelled()))?;
        Ok(cancelled != 0)
    }

    fn progress(&mut self, permille: u16, note: String) -> wasmtime::Result<()> {
        self.ask()?;
        let again = !self.is_live();
        if self.progressed < self.invocation.limits.log_lines {
            self.progressed += 1;
            if again {
                return Ok(());
            }
            let note = self.redactor.text(&note).chars().take(NOTE).collect();
            self.calls.progress(permille.min(1_000), note);
        }
        Ok(())
    }
}

impl log::Host for State {
    fn enabled(&mut self, _: log::Level) -> wasmtime::Result<bool> {
        self.ask()?;
        let enabled = self.sense(Sense::LogEnabled, |_| 1)?;
        Ok(enabled != 0)
    }

    fn write(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.ask()?;
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.write(level, &message, fields);
        Ok(())
    }
}
