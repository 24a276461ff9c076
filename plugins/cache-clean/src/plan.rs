//! Actions of bounded size out of the files to remove.

use evenkeel_sdk::files::Size;
use evenkeel_sdk::{Action, Effect, Result, Risk};

use crate::select::Found;
use crate::{Batch, CacheClean, Planned, Rest};

/// Files in one action: what a person can still scroll through, and what is lost if it fails midway.
const FILES: usize = 1_000;
/// Bytes of text in one action.
const ACTION_BYTES: usize = 512 << 10;
/// Bytes of text in all of them: the host takes 4 MiB as an answer.
const PLAN_BYTES: usize = 3 << 20;
/// Bytes of text a file without its path: the effect's names, and the field names and numbers in the body.
const FILE_BYTES: usize = 100;

pub fn actions(params: &CacheClean, found: Found) -> Result<Vec<Action>> {
    let (batches, too_many) = batches(params, found.files);
    let mut rest = found.rest;
    too_many.iter().for_each(|file| rest.add(file.bytes));

    let count = batches.len();
    let mut after = None;
    let mut actions = Vec::with_capacity(count);
    for (n, files) in (1..).zip(batches) {
        let last = files.last().map(|file| file.path.clone());
        let batch = Batch {
            after: after.take(),
            files,
            rest: if n == count { rest } else { Rest::NOTHING },
        };
        actions.push(action(params, n, count, &batch)?);
        after = last;
    }
    Ok(actions)
}

fn action(params: &CacheClean, n: usize, count: usize, batch: &Batch) -> Result<Action> {
    let bytes = Size(batch.files.iter().map(|file| file.bytes).sum());
    let files = counted(batch.files.len() as u64);
    let place = evenkeel_sdk::subject::files(&params.root, &params.path);
    let mut summary = format!("removes {files} of `{place}` older than {}, {bytes}", params.older_than);
    if count > 1 {
        summary += &format!(" (part {n} of {count})");
    }
    if batch.rest.files > 0 {
        summary += &format!(
            "; {}, {}, left for the next run",
            counted(batch.rest.files),
            Size(batch.rest.bytes)
        );
    }
    if !batch.rest.seen_all {
        summary += "; a part of the cache was not looked at";
    }
    Action::new(format!("remove-{n}"), summary)
        .risk(Risk::Low)
        .effects(batch.files.iter().map(|file| Effect::remove(&params.root, &file.path)))
        .body(batch)
}

pub fn counted(files: u64) -> String {
    if files == 1 {
        "1 file".to_owned()
    } else {
        format!("{files} files")
    }
}

/// The files in parts, and those that no longer fit into the plan.
fn batches(params: &CacheClean, files: Vec<Planned>) -> (Vec<Vec<Planned>>, Vec<Planned>) {
    let mut batches: Vec<Vec<Planned>> = Vec::new();
    let (mut total, mut size) = (0, 0);
    let mut files = files.into_iter();
    while let Some(file) = files.next() {
        let cost = cost(params, &file);
        if total + cost > PLAN_BYTES {
            return (batches, std::iter::once(file).chain(files).collect());
        }
        let is_full = batches
            .last()
            .is_none_or(|batch| batch.len() == FILES || size + cost > ACTION_BYTES);
        if is_full {
            batches.push(Vec::new());
            size = 0;
        }
        batches.last_mut().expect("one was pushed if there was none").push(file);
        total += cost;
        size += cost;
    }
    (batches, Vec::new())
}

/// A path stands in the effect as it is, and in the body with its escapes.
fn cost(params: &CacheClean, file: &Planned) -> usize {
    let escaped = file
        .path
        .chars()
        .map(|c| if c.is_control() { 6 } else { 1 + c.len_utf8() })
        .sum::<usize>();
    file.path.len() + escaped + params.root.len() + FILE_BYTES
}
