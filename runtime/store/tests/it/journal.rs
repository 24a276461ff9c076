use std::collections::BTreeSet;
use std::sync::Arc;

use evenkeel_engine::port::gates::Ledger as _;
use evenkeel_engine::port::{Durability, Journal as _, NewRound, Noted, Opened, RunFilter, Scheduled};
use evenkeel_engine::schedule::Passed;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Mode, Occurrence, State, Verdict};
use evenkeel_store::Store;

use crate::home::{Home, append, at, finished, line, open_round, open_run, round, target};

#[tokio::test]
async fn events_are_numbered_from_one_without_gaps_and_survive_reopening() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    let other = open_run(&store, "2").await;
    append(&store, run, 1, vec![line("a"), line("b")]).await;
    append(&store, other, 1, vec![line("x")]).await;
    store
        .append(run, at(2), vec![line("c")], Durability::Group)
        .await
        .unwrap();
    drop(store);

    let events = home.open().events(run).await.unwrap().unwrap();
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(matches!(&events[0].body, Body::Requested(request) if request.round == RoundId(1)));
    assert_eq!(
        events[1..].iter().map(|event| &event.body).collect::<Vec<_>>(),
        [&line("a"), &line("b"), &line("c")]
    );
    assert_eq!(events[3].at, at(2));
}

#[tokio::test]
async fn what_was_handed_over_is_seen_by_the_next_read() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    for n in 1..200_u64 {
        store
            .append(run, at(0), vec![line("more")], Durability::Group)
            .await
            .unwrap();
        let events = store.events(run).await.unwrap().unwrap();
        assert_eq!(events.len() as u64, n + 1);
    }
}

#[tokio::test]
async fn events_come_in_pages() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    append(&store, run, 1, (0..10).map(|n| line(&n.to_string())).collect()).await;
    let page = store.events_after(run, 3, 4).await.unwrap();
    assert_eq!(page.iter().map(|event| event.seq).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert!(store.events_after(run, 11, 4).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_occurrence_starts_one_round_however_many_ask_at_once() {
    let home = Home::new();
    let store = Arc::new(home.open());
    let asking: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.open(round(&(n % 4).to_string()), at(0)).await.unwrap() })
        })
        .collect();
    let (mut new, mut known) = (BTreeSet::new(), BTreeSet::new());
    for asked in asking {
        match asked.await.unwrap() {
            Opened::New(round, runs) => {
                assert_eq!(runs.len(), 1);
                assert!(new.insert(round), "{round} was opened twice");
            }
            Opened::Known(round) => {
                known.insert(round);
            }
        }
    }
    assert_eq!(new.len(), 4);
    assert_eq!(new, known);
    assert_eq!(store.runs(RunFilter::default()).await.unwrap().len(), 4);
}

#[tokio::test]
async fn an_occurrence_is_known_after_reopening() {
    let home = Home::new();
    let (first, _) = open_round(&home.open(), round("1")).await;
    assert_eq!(home.open().open(round("1"), at(5)).await.unwrap(), Opened::Known(first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_from_many_tasks_leave_no_gap_and_lose_nothing() {
    let home = Home::new();
    let store = Arc::new(home.open());
    let run = open_run(&store, "1").await;
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    let durability = if n % 5 == 0 {
                        Durability::Disk
                    } else {
                        Durability::Group
                    };
                    let bodies = vec![line(&format!("{task}:{n}"))];
                    store.append(run, at(1), bodies, durability).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let events = store.events(run).await.unwrap().unwrap();
    assert!(events.iter().map(|event| event.seq).eq(1..=401));
    let texts: BTreeSet<String> = events[1..].iter().map(|event| format!("{:?}", event.body)).collect();
    assert_eq!(texts.len(), 400);
}

#[tokio::test]
async fn the_summary_follows_the_events() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    let summary = store.run(run).await.unwrap().unwrap();
    assert_eq!(
        (summary.state, summary.verdict, summary.requested_at),
        (State::Requested, None, at(0))
    );

    let waiting = Body::Waiting {
        gate: "cooldown".into(),
        why: "ran a minute ago".into(),
        until: Some(at(9)),
    };
    append(&store, run, 1, vec![waiting]).await;
    let summary = store.run(run).await.unwrap().unwrap();
    assert_eq!(
        (summary.state, summary.why.as_str()),
        (State::Waiting, "ran a minute ago")
    );

    append(&store, run, 2, vec![Body::Started]).await;
    let summary = store.run(run).await.unwrap().unwrap();
    assert_eq!(
        (summary.state, summary.why.as_str(), summary.started_at),
        (State::Running, "", Some(at(2)))
    );

    append(&store, run, 3, vec![finished(Verdict::Repaired)]).await;
    let summary = store.run(run).await.unwrap().unwrap();
    assert_eq!(
        (summary.state, summary.verdict, summary.changed),
        (State::Finished, Some(Verdict::Repaired), true)
    );
    assert_eq!((summary.why.as_str(), summary.finished_at), ("because", Some(at(3))));
}

#[tokio::test]
async fn unfinished_runs_are_found_again_oldest_first() {
    let home = Home::new();
    let store = home.open();
    let runs = [
        open_run(&store, "1").await,
        open_run(&store, "2").await,
        open_run(&store, "3").await,
    ];
    append(&store, runs[1], 1, vec![Body::Started, finished(Verdict::Healthy)]).await;
    append(&store, runs[2], 1, vec![Body::Started]).await;
    drop(store);
    let unfinished = home.open().unfinished().await.unwrap();
    let unfinished: Vec<_> = unfinished.iter().map(|run| (run.run, run.state)).collect();
    assert_eq!(unfinished, [(runs[0], State::Requested), (runs[2], State::Running)]);
}

/// Runs 1 to 6: two rounds over the assets a, b and c of two customers.
async fn two_rounds(store: &Store) {
    for (request, runbook) in [("1", "disk"), ("2", "cache")] {
        let mut targets = vec![target("a"), target("b"), target("c")];
        targets[2].customer = Some("wood".into());
        open_round(
            store,
            NewRound {
                runbook: runbook.into(),
                targets,
                ..round(request)
            },
        )
        .await;
    }
    append(store, RunId(2), 1, vec![finished(Verdict::Healthy)]).await;
    append(store, RunId(5), 2, vec![finished(Verdict::Repaired)]).await;
}

async fn ids(store: &Store, narrow: impl FnOnce(&mut RunFilter)) -> Vec<u64> {
    let mut filter = RunFilter::default();
    narrow(&mut filter);
    store.runs(filter).await.unwrap().iter().map(|run| run.run.0).collect()
}

#[tokio::test]
async fn runs_are_filtered_and_listed_newest_first() {
    let home = Home::new();
    let store = home.open();
    two_rounds(&store).await;
    assert_eq!(ids(&store, |_| {}).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(&store, |runs| runs.runbook = Some("disk".into())).await, [3, 2, 1]);
    assert_eq!(ids(&store, |runs| runs.target = Some("b".into())).await, [5, 2]);
    assert_eq!(ids(&store, |runs| runs.customer = Some("wood".into())).await, [6, 3]);
    assert_eq!(ids(&store, |runs| runs.verdict = Some(Verdict::Repaired)).await, [5]);
    assert_eq!(ids(&store, |runs| runs.round = Some(RoundId(2))).await, [6, 5, 4]);
    let both = |runs: &mut RunFilter| {
        runs.runbook = Some("cache".into());
        runs.target = Some("a".into());
    };
    assert_eq!(ids(&store, both).await, [4]);
    assert!(
        ids(&store, |runs| runs.runbook = Some("' OR 1".into()))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn runs_come_in_pages() {
    let home = Home::new();
    let store = home.open();
    two_rounds(&store).await;
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = |runs: &mut RunFilter| (runs.before, runs.limit) = (before, 4);
        let page = ids(&store, page).await;
        let Some(last) = page.last() else { break };
        before = Some(RunId(*last));
        seen.extend(page);
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn history_has_finished_runs_of_one_runbook_on_one_target_that_changed_something() {
    let home = Home::new();
    let store = home.open();
    for (request, minute) in [("1", 10), ("2", 20), ("3", 30)] {
        let run = open_run(&store, request).await;
        append(&store, run, minute, vec![finished(Verdict::Repaired)]).await;
    }
    let unchanged = open_run(&store, "5").await;
    append(&store, unchanged, 30, vec![finished(Verdict::Healthy)]).await;
    open_run(&store, "4").await;
    let history = |since| {
        let store = &store;
        async move {
            let found = store.history(&"disk".into(), &"a".into(), at(since)).await.unwrap();
            found.iter().map(|run| run.run.0).collect::<Vec<_>>()
        }
    };
    assert_eq!(history(0).await, [3, 2, 1]);
    assert_eq!(history(20).await, [3, 2]);
    assert!(history(31).await.is_empty());
    assert!(
        store
            .history(&"disk".into(), &"b".into(), at(0))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(store.events(RunId(9)).await.unwrap(), None);
    assert_eq!(store.run(RunId(9)).await.unwrap(), None);
    assert_eq!(store.text("nothing").await.unwrap(), None);
    let lost = store.append(RunId(9), at(0), vec![line("?")], Durability::Disk).await;
    assert_eq!(
        lost.unwrap_err().to_string(),
        "the journal can't be written: there is no run 9"
    );
}

#[tokio::test]
async fn the_text_of_a_runbook_is_kept_once_under_its_hash() {
    let home = Home::new();
    let store = home.open();
    open_run(&store, "1").await;
    open_run(&store, "2").await;
    assert_eq!(store.text("abc").await.unwrap().as_deref(), Some("name = \"disk\""));
}

#[tokio::test]
async fn a_round_for_a_tick_moves_the_last_tick_forward_only() {
    let home = Home::new();
    let store = home.open();
    let tick = |minute| NewRound {
        occurrence: Occurrence::Tick {
            runbook: "disk".into(),
            schedule: "* * * * * UTC".into(),
            at: at(minute),
        },
        mode: Mode::DryRun,
        ..round("")
    };
    let name = "* * * * * UTC";
    let last = || async {
        let known = store.schedules().await.unwrap().into_iter();
        known.map(|known| (known.schedule, known.seen)).collect::<Vec<_>>()
    };
    assert_eq!(last().await, []);
    open_round(&store, tick(5)).await;
    assert_eq!(last().await, [(name.to_owned(), at(5))]);
    open_round(&store, tick(4)).await;
    assert_eq!(last().await, [(name.to_owned(), at(5))]);
    let noted = Noted {
        runbook: "disk".into(),
        schedule: name.into(),
        seen: at(9),
        passed: None,
    };
    store.open_ticks(vec![], vec![noted], at(9)).await.unwrap();
    assert_eq!(last().await, [(name.to_owned(), at(9))]);
}

#[tokio::test]
async fn ticks_their_rounds_and_notes_are_one_transaction() {
    let home = Home::new();
    let store = home.open();
    let tick = |minute, targets: &[&str]| NewRound {
        occurrence: Occurrence::Tick {
            runbook: "disk".into(),
            schedule: "* * * * * UTC".into(),
            at: at(minute),
        },
        targets: targets.iter().map(|id| target(id)).collect(),
        ..round("")
    };
    let passed = Passed {
        from: at(1),
        to: at(3),
        count: 3,
        why: "nobody looked".into(),
    };
    let noted = |seen, passed: Option<&Passed>| Noted {
        runbook: "disk".into(),
        schedule: "* * * * * UTC".into(),
        seen,
        passed: passed.cloned(),
    };
    let rounds = vec![tick(4, &["one", "two"]), tick(5, &["one"])];
    let opened = store.open_ticks(rounds, vec![noted(at(6), Some(&passed))], at(6)).await;
    let opened = opened.unwrap();
    let [Opened::New(first, runs), Opened::New(second, _)] = opened.as_slice() else {
        panic!("both are new: {opened:?}");
    };
    let (first, second) = (*first, *second);
    assert_eq!((runs.len(), store.counts().rounds, store.counts().runs), (2, 2, 3));

    // The same again is known; what was passed over before stays, and a clock may have been set back.
    let again = store
        .open_ticks(vec![tick(5, &["one"])], vec![noted(at(2), None)], at(6))
        .await;
    assert_eq!(again.unwrap(), [Opened::Known(second)]);
    assert_ne!(first, second);
    let known = Scheduled {
        runbook: "disk".into(),
        schedule: "* * * * * UTC".into(),
        seen: at(2),
        last: Some((at(5), second)),
        passed: Some(passed.clone()),
    };
    // A note that can't be written takes the round and the gap with it.
    let other = rusqlite::Connection::open(home.path()).unwrap();
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE UPDATE ON ticks WHEN NEW.at = {} BEGIN SELECT raise(ABORT, 'no'); END",
        at(9).timestamp_micros()
    );
    other.execute_batch(&refuse).unwrap();
    let refused = store
        .open_ticks(vec![tick(8, &["one"])], vec![noted(at(9), Some(&passed))], at(9))
        .await;
    assert!(refused.is_err(), "{refused:?}");
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    drop((store, other));

    let store = home.open();
    assert_eq!(store.schedules().await.unwrap(), [known]);
    assert_eq!(store.runs(RunFilter::default()).await.unwrap().len(), 3);
    let gaps = store.unstarted(at(0), at(9), 9, Box::new(|_| true)).await.unwrap();
    assert_eq!(gaps, [passed.unstarted(&"disk".into(), "* * * * * UTC")]);
}

#[tokio::test]
async fn who_watches_learns_which_run_got_events() {
    let home = Home::new();
    let store = home.open();
    let mut appended = store.appended();
    let run = open_run(&store, "1").await;
    append(&store, run, 1, vec![line("a")]).await;
    assert_eq!(appended.recv().await.unwrap(), run);
}

#[tokio::test]
async fn counts_say_what_was_written() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    append(&store, run, 1, vec![Body::Started, finished(Verdict::Healthy)]).await;
    let counts = store.counts();
    assert_eq!((counts.rounds, counts.runs, counts.events), (1, 1, 3));
    assert_eq!(counts.verdicts.get("healthy"), Some(&1));
}
