//! The words of evenkeel as types, and the way from TOML to them.
//!
//! *Invariant:* no I/O, no clock, no async runtime. Text and time come in as arguments.

pub mod access;
pub mod action;
pub mod alert;
pub mod asset;
mod authored;
pub mod call;
pub mod change;
pub mod check;
pub mod cron;
pub mod grant;
pub mod hold;
pub mod home;
pub mod invocation;
pub mod name;
pub mod notify;
pub mod params;
pub mod pattern;
pub mod plugin;
pub mod problem;
pub mod quantity;
pub mod query;
pub mod role;
pub mod run;
pub mod runbook;
pub mod scrape;
pub mod seal;
pub mod secret;
mod select;
pub mod tape;
pub mod target;
pub mod template;
pub mod window;
