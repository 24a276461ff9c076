//! Runs an invocation again, offline: every call has the answer that was recorded, and all that
//! was sensed comes off the tape. It waits for nothing, and changes nothing.

use evenkeel_engine::port::Invocation;
use evenkeel_engine::recording::{Difference, Ending, Made, Recording, Replayed, Side, same_call};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::plugin::Pinned;

use crate::describe;
use crate::halt::Halt;
use crate::tape::{Reader, Sense};

/// How far it has come.
pub struct Replay {
    calls: Vec<Made>,
    outcome: Option<Outcome>,
    tape: Reader,
    /// Calls that were the same.
    compared: u32,
    ending: Option<Ending>,
    /// It is live where the record ends.
    goes_on: bool,
}

/// What the record says comes next.
enum Next<'r> {
    Sensed(Option<Sense>),
    Called(&'r Made),
    End,
}

/// A recorded call.
pub struct Answered {
    pub made: Call,
    pub answer: Answer,
    /// An effect that was about to be made.
    pub intended: bool,
}

/// The invocation that `recording` is of, of this plugin. Nothing is granted: no answer is asked
/// for.
pub fn invocation(recording: &Recording, plugin: &Pinned) -> Invocation {
    Invocation {
        run: recording.run,
        runbook: recording.runbook.clone(),
        mode: recording.mode,
        key: recording.key.clone(),
        work: recording.work.clone(),
        spent: recording.spent.clone(),
        params: recording.params.clone(),
        timeout: recording.given.timeout,
        limits: recording.given.limits.clone(),
        seed: recording.given.seed,
        plugin: plugin.clone(),
        ..describe::nothing(plugin.kind)
    }
}

impl Replay {
    pub fn new(recording: Recording) -> Self {
        Self {
            calls: recording.calls,
            outcome: recording.outcome,
            tape: Reader::new(recording.tape.0),
            compared: 0,
            ending: None,
            goes_on: false,
        }
    }

    /// Of an invocation that was interrupted and is gone on with.
    pub fn going_on(recording: Recording) -> Self {
        Self {
            goes_on: true,
            ..Self::new(recording)
        }
    }

    /// All that was recorded is over, and what comes next is live.
    pub fn is_live_now(&self) -> bool {
        self.goes_on && matches!(self.next(), Next::End)
    }

    /// The tape, which what is live goes on with.
    pub fn into_tape(self) -> Reader {
        self.tape
    }

    /// The outcome of an invocation that was to be gone on with and ended before it was live.
    pub fn outcome(self, outcome: Outcome) -> Outcome {
        let n = self.compared;
        let stopped = matches!(outcome, Outcome::Stopped { .. });
        let live = matches!(self.next(), Next::End);
        match self.ending {
            None if stopped || live => outcome,
            Some(Ending::Withheld { .. }) => {
                diverged("its record holds a secret that is sealed with the key of another home")
            }
            _ => diverged(&format!("it did not do the same again after {n} of its calls")),
        }
    }

    /// The recorded value, and what it takes on the tape.
    pub fn number(&mut self, sense: Sense) -> Result<(u64, usize), Halt> {
        self.play(sense, |tape| tape.number(sense))
    }

    pub fn poll(&mut self, of: usize) -> Result<(Vec<u32>, usize), Halt> {
        let ((recorded, ready), bytes) = self.play(Sense::Poll, Reader::poll)?;
        if recorded == of as u64 {
            return Ok((ready, bytes));
        }
        let words = |of: u64| Side::Sensed(format!("polled {of} at once"));
        Err(self.differ(words(recorded), words(of as u64)))
    }

    pub fn input(&mut self, name: &str) -> Result<(Option<String>, usize), Halt> {
        let ((recorded, value), bytes) = self.play(Sense::Input, Reader::input)?;
        if recorded == name {
            return Ok((value, bytes));
        }
        let words = |name: &str| Side::Sensed(format!("asked for the input `{name}`"));
        Err(self.differ(words(&recorded), words(name)))
    }

    /// What is recorded in this place, if it is of this call. None: it is an effect that was about
    /// to be made when the invocation was interrupted, and is made now.
    pub fn call(&mut self, call: Call) -> Result<Option<Answered>, Halt> {
        let made = match self.next() {
            Next::Called(made) if same_call(&made.call, &call) => made.clone(),
            Next::End => return Err(self.over(Side::Called(call.clone()), Some(call))),
            _ => return Err(self.different(Side::Called(call))),
        };
        let Some(answer) = made.answer else {
            // Another one was never begun: `decide` knows which may be made twice.
            let again = self.goes_on && made.call.repeatable;
            return if again { Ok(None) } else { Err(self.pending(made.call)) };
        };
        self.compared += 1;
        Ok(Some(Answered {
            made: made.call,
            answer,
            intended: made.intended,
        }))
    }

    /// The answer to the last call was a secret's value that this home's key does not open.
    pub fn withheld(&mut self) -> Halt {
        self.compared = self.compared.saturating_sub(1);
        let n = self.compared;
        match self.calls.get(n as usize).map(|made| made.call.clone()) {
            Some(call) => self.end(Ending::Withheld { n, call }),
            None => self.end(Ending::Open { n, call: None }),
        }
    }

    /// The record is no such answer.
    pub fn unreadable(&mut self, call: Call, why: String) -> Halt {
        self.compared = self.compared.saturating_sub(1);
        self.differ(Side::Unreadable(why), Side::Called(call))
    }

    /// What came of it, now that the plugin has ended so, or was stopped here.
    pub fn conclude(mut self, outcome: Outcome) -> Replayed {
        if self.ending.is_none() {
            self.ended(outcome);
        }
        Replayed {
            calls: self.compared,
            ending: self.ending.unwrap_or(Ending::Same),
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        let all = matches!(self.next(), Next::End);
        let ending = match &self.outcome {
            None if all => Ending::Open {
                n: self.compared,
                call: None,
            },
            // It was interrupted somewhere between the last that was recorded and its end.
            Some(recorded) if all && (same_outcome(recorded, &outcome) || interrupted(recorded)) => Ending::Same,
            _ => {
                self.different(Side::Ended(outcome));
                return;
            }
        };
        self.end(ending);
    }

    fn play<T>(&mut self, sense: Sense, read: impl FnOnce(&mut Reader) -> Option<T>) -> Result<(T, usize), Halt> {
        let here = Side::Sensed(sense.words().to_owned());
        match self.next() {
            Next::Sensed(Some(there)) if there == sense => {}
            Next::End => return Err(self.over(here, None)),
            _ => return Err(self.different(here)),
        }
        let before = self.tape.at();
        match read(&mut self.tape) {
            Some(value) => Ok((value, self.tape.at() - before)),
            None => Err(self.differ(Side::Unreadable("the tape is torn here".into()), here)),
        }
    }

    fn next(&self) -> Next<'_> {
        let made = self.calls.get(self.compared as usize);
        let until = made.map_or(self.tape.len(), |made| made.sensed);
        match made {
            _ if self.tape.at() < until => Next::Sensed(self.tape.peek()),
            Some(made) => Next::Called(made),
            None => Next::End,
        }
    }

    /// An effect that was about to be made. If the invocation has an end, it was interrupted there.
    fn pending(&mut self, call: Call) -> Halt {
        let n = self.compared;
        let open = Ending::Open { n, call: Some(call) };
        let ending = if self.outcome.is_some() { Ending::Same } else { open };
        self.end(ending)
    }

    /// The plugin goes on where the record ends.
    fn over(&mut self, here: Side, call: Option<Call>) -> Halt {
        let n = self.compared;
        match &self.outcome {
            None => self.end(Ending::Open { n, call }),
            // What would not fit into the journal is not in it.
            Some(outcome) if interrupted(outcome) || is_limit(outcome) => self.end(Ending::Same),
            Some(outcome) => {
                let recorded = Side::Ended(outcome.clone());
                self.differ(recorded, here)
            }
        }
    }

    fn different(&mut self, replayed: Side) -> Halt {
        let recorded = match self.next() {
            Next::Sensed(Some(sense)) => Side::Sensed(sense.words().to_owned()),
            Next::Sensed(None) => Side::Unreadable("the tape is torn here".into()),
            Next::Called(made) => Side::Called(made.call.clone()),
            Next::End => match &self.outcome {
                Some(outcome) => Side::Ended(outcome.clone()),
                None => Side::Unreadable("the record has no end".into()),
            },
        };
        self.differ(recorded, replayed)
    }

    fn differ(&mut self, recorded: Side, replayed: Side) -> Halt {
        let n = self.compared;
        self.end(Ending::Differs(Box::new(Difference { n, recorded, replayed })))
    }

    /// What unwinds the plugin then is told to nobody.
    fn end(&mut self, ending: Ending) -> Halt {
        self.ending.get_or_insert(ending);
        Halt::new(Stop::Cancelled, "the replay is over")
    }
}

fn diverged(why: &str) -> Outcome {
    Halt::new(
        Stop::Diverged,
        format!("it was interrupted, and can't be gone on with: {why}"),
    )
    .into()
}

/// As the journal would keep them.
fn same_outcome(recorded: &Outcome, replayed: &Outcome) -> bool {
    let json = |outcome| serde_json::to_value(outcome).ok();
    recorded == replayed || json(recorded).is_some_and(|recorded| Some(recorded) == json(replayed))
}

/// Something from outside ended it, in a place that nothing tells.
fn interrupted(outcome: &Outcome) -> bool {
    let Outcome::Stopped { stop, .. } = outcome else {
        return false;
    };
    matches!(
        stop,
        Stop::Deadline | Stop::Cpu | Stop::Cancelled | Stop::Journal | Stop::Load | Stop::Circuit | Stop::Diverged
    )
}

fn is_limit(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Stopped { stop: Stop::Limit, .. })
}
