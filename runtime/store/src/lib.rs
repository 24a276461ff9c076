//! Rounds, runs, events, alerts and what plugins remember, on disk: SQLite in WAL mode.
//!
//! One thread writes. It takes what is queued, commits it as one transaction with one fsync, and
//! then answers everybody: so the cost of the disk is shared by all who wait for it. Reads go
//! over connections of their own and are never in its way; checkpoints are another thread's.
//!
//! *Invariant:* what was answered as durable is on disk; what was appended is seen by every read
//! that begins afterwards; no rule about runs or alerts is made here but in `engine` and `alerting`.

mod alerts;
pub mod audit;
pub mod backup;
mod changes;
mod checkpoint;
pub mod compact;
mod journal;
mod ledger;
mod memory;
mod migrations;
mod open;
mod outbox;
mod reader;
mod rows;
mod sealed;
mod series;
mod writer;

pub use open::{Options, Store, StoreError};
pub use sealed::sealed_with;
pub use series::SeriesFiles;
pub use writer::Counts;
