use crate::promql::{Labels, Source, SourceError};

/// The series that rules read, and where what they give is written. What a rule has appended, the next one sees.
pub trait Sink: Source {
    /// Appends to the series with these labels, which is made if it is not there. Times of a series only go forward; a
    /// second value for a time takes the place of the first, or is refused.
    fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), SourceError>;
}
