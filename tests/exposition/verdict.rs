use std::collections::BTreeMap;

pub type Labels = BTreeMap<String, String>;

/// What becomes of a text.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Why it is refused.
    pub error: Option<String>,
    /// Samples up to the bad place.
    pub scraped: usize,
    pub samples: BTreeMap<Key, f64>,
}

/// Labels, and the time in milliseconds if the text has one.
pub type Key = (Labels, Option<i64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One takes the text and the other refuses it, or they store something else.
    Verdict,
    /// Both refuse it, one of them after a sample more.
    Place,
}

#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    pub told: String,
}

/// The first thing in which the two are not alike.
pub fn difference(ours: &Verdict, theirs: &Verdict) -> Option<Difference> {
    let is_refused = ours.error.is_some() && theirs.error.is_some();
    if ours.scraped.abs_diff(theirs.scraped) == 1 && is_refused {
        return Some(Difference {
            kind: Kind::Place,
            told: count(ours, theirs),
        });
    }
    verdict(ours, theirs).map(|told| Difference {
        kind: Kind::Verdict,
        told,
    })
}

fn verdict(ours: &Verdict, theirs: &Verdict) -> Option<String> {
    if ours.error.is_some() != theirs.error.is_some() {
        let told = |verdict: &Verdict| match &verdict.error {
            Some(error) => format!("refuses it: {error}"),
            None => format!("takes it: {:?}", verdict.samples),
        };
        return Some(format!("evenkeel {}\n  Prometheus {}", told(ours), told(theirs)));
    }
    if ours.scraped != theirs.scraped {
        return Some(count(ours, theirs));
    }
    let keys = ours.samples.keys().chain(theirs.samples.keys());
    keys.filter(|key| !is_same(ours.samples.get(*key), theirs.samples.get(*key)))
        .map(|key| {
            let (ours, theirs) = (ours.samples.get(key), theirs.samples.get(key));
            format!("{key:?}: evenkeel has {ours:?}, Prometheus {theirs:?}")
        })
        .next()
}

fn count(ours: &Verdict, theirs: &Verdict) -> String {
    format!(
        "evenkeel reads {} samples, Prometheus {}; they say {:?} and {:?}",
        ours.scraped, theirs.scraped, ours.error, theirs.error
    )
}

fn is_same(ours: Option<&f64>, theirs: Option<&f64>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()),
        (None, None) => true,
        _ => false,
    }
}

#[test]
fn differences_are_seen() {
    let one = |error: Option<&str>, scraped, value| Verdict {
        error: error.map(str::to_owned),
        scraped,
        samples: [((Labels::new(), None), value)].into(),
    };
    assert!(difference(&one(None, 1, f64::NAN), &one(None, 1, f64::NAN)).is_none());
    for other in [
        one(Some("no"), 1, 1.0),
        one(None, 2, 1.0),
        one(None, 1, 2.0),
        Verdict::default(),
    ] {
        assert!(difference(&one(None, 1, 1.0), &other).is_some(), "{other:?}");
    }
    let place = difference(&one(Some("no"), 1, 1.0), &one(Some("no"), 2, 1.0));
    assert!(place.is_some_and(|place| place.kind == Kind::Place));
    assert!(difference(&one(None, 1, 0.0), &one(None, 1, -0.0)).is_some());
}
