//! The store as the rooms above it see it: through its ports, on a real file.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "it/after.rs"]
mod after;
#[path = "it/alerts.rs"]
mod alerts;
#[path = "it/changes.rs"]
mod changes;
#[path = "it/compact.rs"]
mod compact;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/half_made.rs"]
mod half_made;
#[path = "it/home.rs"]
mod home;
#[path = "it/journal.rs"]
mod journal;
#[path = "it/ledger.rs"]
mod ledger;
#[path = "it/memory.rs"]
mod memory;
#[path = "it/opening.rs"]
mod opening;
#[path = "it/outbox.rs"]
mod outbox;
#[path = "it/sealing.rs"]
mod sealing;
#[path = "it/trouble.rs"]
mod trouble;
#[path = "it/upgrade.rs"]
mod upgrade;
