//! Runs plugins: WebAssembly components that can do nothing but what they are granted.
//!
//! [`Sandbox`] implements the engine's [`Plugins`](evenkeel_engine::port::Plugins):
//!
//! ```no_run
//! # use std::path::Path;
//! # use evenkeel_model::home::SandboxLimits;
//! # use evenkeel_sandbox::{Attendant, Compiler, Ports, Sandbox, scan};
//! # fn start(home: &Path) -> Result<Sandbox, evenkeel_sandbox::StartError> {
//! let limits = SandboxLimits::default();
//! // `main` hands what follows `compile` to `compile_as_child`, and `attend` to `attend_as_child`.
//! let compiler = Compiler::child("/proc/self/exe", ["compile"]);
//! let ports = Ports::local(home, Attendant::child("/proc/self/exe", ["attend"]));
//! let sandbox = Sandbox::new(home, Some(&home.join("data")), &limits, compiler, ports)?;
//! sandbox.install(&scan(home).installed);
//! # Ok(sandbox)
//! # }
//! ```
//!
//! The way of a call: an invocation gets a fresh instance ([`Sandbox`]); each capability call of
//! it is counted, checked against the two keys and the action, journaled before it is made if it
//! changes something, made through the [`Reach`](evenkeel_engine::port::reach::Reach), and
//! journaled with its answer.
//!
//! *Invariant:* a plugin gets an error or is ended, never a third thing; and nothing that it does
//! ends or delays another one.

mod allowance;
mod bindings;
mod cache;
mod call;
mod capability;
mod catalog;
mod circuit;
mod code;
mod compiler;
mod component;
mod describe;
mod engine;
mod failures;
mod forgetful;
mod halt;
mod invoke;
mod lift;
mod limiter;
mod loaded;
mod loader;
mod log;
mod ports;
mod reach;
mod redact;
mod references;
mod replay;
mod sandbox;
mod senses;
mod state;
mod statement;
mod tape;
mod vault;
mod wait;
mod wasi;

pub use catalog::{Scan, installed, scan};
pub use circuit::Open as OpenCircuit;
pub use compiler::{Compiler, compile_as_child};
pub use component::{CONTRACT, Facts, LoadError, MAX_BYTES, digest, embed, inspect};
pub use engine::start as start_engine;
pub use forgetful::Forgetful;
pub use ports::{Answered, Note, Noting, Ports};
pub use reach::local::{Attendant, Local, attend_as_child};
pub use reach::prometheus::Prometheus;
pub use reach::scrape::Scraper;
pub use sandbox::{Sandbox, StartError};
pub use vault::HomeVault;
