//! Runs from their cause to their verdict, against the real world of one machine: files, commands,
//! processes and HTTP servers.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod alerts;
mod approvals;
mod backups;
mod cache;
mod circuits;
mod commands;
mod crashes;
mod daemon;
mod denials;
mod each;
mod gates;
mod holding;
mod needs;
mod notices;
mod reloads;
mod replays;
mod schedules;
mod services;
mod shipped;
mod storm;
mod subs;
mod undo;
mod verdicts;
mod workshop;
