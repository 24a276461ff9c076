/// Why a series or a sample was not taken. What says so to an operator names the setting that is to be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a sample at {at_ms} ms comes after one at {last_ms} ms: samples must come in the order of time")]
    OutOfOrder { at_ms: i64, last_ms: i64 },
    #[error("another value at {at_ms} ms than the one that is there: a series has one value at a time")]
    Duplicate { at_ms: i64 },
    #[error(
        "a sample at {at_ms} ms is older than what is kept, which begins at {horizon_ms} ms: raise `retention` in `[series]`"
    )]
    TooOld { at_ms: i64, horizon_ms: i64 },
    /// Further from 1970 than PromQL evaluates.
    #[error("a sample at {at_ms} ms is no time that can be evaluated")]
    BadTime { at_ms: i64 },
    #[error("{limit} series are kept, and no more: raise `max_series` in `[series]`, or scrape less")]
    TooManySeries { limit: usize },
    #[error("a series with {found} labels, of {limit} that it may have: raise `max_labels` in `[series]`")]
    TooManyLabels { found: usize, limit: usize },
    #[error("a series with {found} bytes of labels, of {limit} that it may have")]
    LabelsTooLong { found: usize, limit: usize },
    #[error("a series without labels")]
    NoLabels,
    /// New series are refused a little before samples of those that are known.
    #[error(
        "the series take {limit} bytes of memory, and may take no more: raise `max_memory` or lower `retention` \
         in `[series]`, or scrape less"
    )]
    NoMemory { limit: usize },
    /// The series was forgotten since, because it had no samples any more: it is to be asked for again.
    #[error("the series is no longer kept")]
    Gone,
}
