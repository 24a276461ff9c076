//! Outside data against what reads it. Each target takes any bytes and panics if what must hold does
//! not. `cargo test` tries some thousands of inputs; libFuzzer, guided by coverage, as many as there is time for.
//!
//! The sandbox exports none of what is tried here. Its files are included as they are, so that no door
//! is opened in it for a test.

#[path = "../../runtime/sandbox/src/allowance.rs"]
#[allow(dead_code, unused_imports, reason = "a room of its own elsewhere")]
mod allowance;
#[path = "../../runtime/sandbox/src/component.rs"]
#[allow(dead_code, unused_imports, reason = "a room of its own elsewhere")]
mod component;
#[path = "../../runtime/sandbox/src/capability/subject.rs"]
mod subject;
#[path = "../../runtime/sandbox/src/capability/http/target.rs"]
#[allow(dead_code, reason = "a room of its own elsewhere")]
mod target;

mod bytes;
pub mod cron;
pub mod effects;
pub mod exposition;
pub mod grants;
pub mod manifest;
pub mod paths;
pub mod promql;
pub mod rules;
pub mod scrape;
pub mod series;
pub mod subjects;
pub mod template;
