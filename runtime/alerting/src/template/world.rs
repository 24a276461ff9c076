//! What functions reach, and what they may take of it.

use super::value::Value;
use super::{Context, Limits, Query};

/// Why a part can't be evaluated.
#[derive(Debug)]
pub(super) struct Failure {
    pub message: String,
    /// A limit of our own.
    pub limit: bool,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, limit: false }
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Failure {
    pub fn limit(message: String) -> Self {
        Self { message, limit: true }
    }
}

pub(super) type Answer = Result<Value, Failure>;

pub(super) struct World<'a> {
    pub context: &'a Context<'a>,
    query: &'a mut Query<'a>,
    steps: usize,
    queries: usize,
}

/// Bytes of text that count as a step.
const BYTES_A_STEP: usize = 64;

impl<'a> World<'a> {
    pub fn new(context: &'a Context<'a>, query: &'a mut Query<'a>) -> Self {
        Self {
            context,
            query,
            steps: 0,
            queries: 0,
        }
    }

    pub fn limits(&self) -> Limits {
        self.context.limits
    }

    pub fn charge(&mut self, steps: usize) -> Result<(), Failure> {
        self.steps = self.steps.saturating_add(steps);
        let limit = self.limits().steps;
        if self.steps <= limit {
            return Ok(());
        }
        Err(Failure::limit(format!(
            "the template takes more than the {limit} steps of `steps`"
        )))
    }

    /// For text that is made or read through.
    pub fn charge_text(&mut self, bytes: usize) -> Result<(), Failure> {
        let limit = self.limits().text_bytes;
        if bytes > limit {
            return Err(too_long(limit));
        }
        self.charge(bytes / BYTES_A_STEP)
    }

    pub fn ask(&mut self, text: &str) -> Result<Vec<crate::promql::Element>, Failure> {
        self.queries += 1;
        let limit = self.limits().queries;
        if self.queries > limit {
            return Err(Failure::limit(format!(
                "the template asks more than the {limit} queries of `queries`"
            )));
        }
        let found = (self.query)(text)?;
        self.charge(found.len())?;
        Ok(found)
    }
}

pub(super) fn too_long(limit: usize) -> Failure {
    Failure::limit(format!(
        "a text of the template is longer than the {limit} bytes of `text_bytes`"
    ))
}
