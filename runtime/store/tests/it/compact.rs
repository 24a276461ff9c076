//! What is removed from the journal, and what is not.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::gates::{Happening, Ledger as _, Unstarted};
use evenkeel_engine::port::outbox::{Outbox as _, OutboxFilter};
use evenkeel_engine::port::{Durability, Journal as _, NewRound, RunFilter};
use evenkeel_model::action::{Applied, PlanHash, Risk};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::home::Keep;
use evenkeel_model::invocation::{Key, Outcome, Output, Phase};
use evenkeel_model::name::RunId;
use evenkeel_model::plugin::{Digest, Kind, Pinned};
use evenkeel_model::run::{Body, Event, Verdict};
use evenkeel_store::compact::Progress;
use evenkeel_store::{Store, audit};
use proptest::prelude::*;

use crate::home::{Home, at, finished, open_round, round};
use crate::outbox::notice;

const DAY: u64 = 86_400;

pub fn keep(calls: u64, runs: u64) -> Keep {
    Keep {
        calls: Some(Duration::from_secs(calls * DAY)),
        runs: Some(Duration::from_secs(runs * DAY)),
    }
}

pub fn days(days: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::days(days)
}

fn key() -> Key {
    Key {
        step: "fix".into(),
        phase: Phase::Apply,
        action: Some("a".into()),
        attempt: 1,
    }
}

/// All that a run with one action leaves; without a change record if `changed` is false.
fn bodies(changed: bool) -> Vec<Body> {
    let call = Call {
        capability: Capability::Exec,
        operation: "run".into(),
        subject: "fix []".into(),
        request: serde_json::Value::Null,
        content: None,
        effect: true,
        repeatable: false,
    };
    let mut bodies = vec![
        Body::Started,
        Body::Planned {
            step: "fix".into(),
            hash: PlanHash::of(&[]),
            risk: Risk::Low,
            actions: vec![],
        },
        Body::Invoked {
            key: key(),
            plugin: Pinned {
                name: "command".into(),
                version: "1.0.0".parse().unwrap(),
                digest: Digest("abc".into()),
                kind: Kind::Remedy,
            },
            params: serde_json::Value::Null,
            given: None,
            before: None,
        },
    ];
    if changed {
        bodies.push(Body::Intended { key: key(), n: 0, call });
    }
    bodies.extend([
        Body::Called {
            key: key(),
            n: 0,
            call: None,
            answer: Answer::Ok(serde_json::Value::Null),
            took_ms: 1,
        },
        Body::Logged {
            key: key(),
            level: Level::Info,
            message: "done".into(),
            fields: vec![],
        },
        Body::Ended {
            key: key(),
            outcome: Outcome::Done(Output::Applied(Applied {
                changed,
                summary: "fixed".into(),
                output: None,
                undo: None,
            })),
        },
    ]);
    bodies
}

pub async fn append(store: &Store, run: RunId, at: DateTime<Utc>, bodies: Vec<Body>) {
    store.append(run, at, bodies, Durability::Disk).await.unwrap();
}

pub async fn open(store: &Store, request: &str, day: i64) -> RunId {
    let opened = store.open(round(request), days(day)).await.unwrap();
    let evenkeel_engine::port::Opened::New(_, runs) = opened else {
        panic!("it is there already")
    };
    runs[0]
}

/// A run of a day, and what became of it.
async fn ran(store: &Store, request: &str, day: i64, changed: bool, end: Option<Verdict>) -> RunId {
    let run = open(store, request, day).await;
    append(store, run, days(day), bodies(changed)).await;
    if let Some(verdict) = end {
        append(store, run, days(day), vec![finished(verdict)]).await;
    }
    run
}

/// All of it, until nothing more is removed.
pub async fn compact(store: &Store, keep: Keep, now: DateTime<Utc>) -> Progress {
    let mut progress = Progress::default();
    while store.compact(keep, &mut progress, now).await.unwrap() {}
    progress
}

pub async fn events(store: &Store, run: RunId) -> Vec<Event> {
    store.events(run).await.unwrap().unwrap_or_default()
}

fn calls(events: &[Event]) -> usize {
    let call = |event: &&Event| {
        matches!(
            event.body,
            Body::Called { .. } | Body::Intended { .. } | Body::Logged { .. }
        )
    };
    events.iter().filter(call).count()
}

#[tokio::test]
async fn calls_go_first_then_the_run_and_never_what_was_changed() {
    let home = Home::new();
    let store = home.open();
    let changed = ran(&store, "1", 0, true, Some(Verdict::Changed)).await;
    let looked = ran(&store, "2", 0, false, Some(Verdict::Healthy)).await;
    let in_doubt = ran(&store, "3", 0, true, Some(Verdict::Unknown)).await;
    let under_way = ran(&store, "4", 0, true, None).await;
    let young = ran(&store, "5", 95, false, Some(Verdict::Healthy)).await;
    let whole = [in_doubt, under_way, young];
    let mut untouched = Vec::new();
    for run in whole {
        untouched.push(events(&store, run).await);
    }

    let progress = compact(&store, keep(90, 730), days(100)).await;

    assert_eq!((progress.compacted, progress.removed), (2, 0));
    for run in [changed, looked] {
        let left = events(&store, run).await;
        assert_eq!(calls(&left), 0);
        assert!(matches!(left[0].body, Body::Requested(_)));
        assert!(left.iter().any(|event| matches!(event.body, Body::Ended { .. })));
        assert!(matches!(left.last().unwrap().body, Body::Finished { .. }));
        assert!(store.run(run).await.unwrap().unwrap().compacted);
    }
    for (run, before) in whole.into_iter().zip(untouched) {
        assert_eq!(events(&store, run).await, before);
    }
    assert!(!store.run(in_doubt).await.unwrap().unwrap().compacted);
    // What is there may still be appended to.
    append(&store, looked, days(100), vec![crate::home::line("seen")]).await;

    let progress = compact(&store, keep(90, 365), days(400)).await;
    assert_eq!(progress.removed, 1, "the others are young, under way, or have records");
    assert!(store.run(looked).await.unwrap().is_none());
    assert_eq!(events(&store, looked).await, []);
    assert!(store.run(changed).await.unwrap().is_some());
    let audit = audit::verify(&home.path(), None, None).unwrap();
    assert_eq!((audit.records, audit.breaks.len()), (3, 0));
    assert_eq!(
        compact(&store, keep(90, 365), days(400)).await.removed,
        0,
        "nothing is left to do"
    );
}

#[tokio::test]
async fn for_ever_is_for_ever_and_a_round_to_conclude_is_kept() {
    let home = Home::new();
    let store = home.open();
    let followed = NewRound {
        has_after: true,
        ..round("1")
    };
    let (round, runs) = open_round(&store, followed).await;
    append(
        &store,
        runs[0],
        days(0),
        [bodies(false), vec![finished(Verdict::Healthy)]].concat(),
    )
    .await;
    let before = events(&store, runs[0]).await;
    let never = Keep {
        calls: None,
        runs: None,
    };
    compact(&store, never, days(10_000)).await;
    compact(&store, keep(1, 1), days(10_000)).await;
    assert_eq!(events(&store, runs[0]).await, before);
    store.conclude(round, vec![], days(10_000)).await.unwrap();
    compact(&store, keep(1, 1), days(20_000)).await;
    assert!(store.run(runs[0]).await.unwrap().is_none());
    assert!(store.after(round).await.unwrap().is_none(), "nor is its round");
}

async fn told_and_unstarted(store: &Store) -> (usize, usize) {
    let told = store.notices(OutboxFilter::default()).await.unwrap();
    let unstarted = store.unstarted(days(-1), days(1_000), 9, Box::new(|_| true));
    (told.len(), unstarted.await.unwrap().len())
}

/// Why something did not run is asked for as long as what ran.
#[tokio::test]
async fn notices_and_what_started_nothing_are_kept_as_long_as_runs() {
    let home = Home::new();
    let store = home.open();
    let run = open(&store, "1", 0).await;
    let notices = ["settled", "waiting"].map(|id| notice(id, "duty")).into();
    let bodies = vec![(days(0), crate::home::line("it gave up"))];
    let told = store.append_all(run, bodies, notices, Durability::Disk);
    told.await.unwrap();
    store.give_up(1, "nobody listens", days(0)).await.unwrap();
    let what = Happening::Attempt {
        run,
        runbook: "disk".into(),
        target: None,
    };
    let unstarted = Unstarted {
        at: days(0),
        what,
        why: "too many strikes".into(),
    };
    store.note(unstarted).await.unwrap();

    compact(&store, keep(90, 730), days(700)).await;
    assert_eq!(told_and_unstarted(&store).await, (2, 1));
    compact(&store, keep(90, 730), days(731)).await;
    assert_eq!(told_and_unstarted(&store).await, (1, 0), "one still waits");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Runs of any age and end: whatever is removed, the rules hold, and the chain is whole.
    #[test]
    fn the_rules_hold_whatever_is_removed(
        runs in prop::collection::vec((0..60_i64, 0..60_i64, 0..5_usize, any::<bool>()), 1..40),
        (kept_calls, kept_runs, now) in (1..40_u64, 1..80_u64, 20..120_i64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let store = home.open();
            let ends = [None, Some(Verdict::Healthy), Some(Verdict::Failed), Some(Verdict::Unknown), Some(Verdict::Changed)];
            let mut all = Vec::new();
            for (n, (asked, took, end, changed)) in runs.iter().enumerate() {
                let run = open(&store, &n.to_string(), *asked).await;
                append(&store, run, days(*asked), bodies(*changed)).await;
                if let Some(verdict) = ends[*end] {
                    append(&store, run, days(asked + took), vec![finished(verdict)]).await;
                }
                all.push((run, events(&store, run).await, ends[*end], *changed, asked + took));
            }
            let records = audit::verify(&home.path(), None, None).unwrap().records;
            let now = days(now);
            compact(&store, keep(kept_calls, kept_runs), now).await;
            for (run, before, end, changed, ended) in all {
                let old = |kept: u64| end.is_some() && days(ended) < now - TimeDelta::seconds((kept * DAY).cast_signed());
                let left = events(&store, run).await;
                let gone = store.run(run).await.unwrap().is_none();
                let in_doubt = end == Some(Verdict::Unknown);
                assert_eq!(gone, old(kept_runs) && !changed && !in_doubt, "{run}");
                if gone {
                    assert_eq!(left, []);
                } else if old(kept_calls) && !in_doubt {
                    assert_eq!(calls(&left), 0);
                } else {
                    assert_eq!(left, before, "{run} is kept whole");
                }
            }
            let audit = audit::verify(&home.path(), None, None).unwrap();
            assert_eq!((audit.records, audit.breaks.len()), (records, 0));
            let listed = store.runs(RunFilter::default()).await.unwrap();
            assert!(listed.len() <= runs.len());
        });
    }
}
