//! Which files there are to remove.

use std::collections::BinaryHeap;
use std::time::Duration;

use evenkeel_sdk::files::{Entry, Kind};
use evenkeel_sdk::{Context, Host, Level, Result};

use crate::{CacheClean, Planned, Rest};

/// Entries between two looks at the clock.
const STRIDE: u64 = 1_000;
/// Bytes of all entries looked at, as the host journals them: it takes 16 MiB from one call, and this leaves room.
const LOOK_BYTES: usize = 12 << 20;
/// Bytes of an entry without its path.
const ENTRY_BYTES: usize = 150;

/// The old files of a cache.
pub struct Found {
    /// Those to remove, in the order of a walk: the oldest, as many as may be.
    pub files: Vec<Planned>,
    pub rest: Rest,
}

/// Holds the `at_most` oldest at any time, so that a cache of any size can be looked at.
pub fn old_files(params: &CacheClean, host: &Host) -> Result<Found> {
    let oldest_kept_ms = host.now_ms().saturating_sub(params.older_than.as_ms());
    let mut oldest = Oldest {
        at_most: params.at_most as usize,
        heap: BinaryHeap::new(),
        rest: Rest::NOTHING,
    };
    let mut budget = Budget::new(host);
    let entries = host.files(&params.root).walk(params.path.as_str());
    for (place, entry) in (0..).zip(entries) {
        let entry = entry.context("looking for old files")?;
        if let Some(why) = budget.spent(host, place, &entry) {
            host.log(
                Level::Warn,
                "stopped looking for old files",
                &[("why", why), ("entries", &place.to_string())],
            );
            oldest.rest.seen_all = false;
            break;
        }
        if entry.kind == Kind::File && entry.modified_ms < oldest_kept_ms && !params.keeps(&entry.path) {
            oldest.push(place, entry);
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
    rest: Rest,
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
            self.rest.add(youngest.bytes);
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
        Found { files, rest: self.rest }
    }
}

/// What a look may cost. A cache that is too large for one is cleaned as far as it was seen, rather than never.
struct Budget {
    /// Of the call's time, so much is left for the plan.
    least_time: Duration,
    bytes: usize,
}

impl Budget {
    fn new(host: &Host) -> Self {
        Self {
            least_time: host.deadline() / 3,
            bytes: LOOK_BYTES,
        }
    }

    /// Says why to stop.
    fn spent(&mut self, host: &Host, place: u64, entry: &Entry) -> Option<&'static str> {
        match self.bytes.checked_sub(entry.path.len() + ENTRY_BYTES) {
            Some(left) => self.bytes = left,
            None => return Some("more entries than one call can look at"),
        }
        let is_late = place.is_multiple_of(STRIDE) && host.deadline() < self.least_time;
        is_late.then_some("the time is needed for the plan")
    }
}
