//! What one scrape of one target means for its series, as the scrape loop of Prometheus 3.5 has it.
//!
//! A [`Target`] remembers what its texts looked like, so that a series that it knows costs no work on labels. Whoever
//! fetches gives it the answer and a [`Sink`]; it appends samples, staleness markers and the five series that report on
//! the scrape itself.
//!
//! Rules taken from Prometheus:
//!
//! - A text that can't be read, a series that can't be stored (a label twice, no name, past a label limit) and
//!   more samples than `sample_limit` fail the scrape, and nothing of it is appended. A sample that comes twice, out
//!   of order, too old or too far ahead is dropped and counted, and does no harm.
//! - Series that the last scrape had and this one doesn't end with a staleness marker. Those with a time of
//!   their own don't, unless `track_timestamps_staleness`.
//! - A scrape that fails ends all series but those that came before the bad line: they are still looked back to.
//!   Where nothing was answered at all, every series ends.
//! - An empty answer is a scrape that went well.
//!
//! What Prometheus doesn't have: a store may be full. Then a new series is dropped and counted, and what
//! is known goes on, for alerts rest on that.
//!
//! *Invariant:* no I/O and no clock; nothing is appended before the whole text is read.

mod cache;
mod labels;
mod metadata;
mod target;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use labels::{Unstorable, series_labels};
pub use metadata::Metadata;
pub use target::Target;

use crate::exposition::{self, Fault, Format, Unreadable};
use crate::promql::Labels;

/// Where series are kept.
pub trait Sink {
    /// The series with these labels, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Refused::Full`].
    fn series(&mut self, labels: Labels) -> Result<Handle, Refused>;

    /// Appends a sample, or a staleness marker ([`promql::STALE`](crate::promql::STALE)).
    ///
    /// # Errors
    ///
    /// When it is not kept.
    fn append(&mut self, series: Handle, at_ms: i64, value: f64) -> Result<(), Refused>;
}

/// A series of a [`Sink`]: the same for the same labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub u64);

/// Why a sink does not keep a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the series has a later sample")]
    OutOfOrder,
    /// The same value again at the same time is none of these: it is kept already.
    #[error("the series has another value at that time")]
    Duplicate,
    #[error("the time is too old, or too far ahead")]
    OutOfBounds,
    #[error("the store holds as many series or samples as it may")]
    Full,
    /// The series was dropped meanwhile; it is asked for again by its labels.
    #[error("no such series")]
    Unknown,
}

/// How a target is scraped; the names are those of Prometheus's `scrape_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A label that both have keeps the answer's value. Otherwise that becomes `exported_NAME`.
    pub honor_labels: bool,
    pub honor_timestamps: bool,
    pub track_timestamps_staleness: bool,
    pub sample_limit: Option<usize>,
    /// The name of the metric counts as a label, and so do the target's.
    pub label_limit: Option<usize>,
    /// In bytes.
    pub label_name_length_limit: Option<usize>,
    /// In bytes.
    pub label_value_length_limit: Option<usize>,
    /// An answer of so many bytes, uncompressed, is too big.
    pub body_size_limit: Option<usize>,
    /// What an answer is read as whose Content-Type says nothing that is known.
    pub fallback_scrape_protocol: Option<Format>,
    /// What is read at all.
    pub limits: exposition::Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            sample_limit: None,
            label_limit: None,
            label_name_length_limit: None,
            label_value_length_limit: None,
            body_size_limit: None,
            fallback_scrape_protocol: None,
            limits: exposition::Limits::default(),
        }
    }
}

/// What a target answered with status 200.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Uncompressed.
    pub body: &'a [u8],
    pub content_type: Option<&'a str>,
}

/// When a scrape was, and how long it took until the answer was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    pub took: Duration,
}

/// What became of a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Why the target is not up.
    pub failure: Option<Failure>,
    /// Samples in the text, up to the bad place if there is one.
    pub scraped: usize,
    /// Those of them that relabelling left: all, for there is none.
    pub post_relabeling: usize,
    /// Series that were not known.
    pub series_added: usize,
    pub dropped: Dropped,
}

impl Outcome {
    pub fn is_up(&self) -> bool {
        self.failure.is_none()
    }
}

/// Samples that were dropped one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub duplicate: usize,
    pub out_of_order: usize,
    pub out_of_bounds: usize,
    /// For want of room in the store.
    pub full: usize,
}

impl Dropped {
    fn count(&mut self, why: Refused) {
        match why {
            Refused::Duplicate => self.duplicate += 1,
            Refused::OutOfOrder => self.out_of_order += 1,
            Refused::OutOfBounds => self.out_of_bounds += 1,
            Refused::Full | Refused::Unknown => self.full += 1,
        }
    }
}

/// Why a scrape failed as a whole; what is said is a target's `lastError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There was no answer, in the words of whoever asked.
    #[error("{0}")]
    Unanswered(String),
    #[error("body size limit exceeded: the answer has {0} bytes or more, the `body_size_limit`")]
    BodySize(usize),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("line {}, column {}: {}", .0.line, .0.column, .0.message)]
    Text(Fault),
    #[error(
        "sample limit exceeded: the answer has {scraped} samples, more than the {limit} of `max_samples` of its [scrape]"
    )]
    SampleLimit { scraped: usize, limit: usize },
}
