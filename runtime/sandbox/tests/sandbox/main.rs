//! The sandbox from outside, with a real component that does what its parameters say.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod bombs;
mod bounds;
mod circuits;
mod effects;
mod exec;
mod files;
mod http;
mod intersection;
mod kinds;
mod load;
mod metrics;
mod process;
mod replay;
mod resume;
mod secrets;
mod servers;
mod sql;
mod stage;
mod state;
