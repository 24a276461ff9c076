//! Parameter types that runbooks write as text.

mod duration;
mod glob;

pub use duration::Duration;
pub use glob::Glob;
