use std::fmt;
use std::ops::Range;

use super::labels::Labels;
use super::source::SourceError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No PromQL, or a type where another one belongs.
    Invalid,
    /// No function has this name.
    Unknown,
    /// PromQL that this evaluator leaves to a Prometheus.
    Unsupported,
    /// Longer, deeper or bigger than is evaluated here.
    TooBig,
}

/// Why an expression can't be evaluated here, told before anything is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    /// Bytes of the expression; all of it where the parser doesn't say the place.
    pub place: Range<usize>,
    pub message: String,
    pub advice: Option<&'static str>,
}

pub(super) const ASK_REMOTE: &str = "ask a remote source for it: a Prometheus that has this evaluates it itself";

impl Refusal {
    pub(super) fn new(why: Why, place: Range<usize>, message: impl Into<String>) -> Self {
        let advice = (why == Why::Unsupported).then_some(ASK_REMOTE);
        Self {
            why,
            place,
            message: message.into(),
            advice,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.message, self.place.start)?;
        self.advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl std::error::Error for Refusal {}

/// Why an evaluation has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("a selector finds {found} series, more than the {limit} of `series`")]
    TooManySeries { found: usize, limit: usize },
    #[error("the query reads or makes more than the {limit} samples of `samples`")]
    TooManySamples { limit: usize },
    #[error("{steps} steps are more than the {limit} of `steps`; take a longer step or a shorter time")]
    TooManySteps { steps: i64, limit: usize },
    #[error("the step is {0} ms; it must be above 0")]
    BadStep(i64),
    #[error("the end of the query is before its start, or a time is out of range")]
    BadTimes,
    #[error("an expression of type {0} has no answer over a range of time; it must be a scalar or an instant vector")]
    NotOverRange(&'static str),
    #[error("vector cannot contain metrics with the same labelset: {0}")]
    SameLabels(Labels),
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{first}, \
         {second}]; many-to-many matching not allowed: matching labels must be unique on one side"
    )]
    ManyToMany {
        group: Labels,
        side: &'static str,
        first: Labels,
        second: Labels,
    },
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOne,
    #[error("multiple matches for labels: grouping labels must ensure unique matches: {0}")]
    GroupingNotUnique(Labels),
    #[error("`{name}` can't take {value} as its parameter")]
    BadParameter { name: &'static str, value: f64 },
    #[error("the source of series: {0}")]
    Source(#[from] SourceError),
}
