use crate::promql::{Labels, Memory, Source, SourceError};
use crate::series::Store;

/// The series that rules read, and where what they give is written. What a rule has appended, the next one sees.
pub trait Sink: Source {
    /// Appends to the series with these labels, which is made if it is not there. Times of a series only go forward; the
    /// value that it has already at that time is no error.
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError>;
}

impl Sink for Memory {
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError> {
        if self
            .last(labels)
            .is_some_and(|(time, last)| time == at_ms && last.to_bits() == value.to_bits())
        {
            return Ok(());
        }
        Self::append(self, labels, at_ms, value).map_err(|error| SourceError(error.to_string()))
    }
}

/// Of a store that others append to meanwhile.
impl Sink for &Store {
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError> {
        let appended = self
            .series(labels)
            .and_then(|series| Store::append(self, series, at_ms, value));
        appended.map_err(|refused| SourceError(refused.to_string()))
    }
}
