//! Alerting and recording rules, with Prometheus's verdicts.
//!
//! [`read()`] takes a rule file of Prometheus (YAML) or of ours (TOML), and says all that is wrong with it at once. What has
//! passed is a [`Group`], which is evaluated at one time after another over whatever series there are: what its rules record
//! goes into a [`Sink`], what an Alertmanager would be told comes out as [`Outgoing`].
//!
//! *Invariant:* no I/O and no clock; no text and no series make it panic.

pub mod alert;
pub mod definition;
mod duration;
mod expand;
mod group;
mod outgoing;
mod read;
mod reader;
mod restore;
mod scalar;
mod sink;
pub(crate) mod tree;
pub mod unit;
pub(crate) mod yaml;

#[cfg(test)]
mod tests;

pub use alert::{Alert, State};
pub use duration::written;
pub use expand::{Externals, Text};
pub use group::{Fared, Group, Health, Rule, Settings};
pub use outgoing::{Outgoing, Resend};
pub use read::{Read, read};
pub use reader::Language;
pub use restore::Forgiven;
pub use sink::Sink;
