//! The way of every capability call: count, two keys, phase, intent, act, answer.

use std::borrow::Cow;
use std::time::Instant;

use evenkeel_engine::port::Work;
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::invocation::Stop;
use serde_json::Value;

use crate::allowance::Use;
use crate::capability::{CapabilityError, FromJson, GuestError, Json};
use crate::halt::{Halt, size};
use crate::replay::Answered;
use crate::state::State;

/// A call that may be made.
pub struct Ticket {
    n: u32,
    pub call: Call,
    intended: bool,
    started: Instant,
}

impl Ticket {
    /// Its number within the invocation.
    pub fn number(&self) -> u32 {
        self.n
    }
}

/// What comes of a call that a plugin wants to make.
pub enum Admitted<P, T, E> {
    /// It is to be made.
    Live(P, Ticket),
    /// It has its answer already: it is denied, and that is journaled; or it is a replay.
    Answered(Result<T, E>),
}

impl State {
    /// Counts the call and decides whether it may be made. `granted` is what the two keys say,
    /// `uses` what the action must cover if it is an effect.
    ///
    /// But for `effect` and `repeatable`, `call` is made of what the plugin passed and of nothing
    /// else: a replay compares it, and knows no grant.
    pub async fn admit<P, T: FromJson, E: GuestError>(
        &mut self,
        call: Call,
        uses: &[Use<'_>],
        granted: Result<P, String>,
    ) -> wasmtime::Result<Admitted<P, T, E>> {
        let mut ticket = self.count(call)?;
        if !self.is_live() {
            match self.recorded(&ticket.call, uses)? {
                Some(answer) => return Ok(Admitted::Answered(answer)),
                None => {
                    self.go_live();
                    ticket.intended = true;
                }
            }
        }
        if std::mem::take(&mut self.unlearned) {
            self.learn_secrets().await;
        }
        let allowed = granted.and_then(|permit| self.phase(&ticket.call, uses).map(|()| permit));
        match allowed {
            Ok(permit) => Ok(Admitted::Live(permit, ticket)),
            // It may have been made before: that is not for its plugin to judge.
            Err(reason) if ticket.intended => Err(Halt::new(Stop::Diverged, reason).into()),
            Err(reason) => {
                self.record(&ticket, &Answer::Denied(reason.clone())).await?;
                Ok(Admitted::Answered(Err(E::denied(reason))))
            }
        }
    }

    /// Returns when an effect's intent is on disk. Nothing to do for what changes nothing.
    pub async fn intend(&mut self, ticket: &mut Ticket) -> wasmtime::Result<()> {
        if !ticket.call.effect {
            return Ok(());
        }
        self.charge(weight(&ticket.call.request))?;
        if !ticket.intended {
            self.hand_on_senses();
            self.calls
                .intend(ticket.n, &self.shown(&ticket.call))
                .await
                .map_err(Halt::from)?;
            ticket.intended = true;
        }
        self.signals.effect_begins();
        Ok(())
    }

    /// Journals the answer and hands it on.
    pub async fn finish<T: Json, E: CapabilityError>(
        &mut self,
        ticket: Ticket,
        mut answer: Result<T, E>,
    ) -> wasmtime::Result<Result<T, E>> {
        match &mut answer {
            Ok(value) => value.redact(&self.redactor),
            Err(error) => error.redact(&self.redactor),
        }
        let recorded = match &answer {
            Ok(value) => Answer::Ok(value.json()),
            Err(error) => match error.reason() {
                Some(reason) => Answer::Denied(reason.to_owned()),
                None => Answer::Err {
                    error: error.json(),
                    message: error.to_string(),
                    open: ticket.intended && error.is_open(),
                },
            },
        };
        self.record(&ticket, &recorded).await?;
        Ok(answer)
    }

    fn count(&mut self, call: Call) -> Result<Ticket, Halt> {
        if self.signals.is_stopping() {
            return Err(Halt::cancelled());
        }
        let limit = self.invocation.limits.calls;
        if self.made >= limit {
            return Err(Halt::limit(
                format!("it made more than {limit} capability calls"),
                "calls",
            ));
        }
        let n = self.made;
        self.made += 1;
        Ok(Ticket {
            n,
            call,
            intended: false,
            started: Instant::now(),
        })
    }

    /// An effect is made only as the approved action declares it.
    fn phase(&mut self, call: &Call, uses: &[Use<'_>]) -> Result<(), String> {
        if !call.effect {
            return Ok(());
        }
        let (action, effects) = match &self.invocation.work {
            Work::Check => return Err(changes(call, "a check")),
            Work::Plan => return Err(changes(call, "a plan")),
            Work::Collect => return Err(changes(call, "a monitor")),
            // What it is granted is what it is for.
            Work::Send(_) => return Ok(()),
            Work::Apply(action) => (action, "effects"),
            Work::Rollback(action, _) => (action, "undo_effects"),
        };
        let allowance = self.allowance.as_mut().ok_or_else(|| changes(call, "this call"))?;
        allowance.take(uses).map_err(|refused| {
            let reason = format!("{refused} among the {effects} of the action `{}`", action.id);
            // The first is what it fails for; each call is told its own.
            self.undeclared.get_or_insert_with(|| reason.clone());
            reason
        })
    }

    async fn record(&mut self, ticket: &Ticket, answer: &Answer) -> wasmtime::Result<()> {
        let took = ticket.started.elapsed();
        self.waited(took);
        if ticket.intended {
            self.signals.effect_ends();
        }
        let call = (!ticket.intended).then(|| self.shown(&ticket.call));
        let call = call.as_deref();
        let answer = self.shown_answer(answer);
        let answer = &*answer;
        let bytes = call.map_or(0, |call| weight(&call.request)) + answer_weight(answer);
        // An effect that was made is recorded even if that is more than there is room for.
        let charged = self.charge(bytes);
        if ticket.intended || charged.is_ok() {
            self.hand_on_senses();
            self.calls
                .answered(ticket.n, call, answer, took)
                .await
                .map_err(Halt::from)?;
        }
        Ok(charged?)
    }

    /// As the journal keeps it: without the values of secrets.
    fn shown<'c>(&self, call: &'c Call) -> Cow<'c, Call> {
        let subject = self.redactor.text(&call.subject);
        let mut request = Cow::Borrowed(&call.request);
        if !self.redactor.is_idle() {
            self.redactor.json(request.to_mut());
        }
        match (subject, request) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => Cow::Borrowed(call),
            (subject, request) => Cow::Owned(Call {
                subject: subject.into_owned(),
                request: request.into_owned(),
                ..call.clone()
            }),
        }
    }

    fn shown_answer<'a>(&self, answer: &'a Answer) -> Cow<'a, Answer> {
        if self.redactor.is_idle() {
            return Cow::Borrowed(answer);
        }
        let mut answer = answer.clone();
        match &mut answer {
            Answer::Ok(value) => drop(self.redactor.json(value)),
            Answer::Err { error, message, .. } => {
                self.redactor.json(error);
                *message = self.redactor.text(message).into_owned();
            }
            Answer::Denied(reason) => *reason = self.redactor.text(reason).into_owned(),
        }
        Cow::Owned(answer)
    }

    /// The answer of then, and its share of the journal; none: it was never answered, and is made
    /// now.
    fn recorded<T: FromJson, E: GuestError>(
        &mut self,
        call: &Call,
        uses: &[Use<'_>],
    ) -> Result<Option<Result<T, E>>, Halt> {
        let shown = self.shown(call).into_owned();
        let replay = self.replay.as_mut().expect("only a replay asks");
        let Some(Answered { made, answer, intended }) = replay.call(shown)? else {
            return Ok(None);
        };
        let read = match &answer {
            Answer::Ok(value) => T::from_json(value).map(Ok),
            Answer::Err { error, .. } => E::from_json(error).map(Err),
            Answer::Denied(reason) => Ok(Err(E::denied(reason.clone()))),
        };
        let weight = weight(&made.request) + answer_weight(&answer);
        let given = match read {
            Ok(given) => given,
            Err(why) => return Err(replay.unreadable(made, why.to_string())),
        };
        self.allowed_then(&made, uses, &answer, intended);
        self.charge(weight)?;
        Ok(Some(given))
    }

    /// Takes from the action's effects what was taken then, and fails it for what it was refused
    /// then.
    fn allowed_then(&mut self, made: &Call, uses: &[Use<'_>], answer: &Answer, intended: bool) {
        if !made.effect || self.allowance.is_none() {
            return;
        }
        let Answer::Denied(reason) = answer else {
            let _ = self.phase(made, uses);
            return;
        };
        let before = (!intended).then(|| (self.allowance.clone(), self.undeclared.clone()));
        let refused = self.phase(made, uses).err();
        let is_that = refused.is_some_and(|refused| self.redactor.text(&refused) == reason.as_str());
        // Otherwise one of the keys refused it, before the effects were looked at.
        if let Some(before) = before.filter(|_| !is_that) {
            (self.allowance, self.undeclared) = before;
        }
    }

    pub fn charge(&mut self, bytes: usize) -> Result<(), Halt> {
        let limit = self.invocation.limits.journal_bytes;
        self.journaled = self.journaled.saturating_add(bytes);
        if self.journaled > limit {
            let what = format!("what its calls carried is more than {}", size(limit));
            return Err(Halt::limit(what, "journal_bytes"));
        }
        Ok(())
    }
}

fn changes(call: &Call, phase: &str) -> String {
    format!(
        "`{}.{}` of `{}` changes something, and {phase} never does",
        call.capability, call.operation, call.subject
    )
}

fn answer_weight(answer: &Answer) -> usize {
    match answer {
        Answer::Ok(value) => weight(value),
        Answer::Err { error, message, .. } => weight(error) + message.len(),
        Answer::Denied(reason) => reason.len(),
    }
}

/// About what it takes as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(|item| 1 + weight(item)).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields
                .iter()
                .map(|(name, value)| name.len() + 4 + weight(value))
                .sum::<usize>()
        }
    }
}
