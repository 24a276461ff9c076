//! The engine as a whole, over a journal in memory, plugins that do as they are told, and a
//! clock that runs as fast as nobody waits.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may stop where it is")]

mod after;
mod alerts;
mod answers;
mod approvals;
mod attempts;
mod clocks;
mod deadlines;
mod decide;
mod doubts;
mod dry;
mod each;
mod failures;
mod gates;
mod healed;
mod holding;
mod jitter;
mod journaling;
mod limits;
mod needs;
mod notices;
mod properties;
mod recordings;
mod requests;
mod restart;
mod resume;
mod rounds;
mod schedules;
mod storms;
mod subs;
mod undo;
mod verdicts;
mod why;
mod world;
mod year;
