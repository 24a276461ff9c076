//! The store against the plainest thing that does the same.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{bits, labels, named, small};
use crate::promql::{STALE, Sample, Source as _};
use crate::series::{Refused, Store};

#[derive(Debug, Clone)]
enum Act {
    /// To which series, how much later than the latest time of all, and a value.
    Append(usize, i64, f64),
    /// A scrape of all, several times, every 15 s.
    Scrapes(usize, f64),
    Forget,
    Select(i64, i64),
}

fn act() -> impl Strategy<Value = Act> {
    let value = prop_oneof![
        (0u32..5).prop_map(f64::from),
        any::<f64>(),
        Just(f64::from_bits(STALE)),
        Just(f64::NAN)
    ];
    prop_oneof![
        4 => (0usize..6, -5_000i64..60_000, value).prop_map(|(series, later, value)| Act::Append(series, later, value)),
        4 => (1usize..100, 0f64..3.0).prop_map(|(times, step)| Act::Scrapes(times, step)),
        1 => Just(Act::Forget),
        3 => (0i64..4_000_000, 0i64..4_000_000).prop_map(|(before, long)| Act::Select(before, long)),
    ]
}

#[derive(Default)]
struct Model {
    series: [BTreeMap<i64, f64>; 6],
    now: i64,
    horizon: i64,
}

impl Model {
    fn expected(&self, series: usize, at: i64, value: f64) -> Result<(), Refused> {
        if at < self.horizon {
            return Err(Refused::TooOld {
                at_ms: at,
                horizon_ms: self.horizon,
            });
        }
        match self.series[series].last_key_value() {
            Some((last, known)) if *last == at && known.to_bits() == value.to_bits() => Ok(()),
            Some((last, _)) if *last == at => Err(Refused::Duplicate { at_ms: at }),
            Some((last, _)) if *last > at => Err(Refused::OutOfOrder {
                at_ms: at,
                last_ms: *last,
            }),
            _ => Ok(()),
        }
    }

    fn append(&mut self, store: &Store, series: usize, at: i64, value: f64) -> Result<(), TestCaseError> {
        let handle = store.series(&labels(&format!("s{series}"))).unwrap();
        let expected = self.expected(series, at, value);
        prop_assert_eq!(store.append(handle, at, value), expected);
        if expected.is_ok() {
            self.series[series].insert(at, value);
            self.now = self.now.max(at);
        }
        Ok(())
    }

    fn forget(&mut self, store: &Store) {
        store.forget(self.now);
        self.horizon = self.horizon.max(self.now - small().retention_ms);
        for series in &mut self.series {
            if series.last_key_value().is_some_and(|(last, _)| *last < self.horizon) {
                series.clear();
            }
        }
    }

    /// What is older than the horizon may still be there, or not.
    fn compare(&self, store: &Store, start: i64, end: i64) -> Result<(), TestCaseError> {
        for (number, series) in self.series.iter().enumerate() {
            let matchers = named(&format!("s{number}"));
            let all: Vec<Sample> = series.iter().map(|(time, value)| (*time, *value)).collect();
            let wanted: Vec<Sample> = all.iter().copied().filter(|s| s.0 >= start && s.0 <= end).collect();
            let found = store.select(&matchers, start, end).unwrap();
            prop_assert!(found.len() <= 1);
            let found = found.first().map(|series| series.samples.to_vec()).unwrap_or_default();
            prop_assert!(wanted.ends_with_bits(&found), "{wanted:?} {found:?}");
            let kept = wanted.iter().filter(|sample| sample.0 >= self.horizon).count();
            prop_assert!(found.len() >= kept, "{wanted:?} {found:?}");
            let latest = store.latest(&matchers, start, end).unwrap();
            let latest = latest.first().map(|(_, sample)| (sample.0, sample.1.to_bits()));
            prop_assert_eq!(latest, bits(&found).last().copied());
        }
        Ok(())
    }
}

trait EndsWithBits {
    fn ends_with_bits(&self, end: &[Sample]) -> bool;
}

impl EndsWithBits for Vec<Sample> {
    fn ends_with_bits(&self, end: &[Sample]) -> bool {
        bits(self).ends_with(&bits(end))
    }
}

proptest! {
    #[test]
    fn it_holds_what_a_map_would_hold(acts in vec(act(), 1..60)) {
        let store = Store::new(small());
        let mut model = Model { horizon: -super::super::FURTHEST_MS, ..Model::default() };
        for act in acts {
            match act {
                Act::Append(series, later, value) => {
                    let at = model.now + later;
                    model.append(&store, series, at, value)?;
                }
                Act::Scrapes(times, step) => {
                    for i in 0..times {
                        let at = model.now + 15_000;
                        for series in 0..5 {
                            let value = (i as f64 * step * series as f64).floor();
                            model.append(&store, series, at, value)?;
                        }
                    }
                }
                Act::Forget => model.forget(&store),
                Act::Select(before, long) => {
                    let start = model.now - before;
                    model.compare(&store, start, start + long)?;
                }
            }
        }
        model.compare(&store, i64::MIN, i64::MAX)?;
        let kept: usize = store.select(&[], i64::MIN, i64::MAX).unwrap().iter().map(|s| s.samples.len()).sum();
        prop_assert_eq!(store.status(0).samples, kept as u64);
        prop_assert_eq!(store.counted(), store.bytes());
    }

    #[test]
    fn all_is_given_back(acts in vec((0usize..6, 1i64..60_000, 0u32..3), 1..400)) {
        let store = Store::new(small());
        let empty = store.bytes();
        let mut now = 0;
        for (series, later, value) in acts {
            now += later;
            let handle = store.series(&labels(&format!("s{series}{{a={value}}}"))).unwrap();
            store.append(handle, now, f64::from(value)).unwrap();
        }
        prop_assert!(store.bytes() > empty);
        store.forget(now + small().retention_ms + 1);
        prop_assert!(store.is_empty());
        prop_assert_eq!(store.status(0).samples, 0);
        prop_assert_eq!(store.counted(), store.bytes());
    }
}
