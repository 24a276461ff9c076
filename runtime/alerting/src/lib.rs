//! From what sources push to edges of alerts. Pure but for its ports.

pub mod port;
