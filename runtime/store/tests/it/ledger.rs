//! What is kept beside the journal: pauses, silences, strikes, attempts, and what started nothing.

use evenkeel_engine::port::gates::{Happening, Ledger as _, Unstarted};
use evenkeel_engine::port::{Journal as _, Noted, RunFilter};
use evenkeel_engine::schedule::Passed;
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Mode, Verdict};

use crate::home::{Home, append, at, finished, open_round, open_run, round};

fn pause(scope: Scope, until: Option<i64>) -> Wish {
    Wish {
        what: What::Pause(scope),
        why: "the move".to_owned(),
        who: "ann".to_owned(),
        until: until.map(at),
    }
}

#[tokio::test]
async fn what_is_held_back_stands_over_a_restart_until_its_end_or_until_it_is_released() {
    let home = Home::new();
    let store = home.open();
    let all = store.hold(pause(Scope::All, Some(60)), at(0)).await.unwrap();
    let steel = store
        .hold(pause(Scope::Customer("steel".into()), None), at(1))
        .await
        .unwrap();
    drop(store);
    let store = home.open();
    assert_eq!(store.holds(at(5)).await.unwrap(), [all.clone(), steel.clone()]);
    assert_eq!(
        store.holds(at(60)).await.unwrap(),
        std::slice::from_ref(&steel),
        "its time is over"
    );

    let released = store
        .release(vec![all.id, steel.id, 99], "bob".to_owned(), at(70))
        .await
        .unwrap();
    assert_eq!(
        released.len(),
        1,
        "the other was over by itself, and the third never was"
    );
    assert_eq!(released[0].ended.as_ref().unwrap().who, "bob");
    assert!(store.holds(at(70)).await.unwrap().is_empty());
    assert_eq!(
        store.holds(at(50)).await.unwrap().len(),
        2,
        "the record still tells of both"
    );
    assert!(
        store
            .release(vec![steel.id], "bob".to_owned(), at(80))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_record_has_the_outcomes_since_strikes_were_cleared_the_newest_first() {
    let home = Home::new();
    let store = home.open();
    let verdicts = [
        Verdict::Repaired,
        Verdict::Failed,
        Verdict::Rejected,
        Verdict::NotRepaired,
        Verdict::Cancelled,
    ];
    for (minute, verdict) in (10..).zip(verdicts) {
        let run = open_run(&store, &minute.to_string()).await;
        append(&store, run, minute, vec![finished(verdict)]).await;
    }
    let mut dry = round("dry");
    dry.mode = Mode::DryRun;
    let run = open_round(&store, dry).await.1[0];
    append(&store, run, 20, vec![finished(Verdict::Failed)]).await;
    let (disk, a) = ("disk".into(), "a".into());
    let verdicts = |record: evenkeel_engine::port::gates::Record| -> Vec<Verdict> {
        record.outcomes.iter().filter_map(|run| run.verdict).collect()
    };
    let record = store.record(&disk, &a, 9).await.unwrap();
    assert_eq!(record.told_at, None);
    assert_eq!(
        verdicts(record),
        [Verdict::NotRepaired, Verdict::Failed, Verdict::Repaired]
    );
    assert_eq!(verdicts(store.record(&disk, &a, 2).await.unwrap()).len(), 2);
    assert!(store.record(&disk, &"b".into(), 9).await.unwrap().outcomes.is_empty());

    store.told(&disk, &a, at(14)).await.unwrap();
    assert_eq!(store.record(&disk, &a, 9).await.unwrap().told_at, Some(at(14)));
    store.clear_strikes(&disk, &a, "ann", at(13)).await.unwrap();
    let record = store.record(&disk, &a, 9).await.unwrap();
    assert!(record.outcomes.is_empty() && record.told_at.is_none());
}

#[tokio::test]
async fn runs_that_failed_are_to_be_followed_until_that_is_done() {
    let home = Home::new();
    let store = home.open();
    for (request, verdict) in [
        ("1", Verdict::Failed),
        ("2", Verdict::Repaired),
        ("3", Verdict::NotRepaired),
    ] {
        let run = open_run(&store, request).await;
        append(&store, run, 1, vec![finished(verdict)]).await;
    }
    open_run(&store, "4").await;
    assert_eq!(store.to_follow(9).await.unwrap(), [RunId(1), RunId(3)]);
    assert_eq!(store.to_follow(1).await.unwrap(), [RunId(1)]);
    store.followed(RunId(1)).await.unwrap();
    drop(store);
    assert_eq!(home.open().to_follow(9).await.unwrap(), [RunId(3)]);
}

#[tokio::test]
async fn what_started_nothing_is_found_by_its_time() {
    let home = Home::new();
    let store = home.open();
    let ticks = |minute| Unstarted {
        at: at(minute),
        what: Happening::Ticks {
            runbook: "disk".into(),
            schedule: "* * * * * UTC".to_owned(),
            first: at(minute),
            last: at(minute),
        },
        why: "nobody looked".to_owned(),
    };
    for minute in 0..5 {
        store.note(ticks(minute)).await.unwrap();
    }
    let found = store
        .unstarted(at(1), at(3), 9, Box::new(|one| one.at != at(2)))
        .await
        .unwrap();
    assert_eq!(found, [ticks(3), ticks(1)]);
    assert_eq!(
        store.unstarted(at(0), at(9), 1, Box::new(|_| true)).await.unwrap(),
        [ticks(4)]
    );
}

/// The next gap of a schedule takes nothing from the one before.
#[tokio::test]
async fn every_gap_of_a_schedule_stays_in_the_record_and_is_found_by_each_of_its_hours() {
    let home = Home::new();
    let store = home.open();
    let gap = |from, to| Passed {
        from: at(from),
        to: at(to),
        count: 9,
        why: "no daemon kept the schedules then".to_owned(),
    };
    let noted = |passed: &Passed| Noted {
        runbook: "disk".into(),
        schedule: "* * * * * UTC".to_owned(),
        seen: passed.to,
        passed: Some(passed.clone()),
    };
    let (first, second) = (gap(10, 290), gap(310, 390));
    for gap in [&first, &second] {
        store.open_ticks(vec![], vec![noted(gap)], gap.to).await.unwrap();
    }
    drop(store);
    let store = home.open();
    assert_eq!(store.schedules().await.unwrap()[0].passed, Some(second.clone()));
    let [first, second] = [first, second].map(|gap| gap.unstarted(&"disk".into(), "* * * * * UTC"));
    let cases = [
        (0, 600, vec![&second, &first]),
        (60, 120, vec![&first]),
        (290, 309, vec![&first]),
        (291, 309, vec![]),
        (0, 9, vec![]),
        (300, 310, vec![&second]),
    ];
    for (from, to, expected) in cases {
        let found = store.unstarted(at(from), at(to), 9, Box::new(|_| true));
        assert_eq!(
            found.await.unwrap().iter().collect::<Vec<_>>(),
            expected,
            "{from} to {to}"
        );
    }
}

#[tokio::test]
async fn runs_of_a_time_are_those_that_were_not_over_before_it() {
    let home = Home::new();
    let store = home.open();
    let over = open_run(&store, "1").await;
    append(&store, over, 5, vec![finished(Verdict::Healthy)]).await;
    let waits = open_run(&store, "2").await;
    let filter = |from, to| RunFilter {
        from: Some(at(from)),
        to: Some(at(to)),
        ..RunFilter::default()
    };
    let found = |filter| async {
        store
            .runs(filter)
            .await
            .unwrap()
            .iter()
            .map(|run| run.run)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(filter(5, 9)).await, [waits, over]);
    assert_eq!(found(filter(6, 9)).await, [waits]);
    assert!(found(filter(-9, -1)).await.is_empty());
}

/// The gates ask this of every run: it must not look at all that ever was.
#[tokio::test]
async fn what_gates_ask_for_is_found_by_an_index() {
    let home = Home::new();
    drop(home.open());
    let database = rusqlite::Connection::open(home.path()).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let place = "runbook = 'disk' AND target = 'a'";
    let cases = [
        (
            format!(
                "SELECT id FROM runs WHERE {place} AND finished_at >= 5 AND changed = 1 AND mode = 'live' \
                 ORDER BY finished_at DESC, id DESC LIMIT 1000"
            ),
            "runs_that_changed (runbook=? AND target=? AND finished_at>?)",
        ),
        (
            format!(
                "SELECT id FROM runs WHERE {place} AND finished_at > 5 AND mode = 'live' AND verdict IN \
                 ('failed', 'not-repaired', 'changed', 'repaired', 'healthy') \
                 ORDER BY finished_at DESC, id DESC LIMIT 3"
            ),
            "runs_with_outcome (runbook=? AND target=? AND finished_at>?)",
        ),
        (
            "SELECT id FROM runs INDEXED BY runs_to_follow WHERE followed = 0 AND verdict IN \
             ('failed', 'not-repaired') ORDER BY id LIMIT 9"
                .to_owned(),
            "runs_to_follow",
        ),
    ];
    for (sql, index) in cases {
        let plan = plan(&sql);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
