//! Many at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{labels, named, small};
use crate::promql::Source as _;
use crate::series::{Limits, Refused, Store};

const SERIES: usize = 600;
const SCRAPES: i64 = 300;

/// Appends to its series until it has done so at all times, and asks for those again that were forgotten.
fn scrape(store: &Store, target: usize) {
    let all: Vec<_> = (0..SERIES)
        .map(|n| labels(&format!("m{{target={target},n={n}}}")))
        .collect();
    let mut handles: Vec<_> = store.all_series(&all).into_iter().map(Result::unwrap).collect();
    for time in 0..SCRAPES {
        let sample = (time * 15_000, time as f64);
        let batch: Vec<_> = handles.iter().map(|handle| (*handle, sample)).collect();
        for (place, refused) in store.append_all(&batch).refused {
            assert_eq!(refused, Refused::Gone);
            // It may be forgotten once more, as often as it happens here.
            let again = (0..1000).find(|_| {
                handles[place] = store.series(&all[place]).unwrap();
                store.append(handles[place], sample.0, sample.1).is_ok()
            });
            assert!(again.is_some(), "{} is forgotten again and again", all[place]);
        }
    }
}

#[test]
fn nothing_is_lost_or_torn_while_all_are_at_work() {
    let store = Store::new(Limits {
        retention_ms: i64::MAX,
        ..small()
    });
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let scrapers: Vec<_> = (0..3)
            .map(|target| {
                scope.spawn({
                    let store = &store;
                    move || scrape(store, target)
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                for series in store.select(&named("m"), 0, i64::MAX).unwrap() {
                    let whole = series
                        .samples
                        .iter()
                        .enumerate()
                        .all(|(i, s)| *s == (i as i64 * 15_000, i as f64));
                    assert!(whole, "{} {:?}", series.labels, series.samples);
                }
                thread::yield_now();
            }
        });
        let forgetter = scope.spawn(|| {
            let mut churn = 0;
            while !is_done.load(Ordering::Relaxed) {
                // Series without samples, which go away at once.
                churn += 1;
                store.series(&labels(&format!("gone{{n={churn}}}"))).unwrap();
                store.forget(SCRAPES * 15_000);
                thread::yield_now();
            }
        });
        scrapers.into_iter().for_each(|scraper| scraper.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        forgetter.join().unwrap();
    });
    let found = store.select(&named("m"), 0, i64::MAX).unwrap();
    assert_eq!(found.len(), 3 * SERIES);
    assert!(found.iter().all(|series| series.samples.len() == SCRAPES as usize));
    assert_eq!(store.status(0).samples, (3 * SERIES) as u64 * SCRAPES as u64);
    assert_eq!(store.counted(), store.bytes());
}
