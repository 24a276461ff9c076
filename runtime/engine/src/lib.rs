//! Decides what happens in rounds and runs, and drives it through ports.
//!
//! *Invariant:* what decides is pure (`decide`, `gate`, `trigger`, `rounds`, `schedule`, `notify::pace`): time is
//! an argument, and nothing in it waits, reads or writes. What drives owns no rule.

mod after;
mod approve;
mod attempts;
mod berths;
mod capacity;
pub mod context;
pub mod decide;
mod drive;
mod engine;
pub mod gate;
mod hearing;
pub mod holds;
mod keep;
mod live;
pub mod notify;
pub mod port;
mod record;
pub mod recording;
mod request;
mod resolve;
mod resume;
pub mod risk;
pub mod rounds;
pub mod run;
pub mod schedule;
mod serve;
pub mod trigger;
mod undo;
pub mod why;
mod words;

pub use crate::approve::{ApprovalError, Decision, Pending, by_rounds};
pub use crate::engine::{Drained, Engine, Ports};
pub use crate::holds::HoldError;
pub use crate::live::Holder;
pub use crate::request::{Accepted, CancelError, PersonRequest, RequestError, WaitError};
pub use crate::resolve::{Resolution, ResolveError};
pub use crate::undo::{UndoError, UndoRequest};
