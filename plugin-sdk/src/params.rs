//! Parameter types that many plugins take.

mod duration;
mod glob;
mod levels;
mod scalars;

pub use duration::Duration;
pub use glob::Glob;
pub use levels::{Absent, Compare, Levels};
pub use scalars::Scalars;
