//! Removes what was planned and is still the same.

use std::collections::HashMap;

use evenkeel_sdk::files::{Entry, FilesError, Kind, Removed, Size};
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Applied, Host, Result};

use crate::plan::counted;
use crate::{Batch, CacheClean, Planned};

pub fn remove(params: &CacheClean, host: &Host, batch: &Batch) -> Result<Applied> {
    let now = Now::of(params, host, batch)?;
    let removed = match now.same.as_slice() {
        [] => Removed { files: 0, bytes: 0 },
        same => host.files(&params.root).remove(same)?,
    };
    let planned = batch.files.len() as u64;
    // What the host counts less was gone, or replaced, by the time it came to it.
    let (files, changed) = (u64::from(removed.files), now.changed);
    let gone = planned - files - changed;
    let mut summary = format!(
        "removed {files} of {} planned, {}",
        counted(planned),
        Size(removed.bytes)
    );
    if gone > 0 {
        summary += &format!("; {gone} gone already");
    }
    if changed > 0 {
        summary += &format!("; {changed} changed since and left alone");
    }
    let applied = if files > 0 {
        Applied::changed(summary)
    } else {
        Applied::unchanged(summary)
    };
    Ok(applied.output(json!({
        "removed": files,
        "bytes": removed.bytes,
        "gone": gone,
        "changed": changed,
        "left": batch.rest.files,
        "seen_all": batch.rest.seen_all,
    })))
}

/// The planned files as they are now.
struct Now {
    same: Vec<String>,
    changed: u64,
}

impl Now {
    /// Goes through the stretch of the cache that the batch covers: asking for a thousand files one by one would cost a
    /// thousand calls.
    fn of(params: &CacheClean, host: &Host, batch: &Batch) -> Result<Self> {
        let mut planned: HashMap<&str, &Planned> = batch.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut walk = host.files(&params.root).walk(params.path.as_str());
        if let Some(after) = &batch.after {
            walk = walk.after(after);
        }
        let last = batch.files.last().map(|file| file.path.as_str());
        let mut now = Self {
            same: Vec::new(),
            changed: 0,
        };
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.cause == FilesError::Missing => break,
                Err(error) => return Err(error.into()),
            };
            // `last` may be gone, so the end of the stretch is behind it.
            let is_behind = last.is_none_or(|last| entry.path.split('/').gt(last.split('/')));
            match planned.remove(entry.path.as_str()) {
                Some(file) if is_same(file, &entry) => now.same.push(entry.path),
                Some(_) => now.changed += 1,
                None => {}
            }
            if planned.is_empty() || is_behind {
                break;
            }
        }
        Ok(now)
    }
}

fn is_same(planned: &Planned, entry: &Entry) -> bool {
    entry.kind == Kind::File && entry.bytes == planned.bytes && entry.modified_ms == planned.modified_ms
}
