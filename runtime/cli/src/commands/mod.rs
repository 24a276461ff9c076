//! A file a command.

pub mod approvals;
pub mod backup;
mod cargo;
pub mod changes;
pub mod check;
mod component;
pub mod holds;
pub mod init;
pub mod lock;
pub mod outbox;
pub mod plugin;
pub mod query;
pub mod replay;
pub mod rules;
pub mod rules_test;
pub mod run;
pub mod runs;
pub mod schedule;
pub mod serve;
pub mod why;
