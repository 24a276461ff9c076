//! Snapshots and logs of series: what is on a disk may be anything.

use evenkeel_alerting::promql::Source as _;
use evenkeel_alerting::series::{Limits, Log, Store};

const SNAPSHOT: &[u8] = b"evkseri\x01";
const LOG: &[u8] = b"evkslog\x01";

/// The first byte says whether the rest is a file, or records of one with checksums that are right.
pub fn try_one(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind % 4 {
        0 => snapshot(rest),
        1 => log(rest),
        2 => snapshot(&sealed(SNAPSHOT, rest)),
        _ => log(&sealed(LOG, rest)),
    }
}

/// A zero ends a record, two of them are one zero in it.
fn sealed(magic: &[u8], records: &[u8]) -> Vec<u8> {
    let mut file = magic.to_vec();
    let mut record = Vec::new();
    let mut bytes = records.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte == 0 && bytes.next_if(|next| **next == 0).is_none() {
            seal(&record, &mut file);
            record.clear();
        } else {
            record.push(*byte);
        }
    }
    seal(&record, &mut file);
    file
}

fn seal(record: &[u8], file: &mut Vec<u8>) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sum = crc32fast::hash(&[&length, record].concat());
    file.extend_from_slice(&[&length[..], &sum.to_le_bytes(), record].concat());
}

fn limits() -> Limits {
    Limits {
        series: 2048,
        bytes: 16 << 20,
        ..Limits::default()
    }
}

fn snapshot(bytes: &[u8]) {
    if let Ok(restored) = Store::restore(bytes, limits()) {
        sound(&restored.store);
    }
}

fn log(bytes: &[u8]) {
    let store = Store::new(limits());
    if store.replay(bytes).is_ok() {
        sound(&store);
    }
}

/// Samples are in order, and what came in by one door goes out by the other and comes back.
fn sound(store: &Store) {
    let all = store.select(&[], i64::MIN, i64::MAX).expect("few samples");
    for series in &all {
        assert!(!series.labels.is_empty(), "a series without labels");
        assert!(
            series.samples.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{:?}",
            series.samples
        );
    }
    let mut written = Vec::new();
    store.snapshot(&mut written).expect("memory takes all");
    let back = Store::restore(&written[..], limits()).expect("it was written a moment ago");
    assert_eq!((back.damage, back.left_out), (None, None));
    let again = back.store.select(&[], i64::MIN, i64::MAX).expect("few samples");
    assert_eq!(again.len(), all.len());
    let copy = Store::new(limits());
    for series in &all {
        let handle = store.series(&series.labels).expect("it is there");
        let batch: Vec<_> = series.samples.iter().map(|sample| (handle, *sample)).collect();
        let file = Log::new().encode(store, &batch);
        copy.replay(&file[..]).expect("it was written a moment ago");
    }
    let samples = |store: &Store| store.status(0).samples;
    assert_eq!(samples(&copy), samples(store));
}
