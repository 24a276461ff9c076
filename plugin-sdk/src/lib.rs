//! What an evenkeel plugin is written with.
//!
//! A plugin is a crate that exports one or more kinds. A whole check:
//!
//! ```
//! use evenkeel_sdk::{Finding, Host, Params, Result};
//!
//! #[derive(Params)]
//! struct Params { root: String, #[serde(default)] least_bytes: u64 }
//!
//! #[evenkeel_sdk::check]
//! fn free_space(params: Params, host: &Host) -> Result<Vec<Finding>> {
//!     let space = host.files(&params.root).space()?;
//!     let low = space.free_bytes < params.least_bytes;
//!     let finding = if low { Finding::critical("space-low", &params.root) } else { Finding::ok("space-low", &params.root) };
//!     Ok(vec![finding.summary(format!("{} bytes free", space.free_bytes))])
//! }
//! ```
//!
//! The exports exist on `wasm32` alone. Everywhere else the same code compiles against [`MockHost`], so that a plugin is
//! tested with plain `cargo test`.
//!
//! *Invariant*: a plugin reaches the world through [`Host`] and nothing else; what it does not call, its component does
//! not import.

/// The guide's examples are tests too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/plugins.md")]
#[allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "`file=` says where a block belongs; that block is run by a test"
)]
struct Guide;

/// What is no kind does not compile, on any target.
///
/// ```compile_fail,E0308
/// # use evenkeel_sdk::{Finding, Host, Params, Result};
/// # #[derive(Params)] struct Root { root: String }
/// #[evenkeel_sdk::check]
/// fn answers_one_finding(params: Root, host: &Host) -> Result<Finding> { Ok(Finding::ok("a", params.root)) }
/// ```
///
/// ```compile_fail
/// # use evenkeel_sdk::{Finding, Host, Params, Result};
/// # #[derive(Params)] struct Root { root: String }
/// #[evenkeel_sdk::check]
/// fn takes_a_reference(params: &Root, host: &Host) -> Result<Vec<Finding>> { Ok(vec![]) }
/// ```
///
/// ```compile_fail
/// # use evenkeel_sdk::Params;
/// #[derive(Params)] struct Generic<T> { value: T }
/// ```
#[cfg(doctest)]
struct Refused;

// The macros write `::evenkeel_sdk`; this lets them work in this crate's own tests too.
extern crate self as evenkeel_sdk;

#[doc(hidden)]
pub mod bindings;
mod error;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod export;
mod finding;
mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
mod notice;
mod params;
mod remedy;
mod sample;
pub mod subject;

pub use error::{CallError, Cause, Class, Context, Error, Result};
pub use evenkeel_sdk_macros::{Body, Params, check, monitor, notifier, remedy};
pub use finding::{Finding, Severity};
pub use host::{Host, Level, exec, files, http, metrics, process, secrets, sql, state};
#[cfg(not(target_arch = "wasm32"))]
pub use mock::MockHost;
pub use notice::Notice;
pub use params::{Absent, Compare, Duration, Glob, Levels, Scalars};
pub use remedy::{Action, Applied, Effect, Remedy, Risk};
pub use sample::{Metric, Sample};
pub use {schemars, serde, serde_json};
