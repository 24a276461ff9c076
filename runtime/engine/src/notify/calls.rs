//! What a notifier does in a try, for the try's record.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_model::call::{Answer, Call, Level};

use crate::port::{Calls, JournalError};

/// Lines that are kept of one try.
const LINES: usize = 50;

/// Lines of calls, the answer with each; a call that nothing answered stands there without one.
/// The try itself is on disk before the first of them.
#[derive(Default)]
pub struct TryCalls(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    kept: Vec<String>,
    /// Effects that are under way, by the number of the call.
    intended: Option<(u32, usize)>,
}

impl TryCalls {
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines().kept)
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn add(&mut self, line: String) -> Option<usize> {
        if self.kept.len() >= LINES {
            return None;
        }
        self.kept.push(line);
        Some(self.kept.len() - 1)
    }
}

#[async_trait]
impl Calls for TryCalls {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        let mut lines = self.lines();
        lines.intended = lines.add(line(call)).map(|at| (n, at));
        Ok(())
    }

    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError> {
        let end = format!(": {} ({} ms)", word(answer), took.as_millis());
        let mut lines = self.lines();
        match (call, lines.intended) {
            (Some(call), _) => {
                lines.add(line(call) + &end);
            }
            (None, Some((intended, at))) if intended == n => lines.kept[at].push_str(&end),
            (None, _) => {}
        }
        Ok(())
    }

    fn log(&self, level: Level, message: String, _fields: Vec<(String, String)>) {
        if level != Level::Debug {
            self.lines().add(message);
        }
    }

    fn logs_dropped(&self, _lines: u64) {}
    fn progress(&self, _permille: u16, _note: String) {}
}

fn line(call: &Call) -> String {
    format!("{} {} {}", call.capability, call.operation, call.subject)
}

fn word(answer: &Answer) -> String {
    match answer {
        Answer::Ok(_) => "answered".into(),
        Answer::Err { message, .. } => message.clone(),
        Answer::Denied(why) => format!("denied: {why}"),
    }
}
