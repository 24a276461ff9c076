//! Decides what happens in rounds and runs, and drives it through ports.
//!
//! *Invariant:* what decides is pure (`decide`, `gate`, `trigger`): time is an argument, and
//! nothing in it waits, reads or writes. What drives owns no rule.

pub mod port;
