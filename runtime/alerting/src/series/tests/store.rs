use super::{bits, labels, matcher, named, samples, small};
use crate::promql::{Labels, NAME, STALE, Source as _};
use crate::series::{FURTHEST_MS, Limits, Refused, Store};

#[test]
fn a_refusal_names_the_setting() {
    let store = Store::new(Limits {
        series: 1,
        labels: 2,
        ..small()
    });
    let handle = store.series(&labels("up")).unwrap();
    assert_eq!(store.series(&labels("up")), Ok(handle));
    let word = |refused: Refused| refused.to_string();
    assert!(word(store.series(&labels("down")).unwrap_err()).contains("`max_series` in `[series]`"));
    assert!(word(store.series(&labels("up{a=1,b=2}")).unwrap_err()).contains("`max_labels` in `[series]`"));
    assert_eq!(store.series(&Labels::default()), Err(Refused::NoLabels));
    let long = labels(&format!("up{{a={}}}", "x".repeat(1 << 16)));
    assert!(matches!(store.series(&long), Err(Refused::LabelsTooLong { .. })));
    store.forget(10_000_000);
    let handle = store.series(&labels("up")).unwrap();
    let old = store.append(handle, 10_000_000 - 3_600_001, 1.0).unwrap_err();
    assert!(word(old).contains("`retention` in `[series]`"));
    let store = Store::new(Limits { bytes: 0, ..small() });
    let full = store.series(&labels("up")).unwrap_err();
    assert!(word(full).contains("`max_memory`"), "{full}");
}

#[test]
fn known_series_go_on_when_new_ones_find_no_memory() {
    let limits = Limits {
        bytes: 400_000,
        ..small()
    };
    let store = Store::new(limits);
    let mut handles = Vec::new();
    let refused = loop {
        match store.series(&labels(&format!("m{{n={}}}", handles.len()))) {
            Ok(handle) => handles.push(handle),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refused::NoMemory { limit: 400_000 });
    assert!(handles.len() > 100, "{}", handles.len());
    assert_eq!(store.append(handles[0], 1, 1.0), Ok(()));
    let mut at = 1;
    let refused = loop {
        at += 1;
        let results = handles
            .iter()
            .map(|handle| store.append(*handle, at, (at as f64).sqrt()));
        if let Some(refused) = results.filter_map(Result::err).next() {
            break refused;
        }
    };
    assert_eq!(refused, Refused::NoMemory { limit: 400_000 });
    assert!(store.bytes() < 402_000, "{}", store.bytes());
}

#[test]
fn the_same_sample_again_is_no_error() {
    let store = Store::new(small());
    let handle = store.series(&labels("up")).unwrap();
    assert_eq!(store.append(handle, 5, f64::NAN), Ok(()));
    assert_eq!(store.append(handle, 5, f64::NAN), Ok(()));
    assert_eq!(store.append(handle, 5, 1.0), Err(Refused::Duplicate { at_ms: 5 }));
    assert_eq!(
        store.append(handle, 4, 1.0),
        Err(Refused::OutOfOrder { at_ms: 4, last_ms: 5 })
    );
    let far = FURTHEST_MS + 1;
    assert_eq!(store.append(handle, far, 1.0), Err(Refused::BadTime { at_ms: far }));
    assert_eq!(samples(&store, "up").len(), 1);
}

#[test]
fn a_handle_of_a_forgotten_series_is_known_as_one() {
    let store = Store::new(small());
    let old = store.series(&labels("up")).unwrap();
    store.append(old, 0, 1.0).unwrap();
    let forgot = store.forget(4_000_000);
    assert_eq!((forgot.series, forgot.samples), (1, 1));
    assert_eq!(store.append(old, 4_000_000, 1.0), Err(Refused::Gone));
    let new = store.series(&labels("other")).unwrap();
    assert_eq!(store.append(old, 4_000_000, 1.0), Err(Refused::Gone));
    assert_eq!(store.append(new, 4_000_000, 1.0), Ok(()));
    assert_eq!(samples(&store, "up"), []);
}

#[test]
fn a_series_that_was_just_made_is_not_forgotten_before_its_first_sample() {
    let store = Store::new(small());
    let handle = store.series(&labels("up")).unwrap();
    assert_eq!(store.labels(handle), Some(labels("up")));
    assert_eq!(store.forget(0).series, 0);
    assert_eq!(store.append(handle, 0, 1.0), Ok(()));
    let unused = store.series(&labels("unused")).unwrap();
    assert_eq!(store.forget(0).series, 0);
    assert_eq!(store.forget(0).series, 1);
    assert_eq!(store.append(unused, 0, 1.0), Err(Refused::Gone));
}

#[test]
fn the_marker_of_staleness_stays_what_it_is() {
    let store = Store::new(small());
    let handle = store.series(&labels("up")).unwrap();
    let wanted: Vec<_> = (0..400)
        .map(|i| (i * 15_000, if i % 50 == 49 { f64::from_bits(STALE) } else { 1.0 }))
        .collect();
    for (time, value) in &wanted {
        store.append(handle, *time, *value).unwrap();
    }
    assert_eq!(bits(&samples(&store, "up")), bits(&wanted));
    assert_eq!(
        bits(
            &store
                .latest(&named("up"), 0, 49 * 15_000)
                .unwrap()
                .iter()
                .map(|l| l.1)
                .collect::<Vec<_>>()
        ),
        bits(&wanted[49..50])
    );
}

#[test]
fn a_selector_that_reads_too_much_is_told_so() {
    let store = Store::new(Limits {
        selected: 10,
        ..small()
    });
    let handle = store.series(&labels("up")).unwrap();
    for i in 0..11 {
        store.append(handle, i, 1.0).unwrap();
    }
    assert_eq!(store.select(&named("up"), 1, 20).unwrap().len(), 1);
    let error = store.select(&named("up"), 0, 20).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a selector reads more than 10 samples: ask for less, or for a shorter time"
    );
}

#[test]
fn a_batch_takes_what_it_can() {
    let store = Store::new(small());
    let all: Vec<_> = (0..3000).map(|i| labels(&format!("m{{n={i}}}"))).collect();
    let handles: Vec<_> = store.all_series(&all).into_iter().map(Result::unwrap).collect();
    let mut batch: Vec<_> = handles.iter().map(|handle| (*handle, (1000, 1.0))).collect();
    batch[2000].1.0 = FURTHEST_MS + 1;
    let appended = store.append_all(&batch);
    assert_eq!(appended.added, 2999);
    let at_ms = FURTHEST_MS + 1;
    assert_eq!(appended.refused, [(2000, Refused::BadTime { at_ms })]);
    assert_eq!(store.select(&named("m"), 0, 2000).unwrap().len(), 2999);
}

#[test]
fn listings_are_in_order_and_end_at_their_limit() {
    let store = Store::new(small());
    for (series, at) in [("b{x=1}", 10), ("a{x=2}", 20), ("a{y=3}", 30)] {
        let handle = store.series(&labels(series)).unwrap();
        store.append(handle, at, 1.0).unwrap();
    }
    let listed = store.list_series(&[], 0, 100, 2);
    assert_eq!(
        (listed.items, listed.is_cut),
        (vec![labels("a{x=2}"), labels("a{y=3}")], true)
    );
    let either = [named("b"), vec![matcher("y", "=~", ".+")]];
    assert_eq!(
        store.list_series(&either, 0, 100, 9).items,
        [labels("a{y=3}"), labels("b{x=1}")]
    );
    assert_eq!(store.label_names(&[], 15, 25, 9).items, [NAME, "x"]);
    assert_eq!(store.label_values("x", &[], 0, 100, 9).items, ["1", "2"]);
    assert_eq!(store.label_values("x", &[named("a")], 0, 100, 9).items, ["2"]);
    let status = store.status(1);
    assert_eq!(
        (status.series, status.samples, status.label_names, status.label_values),
        (3, 3, 3, 5)
    );
    assert_eq!(status.by_metric, [("a".to_owned(), 2)]);
    assert_eq!(status.by_label, [(NAME.to_owned(), 2)]);
}

#[test]
fn the_oldest_samples_make_room_when_memory_runs_out() {
    let store = Store::new(Limits {
        bytes: 30_000,
        retention_ms: 86_400_000,
        ..small()
    });
    let handle = store.series(&labels("up")).unwrap();
    let mut at = 0;
    let mut shortened = None;
    // Ten days of numbers that don't compress.
    for _ in 0..57_600 {
        at += 15_000;
        store.append(handle, at, (at as f64).sqrt().fract()).unwrap();
        if at % 60_000 == 0 {
            shortened = store.forget(at).shortened_to_ms.or(shortened);
        }
    }
    let kept = samples(&store, "up");
    let age = at - kept[0].0;
    assert!(
        shortened.is_some_and(|to| (3_600_000..86_400_000).contains(&to)),
        "{shortened:?}"
    );
    assert!((3_600_000..86_400_000).contains(&age), "{age}");
    assert_eq!(store.counted(), store.bytes());
}
