//! Parameter types that many plugins take.

mod duration;
mod glob;
mod levels;

pub use duration::Duration;
pub use glob::Glob;
pub use levels::{Absent, Compare, Levels};
