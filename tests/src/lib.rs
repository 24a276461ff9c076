//! What the tests of evenkeel share: the real binary, the shipped plugins, real servers beside it,
//! and patience with a bound.
//!
//! The tests use the programs as their users do, over the command line and HTTP; nothing here
//! links a crate of evenkeel.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests start programs, ask cargo for its environment and wait by the clock"
)]
#![allow(clippy::print_stderr, reason = "a failing test shows the log of what it had started")]

pub mod alerts;
pub mod board;
pub mod component;
pub mod dice;
pub mod evenkeel;
pub mod golden;
pub mod names;
pub mod plugins;
pub mod process;
pub mod programs;
pub mod receiver;
pub mod servers;
pub mod shipped;
pub mod stable;
pub mod tree;
pub mod wait;
pub mod workspace;
