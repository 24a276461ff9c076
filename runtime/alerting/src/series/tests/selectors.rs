//! The index against trying every series.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{labels, matcher, small};
use crate::promql::{Labels, Source as _};
use crate::series::Store;

const NAMES: [&str; 4] = ["__name__", "job", "pod", "none"];

fn one_matcher() -> impl Strategy<Value = (usize, &'static str, String)> {
    let patterns = [
        "",
        "a",
        "b",
        "c1",
        "pod-1",
        "pod-77",
        "a|b",
        "a|b|",
        "pod-1|pod-2|x",
        "pod-1.*",
        "pod-1.+|b.*",
        ".*",
        ".+",
        "(?i)POD-3",
        "pod-[1-3]",
        "pod-(1|2)(3|4)?",
        "(a|)",
        ".*7",
        "x{0}",
        "[^p].*",
        "c[0-9]",
        "a.?",
    ];
    let op = prop::sample::select(&["=", "!=", "=~", "!~"][..]);
    (
        0usize..4,
        op,
        prop::sample::select(patterns.to_vec()).prop_map(str::to_owned),
    )
}

fn some_series() -> impl Strategy<Value = Vec<Labels>> {
    let name = prop::sample::select(&["a", "b", "ab", "c1", "c2"][..]);
    let job = prop::sample::select(&["a", "b", "c1", ""][..]);
    let pod = prop_oneof![3 => (0u32..100).prop_map(|pod| format!("pod-{pod}")), 1 => Just(String::new())];
    let one = (name, job, pod).prop_map(|(name, job, pod)| labels(&format!("{name}{{job={job},pod={pod}}}")));
    vec(one, 0..200)
}

proptest! {
    #[test]
    fn it_finds_what_trying_each_finds(
        all in some_series(),
        gone in vec(any::<bool>(), 200),
        again in some_series(),
        asked in vec(one_matcher(), 0..4),
    ) {
        let store = Store::new(small());
        let late = small().retention_ms + 1;
        for (labels, is_gone) in all.iter().zip(gone) {
            let handle = store.series(labels).unwrap();
            if !is_gone {
                let _ = store.append(handle, late, 1.0);
            }
        }
        store.forget(late);
        store.forget(late);
        for labels in &again {
            let handle = store.series(labels).unwrap();
            let _ = store.append(handle, late, 1.0);
        }
        let matchers: Vec<_> = asked.iter().map(|(name, op, value)| matcher(NAMES[*name], op, value)).collect();
        let mut found: Vec<Labels> =
            store.select(&matchers, 0, late).unwrap().into_iter().map(|series| series.labels).collect();
        found.sort();
        let mut wanted: Vec<Labels> =
            store.select(&[], 0, late).unwrap().into_iter().map(|series| series.labels).collect();
        prop_assert_eq!(wanted.len(), store.len());
        wanted.retain(|labels| matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.label))));
        wanted.sort();
        prop_assert_eq!(&found, &wanted);
        prop_assert_eq!(store.counted(), store.bytes());
        let listed = store.list_series(std::slice::from_ref(&matchers), 0, late, usize::MAX);
        prop_assert_eq!(&listed.items, &wanted);
        for name in NAMES {
            let mut values: Vec<String> = wanted.iter().map(|labels| labels.get(name).to_owned()).collect();
            values.sort();
            values.dedup();
            values.retain(|value| !value.is_empty());
            prop_assert_eq!(store.label_values(name, std::slice::from_ref(&matchers), 0, late, usize::MAX).items, values);
        }
    }
}
