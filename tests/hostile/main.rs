//! The plugins that attack the host, end to end: a daemon runs the attack of one customer and, beside it and again and
//! again, the runbook of another. Each attack comes to the verdict and the words of its row, changes and tells nothing
//! outside of its grant, and the neighbour's runs stay healthy; how quick they are is written to
//! `target/hostile-latency.md`. Numbers are rows of the list of hostile plugins.
//!
//! What a row does to the sandbox itself is tested there; what it does to a whole daemon is tested here.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]
#![allow(clippy::print_stdout, reason = "the latencies are figures to report, not to assert")]

mod arena;
mod attack;
mod commands;
mod components;
mod computer;
mod databases;
mod desk;
mod latency;
mod names;
mod origin;
mod services;
mod world;
