//! Snapshots and logs: what is on a disk comes back, and what is damaged there does no harm.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{bits, labels, matcher, named, samples, small};
use crate::promql::{Labels, STALE, Sample, Source as _};
use crate::series::{DamageKind, Limits, Log, Refused, Restored, Store, Unreadable};

/// All that is in it.
fn content(store: &Store) -> Vec<(Labels, Vec<(i64, u64)>)> {
    let found = store.select(&[], i64::MIN, i64::MAX).unwrap();
    let mut all: Vec<_> = found
        .into_iter()
        .map(|series| (series.labels, bits(&series.samples)))
        .collect();
    all.sort();
    all
}

fn snapshot(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.snapshot(&mut bytes).unwrap();
    bytes
}

fn restore(bytes: &[u8]) -> Restored {
    Store::restore(bytes, small()).unwrap()
}

/// Scrapes of `series` series, each its own kind of value.
fn scraped(store: &Store, series: usize, times: std::ops::Range<i64>) -> Vec<Vec<(crate::series::Handle, Sample)>> {
    let all: Vec<_> = (0..series)
        .map(|n| labels(&format!("m{{n={n},job=j{}}}", n % 3)))
        .collect();
    let handles: Vec<_> = store.all_series(&all).into_iter().map(Result::unwrap).collect();
    let batches = times.map(|time| {
        let one = |(n, handle): (usize, &crate::series::Handle)| {
            let value = match n % 4 {
                0 => n as f64,
                1 => (time * n as i64) as f64,
                2 => (time as f64 / 7.0).sin(),
                _ if time % 50 == 49 => f64::from_bits(STALE),
                _ => time as f64 / 100.0,
            };
            (*handle, (time * 15_000 + n as i64 % 2, value))
        };
        handles.iter().enumerate().map(one).collect::<Vec<_>>()
    });
    let batches: Vec<_> = batches.collect();
    for batch in &batches {
        assert_eq!(store.append_all(batch).refused, []);
    }
    batches
}

#[test]
fn a_snapshot_brings_all_back_and_goes_on() {
    let store = Store::new(small());
    scraped(&store, 3000, 0..150);
    let bytes = snapshot(&store);
    let back = restore(&bytes);
    assert_eq!((back.damage, back.left_out), (None, None));
    assert!(content(&back.store) == content(&store));
    assert_eq!(back.store.status(5).series, store.status(5).series);
    assert_eq!(back.store.status(5).samples, 3000 * 150);
    assert_eq!(back.store.counted(), back.store.bytes());
    scraped(&store, 3000, 150..300);
    scraped(&back.store, 3000, 150..300);
    assert!(content(&back.store) == content(&store));
    assert_eq!(back.store.counted(), back.store.bytes());
}

#[test]
fn a_series_longer_than_a_section_comes_back() {
    let store = Store::new(Limits {
        retention_ms: i64::MAX,
        ..small()
    });
    let handle = store.series(&labels("long")).unwrap();
    for time in 0..450_000 {
        store.append(handle, time, (time as f64).sqrt().fract()).unwrap();
    }
    let bytes = snapshot(&store);
    assert!(
        bytes.len() > 2 << 20,
        "{} bytes are more than one record may have",
        bytes.len()
    );
    let back = restore(&bytes);
    assert_eq!(back.damage, None);
    assert!(content(&back.store) == content(&store));
}

#[test]
fn a_torn_snapshot_keeps_what_is_whole_and_says_where_it_ends() {
    let store = Store::new(small());
    scraped(&store, 2500, 0..40);
    let bytes = snapshot(&store);
    let whole = content(&store);
    let mut kept = 0;
    for cut in [8, 9, 20, bytes.len() / 2, bytes.len() - 20, bytes.len() - 1] {
        let back = restore(&bytes[..cut]);
        let damage = back.damage.expect("it is torn");
        assert_eq!(damage.why, DamageKind::Torn);
        assert!(damage.at as usize <= cut);
        let content = content(&back.store);
        assert!(content.iter().all(|series| whole.contains(series)));
        assert!(content.len() >= kept);
        kept = content.len();
    }
    assert_eq!(kept, 2500, "the end alone is missing");
    let damage = restore(&bytes[..20]).damage.unwrap();
    assert_eq!(
        damage.to_string(),
        "from byte 8 on it is torn off; what comes before is kept"
    );
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let other = |bytes: &[u8]| Store::restore(bytes, small()).unwrap_err().to_string();
    assert_eq!(other(b""), "it is no snapshot of series");
    assert_eq!(other(b"evkslog\x01"), "it is no snapshot of series");
    let version = Store::restore(&b"evkseri\x02"[..], small()).unwrap_err();
    assert!(
        matches!(version, Unreadable::Version { found: 2, known: 1, .. }),
        "{version}"
    );
}

#[test]
fn lower_limits_leave_series_out_and_say_so() {
    let store = Store::new(small());
    scraped(&store, 10, 0..40);
    let limits = Limits { series: 7, ..small() };
    let back = Store::restore(&snapshot(&store)[..], limits).unwrap();
    let left_out = back.left_out.unwrap();
    assert_eq!((left_out.count, left_out.why), (3, Refused::TooManySeries { limit: 7 }));
    assert_eq!((back.store.len(), back.damage), (7, None));
}

#[test]
fn a_snapshot_and_the_logs_since_are_everything() {
    let store = Store::new(small());
    scraped(&store, 500, 0..30);
    let mut log = Log::new();
    let before = scraped(&store, 500, 30..40);
    let mut file: Vec<u8> = before.iter().flat_map(|batch| log.encode(&store, batch)).collect();
    let snapshot = snapshot(&store);
    let after = scraped(&store, 600, 40..60);
    file.extend(after.iter().flat_map(|batch| log.encode(&store, batch)));
    let back = restore(&snapshot).store;
    let replayed = back.replay(&file[..]).unwrap();
    assert_eq!(
        (replayed.added, replayed.damage, replayed.left_out),
        (600 * 20, None, None)
    );
    assert!(content(&back) == content(&store));
    assert_eq!(back.replay(&file[..]).unwrap().added, 0);
}

#[test]
fn a_torn_log_loses_its_last_batch_alone() {
    let store = Store::new(small());
    let mut log = Log::new();
    let batches = scraped(&store, 100, 0..20);
    let parts: Vec<Vec<u8>> = batches.iter().map(|batch| log.encode(&store, batch)).collect();
    let mut file = parts.concat();
    file.truncate(file.len() - 3);
    let back = Store::new(small());
    let replayed = back.replay(&file[..]).unwrap();
    assert_eq!(replayed.added, 100 * 19);
    let damage = replayed.damage.unwrap();
    assert_eq!(
        (damage.at as usize, damage.why),
        (parts[..19].concat().len(), DamageKind::Torn)
    );
}

#[test]
fn a_steady_scrape_is_a_byte_or_two_a_sample_in_the_log() {
    let store = Store::new(small());
    let handles: Vec<_> = (0..1000)
        .map(|n| store.series(&labels(&format!("m{{n={n}}}"))).unwrap())
        .collect();
    let batch = |time: i64| {
        let sample = |(n, handle): (usize, &crate::series::Handle)| (*handle, (time, (n as i64 % 2 * time) as f64));
        handles.iter().enumerate().map(sample).collect::<Vec<_>>()
    };
    let mut log = Log::new();
    log.encode(&store, &batch(0));
    let bytes = log.encode(&store, &batch(20)).len();
    assert!(bytes < 1000 * 2, "{bytes} bytes");
}

#[test]
fn series_that_were_forgotten_are_not_in_the_log() {
    let store = Store::new(small());
    let gone = store.series(&labels("gone")).unwrap();
    store.forget(0);
    store.forget(0);
    assert_eq!(store.labels(gone), None);
    let kept = store.series(&labels("kept")).unwrap();
    let bytes = Log::new().encode(&store, &[(gone, (1, 1.0)), (kept, (1, 2.0))]);
    let back = Store::new(small());
    assert_eq!(back.replay(&bytes[..]).unwrap().added, 1);
    assert_eq!(samples(&back, "kept"), [(1, 2.0)]);
    assert!(
        back.select(&[matcher("__name__", "!=", "kept")], 0, 9)
            .unwrap()
            .is_empty()
    );
    assert!(back.select(&named("gone"), 0, 9).unwrap().is_empty());
}

/// Whatever it was made of, a store answers in the order of time.
fn is_sound(store: &Store) -> bool {
    let all = store.select(&[], i64::MIN, i64::MAX).unwrap();
    let ordered = |samples: &[Sample]| samples.windows(2).all(|pair| pair[0].0 < pair[1].0);
    all.iter().all(|series| ordered(&series.samples)) && store.len() >= all.len()
}

/// The record once more with a checksum that is right.
fn sealed(magic: &[u8], record: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    super::super::frame::put(record, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn batches_come_back_from_a_log(
        batches in vec(vec((0usize..20, -3i64..4, prop_oneof![any::<f64>(), (-9i64..9).prop_map(|v| v as f64)]), 0..40), 1..10),
    ) {
        let store = Store::new(small());
        let mut log = Log::new();
        let mut file = Vec::new();
        let mut now = 0;
        for batch in batches {
            now += 5;
            let handles = batch.iter().map(|(n, ..)| store.series(&labels(&format!("m{{n={n}}}"))).unwrap());
            let batch: Vec<_> =
                handles.zip(&batch).map(|(handle, (_, at, value))| (handle, (now + at, *value))).collect();
            store.append_all(&batch);
            file.extend(log.encode(&store, &batch));
        }
        let back = Store::new(small());
        let replayed = back.replay(&file[..]).unwrap();
        prop_assert_eq!((replayed.damage, replayed.left_out), (None, None));
        prop_assert_eq!(content(&back), content(&store));
    }

    #[test]
    fn damage_is_found_and_does_no_harm(
        flips in vec((any::<prop::sample::Index>(), 1u8..=255), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let store = Store::new(small());
        let mut log = Log::new();
        let batches = scraped(&store, 20, 0..40);
        let file: Vec<u8> = batches.iter().flat_map(|batch| log.encode(&store, batch)).collect();
        let whole = content(&store);
        for (bytes, is_log) in [(snapshot(&store), false), (file, true)] {
            let mut bytes = bytes;
            bytes.truncate(8 + cut.index(bytes.len()));
            for (place, flip) in &flips {
                let length = bytes.len();
                bytes[place.index(length)] ^= flip;
            }
            let back = if is_log {
                let store = Store::new(small());
                let Ok(_) = store.replay(&bytes[..]) else { continue };
                store
            } else {
                let Ok(back) = Store::restore(&bytes[..], small()) else { continue };
                back.store
            };
            for (labels, samples) in content(&back) {
                let known = whole.iter().find(|(known, _)| *known == labels);
                prop_assert!(known.is_some_and(|(_, known)| known.starts_with(&samples)));
            }
        }
    }

    #[test]
    fn any_bytes_make_a_sound_store(mut bytes in vec(any::<u8>(), 0..300), kind in 0u8..3) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        let back = Store::restore(&sealed(b"evkseri\x01", &bytes)[..], small()).unwrap();
        prop_assert!(is_sound(&back.store));
        let store = Store::new(small());
        store.replay(&sealed(b"evkslog\x01", &bytes)[..]).unwrap();
        prop_assert!(is_sound(&store));
    }

    #[test]
    fn nearly_right_bytes_make_a_sound_store(
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let store = Store::new(small());
        scraped(&store, 6, 0..60);
        let bytes = snapshot(&store);
        let length = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
        let mut record = bytes[16..16 + length].to_vec();
        for (place, byte) in edits {
            record[place.index(length)] = byte;
        }
        let back = Store::restore(&sealed(b"evkseri\x01", &record)[..], small()).unwrap();
        prop_assert!(is_sound(&back.store));
        let forgot = back.store.forget(super::super::FURTHEST_MS);
        prop_assert!(forgot.samples > 0 || back.store.status(0).samples == 0);
        // A series whose samples made no sense was new a moment ago.
        back.store.forget(super::super::FURTHEST_MS);
        prop_assert!(back.store.is_empty());
    }
}
