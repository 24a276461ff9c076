//! evenkeel among real servers: what they send, not what we think that they send.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod databases;
mod metrics;
mod processes;
mod repair;
mod routine;
mod secrets;
