//! From what is scraped and what sources push to edges of alerts. Pure but for its ports.
//!
//! What a scraped target answers is read by [`exposition`], and [`scrape`] says what that means for its series, which
//! [`series`] keeps. [`promql`] evaluates what rules ask of them, and [`rules`] makes alerts and series of the answers.
//! [`template`] renders what alerts say, and [`watch`] does all that at its times. [`notation`] reads series that a test or a person writes down.
//!
//! What is pushed is read by [`v2`] (as an Alertmanager is pushed to) or [`webhook`] (as an Alertmanager notifies). All
//! alerts are joined to what is known by [`lifecycle`]; `store` keeps them.
//!
//! *Invariant:* no I/O and no clock but behind ports; nothing that a source can send makes this room panic.

pub mod exposition;
pub mod intake;
pub mod lifecycle;
pub mod notation;
pub mod port;
pub mod promql;
pub mod rules;
pub mod scrape;
pub mod series;
pub mod series_file;
pub mod template;
pub mod v2;
pub mod watch;
pub mod webhook;
