//! A journal in memory, which tells what it was told.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::{Calls, JournalError};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::tape::Tape;

/// What the host wrote down, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Intended(u32, Call),
    Answered(u32, Option<Call>, Answer),
    Logged(Level, String),
    Dropped(u64),
    Progressed(u16, String),
    Sensed(Tape),
}

#[derive(Default)]
pub struct Journal {
    pub lines: Mutex<Vec<Line>>,
    /// Fails when it is to be written to.
    pub broken: bool,
}

impl Journal {
    fn push(&self, line: Line) {
        self.lines.lock().unwrap().push(line);
    }

    fn picked<T>(&self, pick: impl Fn(&Line) -> Option<T>) -> Vec<T> {
        self.lines.lock().unwrap().iter().filter_map(pick).collect()
    }

    pub fn answers(&self) -> Vec<Answer> {
        self.picked(|line| match line {
            Line::Answered(_, _, answer) => Some(answer.clone()),
            _ => None,
        })
    }

    pub fn intents(&self) -> Vec<Call> {
        self.picked(|line| match line {
            Line::Intended(_, call) => Some(call.clone()),
            _ => None,
        })
    }

    pub fn logs(&self) -> Vec<String> {
        self.picked(|line| match line {
            Line::Logged(_, text) => Some(text.clone()),
            _ => None,
        })
    }

    pub fn dropped(&self) -> u64 {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .map(|line| if let Line::Dropped(lines) = line { *lines } else { 0 })
            .sum()
    }
}

#[async_trait]
impl Calls for Journal {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError {
                action: "written",
                cause: "the disk is full".into(),
            });
        }
        self.push(Line::Intended(n, call.clone()));
        Ok(())
    }
    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, _: Duration) -> Result<(), JournalError> {
        self.push(Line::Answered(n, call.cloned(), answer.clone()));
        Ok(())
    }
    fn sensed(&self, tape: Tape) {
        self.push(Line::Sensed(tape));
    }
    fn log(&self, level: Level, message: String, _: Vec<(String, String)>) {
        self.push(Line::Logged(level, message));
    }
    fn logs_dropped(&self, lines: u64) {
        self.push(Line::Dropped(lines));
    }
    fn progress(&self, permille: u16, note: String) {
        self.push(Line::Progressed(permille, note));
    }
}
