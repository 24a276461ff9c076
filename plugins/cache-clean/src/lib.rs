//! Removes old files of a cache, exactly those that its plan lists.
//!
//! *Invariant*: a path is removed only if it still has the size and the time of change that it was planned with.

mod apply;
mod plan;
mod select;

use evenkeel_sdk::{Action, Applied, Body, Duration, Glob, Host, Params, Remedy, Result};

/// Which files of which cache to remove.
#[derive(Params)]
struct CacheClean {
    /// The root that the cache is in.
    root: String,
    /// The directory to clean, below the root; empty: all of it.
    #[serde(default)]
    path: String,
    /// Files that were not changed for so long.
    older_than: Duration,
    /// Files that one run removes, the oldest first.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 100_000))]
    at_most: u32,
    /// Files to keep whatever their age. A pattern without a slash is compared with the name, at any depth; one with a
    /// slash with the path below `path`.
    #[serde(default)]
    keep: Vec<Glob>,
}

/// A file as it was planned. Another size or time means another file.
#[derive(Body, Clone, Debug, PartialEq)]
struct Planned {
    path: String,
    bytes: u64,
    modified_ms: u64,
}

/// What an action needs to know: its files in the order of a walk, and behind which path that walk starts.
#[derive(Body)]
struct Batch {
    after: Option<String>,
    files: Vec<Planned>,
    rest: Rest,
}

/// What is not in the plan, for the next run.
#[derive(Body, Clone, Copy)]
struct Rest {
    files: u64,
    bytes: u64,
    /// Whether the whole cache was looked at.
    seen_all: bool,
}

impl Rest {
    const NOTHING: Self = Self {
        files: 0,
        bytes: 0,
        seen_all: true,
    };

    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

fn ten_thousand() -> u32 {
    10_000
}

#[evenkeel_sdk::remedy]
impl Remedy for CacheClean {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let found = select::old_files(self, host)?;
        plan::actions(self, found)
    }

    fn apply(&self, host: &Host, action: &Action) -> Result<Applied> {
        apply::remove(self, host, &action.body_as()?)
    }
}

#[cfg(test)]
mod tests;
