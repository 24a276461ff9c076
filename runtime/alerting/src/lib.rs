//! From what sources push to edges of alerts. Pure but for its ports.
//!
//! What comes in is read by [`v2`] (as an Alertmanager is pushed to) or [`webhook`] (as an
//! Alertmanager notifies), and joined to what is known by [`lifecycle`]; `store` keeps it.
//! What a scraped target answers is read by [`exposition`].
//!
//! [`promql`] evaluates what rules ask of series, which [`series`] keeps; [`rules`] makes alerts and series of the answers,
//! with what [`template`] renders of them; [`notation`] reads series that a test or a person writes down.
//!
//! *Invariant:* no I/O and no clock; nothing that a source can send makes this room panic.

pub mod exposition;
pub mod intake;
pub mod lifecycle;
pub mod notation;
pub mod port;
pub mod promql;
pub mod rules;
pub mod series;
pub mod series_file;
pub mod template;
pub mod v2;
pub mod webhook;
