//! Which files there are to remove.

use std::collections::BinaryHeap;
use std::time::Duration;

use evenkeel_sdk::files::{Entry, Kind};
use evenkeel_sdk::{Context, Host, Level, Result};

use crate::{CacheClean, Planned};

/// Entries between two looks at the clock.
const STRIDE: u64 = 1_000;

/// The old files of a cache, in the order of a walk.
pub struct Found {
    /// Those to remove: the oldest, as many as may be.
    pub files: Vec<Planned>,
    /// Old as well, but more than may be removed at once.
    pub left_files: u64,
    pub left_bytes: u64,
}

/// Holds the `at_most` oldest at any time, so that a cache of any size can be looked at.
pub fn old_files(params: &CacheClean, host: &Host) -> Result<Found> {
    let oldest_kept_ms = host.now_ms().saturating_sub(params.older_than.as_ms());
    let mut oldest = Oldest {
        at_most: params.at_most as usize,
        heap: BinaryHeap::new(),
        left_files: 0,
        left_bytes: 0,
    };
    let mut clock = Clock::start(host);
    let entries = host.files(&params.root).walk(params.path.as_str());
    for (place, entry) in (0..).zip(entries) {
        let entry = entry.context("looking for old files")?;
        if entry.kind == Kind::File && entry.modified_ms < oldest_kept_ms && !params.keeps(&entry.path) {
            oldest.push(place, entry);
        }
        if clock.is_late(host, place) {
            host.log(
                Level::Warn,
                "stopped looking, to leave time for the plan",
                &[("at", &place.to_string())],
            );
            break;
        }
    }
    Ok(oldest.into_found())
}

impl CacheClean {
    fn keeps(&self, path: &str) -> bool {
        let below = path
            .strip_prefix(self.path.trim_end_matches('/'))
            .unwrap_or(path)
            .trim_start_matches('/');
        let name = path.rsplit('/').next().unwrap_or(path);
        self.keep
            .iter()
            .any(|glob| glob.matches(if glob.as_str().contains('/') { below } else { name }))
    }
}

struct Oldest {
    at_most: usize,
    /// The youngest of them on top.
    heap: BinaryHeap<Candidate>,
    left_files: u64,
    left_bytes: u64,
}

/// Ordered by age; the place in the walk settles ties, so that the same cache makes the same plan.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    modified_ms: u64,
    place: u64,
    path: String,
    bytes: u64,
}

impl Oldest {
    fn push(&mut self, place: u64, entry: Entry) {
        self.heap.push(Candidate {
            modified_ms: entry.modified_ms,
            place,
            path: entry.path,
            bytes: entry.bytes,
        });
        if self.heap.len() > self.at_most
            && let Some(youngest) = self.heap.pop()
        {
            self.left_files += 1;
            self.left_bytes += youngest.bytes;
        }
    }

    fn into_found(self) -> Found {
        let mut candidates = self.heap.into_vec();
        candidates.sort_unstable_by_key(|candidate| candidate.place);
        let files = candidates
            .into_iter()
            .map(|found| Planned {
                path: found.path,
                bytes: found.bytes,
                modified_ms: found.modified_ms,
            })
            .collect();
        Found {
            files,
            left_files: self.left_files,
            left_bytes: self.left_bytes,
        }
    }
}

/// A cache that takes too long to look through is cleaned as far as it was seen, rather than never.
struct Clock {
    stop_at: Duration,
}

impl Clock {
    fn start(host: &Host) -> Self {
        Self {
            stop_at: host.deadline() / 3,
        }
    }

    fn is_late(&mut self, host: &Host, place: u64) -> bool {
        (place + 1).is_multiple_of(STRIDE) && host.deadline() < self.stop_at
    }
}
