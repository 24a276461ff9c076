//! Rounds that something comes after.

use evenkeel_engine::port::{After, Journal as _, NewRound, Opened};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Ended, Occurrence, Over, Verdict};

use crate::home::{Home, append, at, finished, open_round, round};

fn after(of: RoundId, over: Over) -> NewRound {
    let looked_at = Ended {
        run: RunId(1),
        target: Some("a".into()),
        customer: Some("steel".into()),
        verdict: Verdict::Healthy,
        changed: false,
        why: String::new(),
        steps: Default::default(),
    };
    let mut new = round("not used");
    new.occurrence = Occurrence::After {
        runbook: "disk".into(),
        round: of,
        over,
        above: vec![],
    };
    new.targets[0].runs = vec![looked_at];
    new
}

#[tokio::test]
async fn a_round_is_concluded_once_when_all_of_its_runs_have_ended() {
    let home = Home::new();
    let store = home.open();
    let (plain, _) = open_round(&store, round("1")).await;
    let followed = NewRound {
        has_after: true,
        ..round("2")
    };
    let (id, runs) = open_round(&store, followed).await;
    assert_eq!(store.after(plain).await.unwrap(), Some(After::default()));
    let pending = After {
        pending: true,
        runs: vec![],
    };
    assert_eq!(store.after(id).await.unwrap(), Some(pending));
    assert!(store.to_conclude().await.unwrap().is_empty(), "its run has not ended");
    append(&store, runs[0], 1, vec![finished(Verdict::Repaired)]).await;
    assert_eq!(store.to_conclude().await.unwrap(), [id]);

    let rounds = vec![after(id, Over::Round), after(id, Over::Customer)];
    let opened = store.conclude(id, rounds.clone(), at(2)).await.unwrap();

    let [Opened::New(_, first), Opened::New(_, second)] = &opened[..] else {
        panic!("{opened:?}");
    };
    let looks = After {
        pending: false,
        runs: [&first[..], second].concat(),
    };
    assert_eq!(store.after(id).await.unwrap(), Some(looks));
    assert!(store.to_conclude().await.unwrap().is_empty());
    let again = store.conclude(id, rounds, at(3)).await.unwrap();
    assert!(matches!(&again[..], [Opened::Known(_), Opened::Known(_)]), "{again:?}");
    assert_eq!(store.after(RoundId(99)).await.unwrap(), None);

    // What it looks at is no history of the target.
    append(&store, first[0], 4, vec![finished(Verdict::Repaired)]).await;
    let history = store.history(&"disk".into(), &"a".into(), at(0)).await.unwrap();
    assert_eq!(history.iter().map(|run| run.run).collect::<Vec<_>>(), [runs[0]]);
    let events = store.events(first[0]).await.unwrap().unwrap();
    assert!(matches!(&events[0].body, Body::Requested(request) if request.runs.len() == 1));
}

fn below(root: u64, run: u64, step: &str) -> NewRound {
    let above = if root == run {
        vec![RunId(root)]
    } else {
        vec![RunId(root), RunId(run)]
    };
    let mut new = round("not used");
    new.occurrence = Occurrence::Step {
        runbook: "disk".into(),
        run: RunId(run),
        step: step.into(),
        item: Some(3),
        above,
    };
    new
}

#[tokio::test]
async fn a_run_below_another_is_opened_once_and_counted_for_the_first_above() {
    let home = Home::new();
    let store = home.open();
    open_round(&store, round("1")).await;
    let count = async |root: u64| store.below(RunId(root)).await.unwrap();
    assert_eq!(count(1).await, 0);
    let (round, _) = open_round(&store, below(1, 1, "a")).await;
    assert_eq!(store.open(below(1, 1, "a"), at(5)).await.unwrap(), Opened::Known(round));
    open_round(&store, below(1, 2, "a")).await;
    open_round(&store, below(12, 12, "a")).await;
    assert_eq!((count(1).await, count(12).await, count(2).await), (2, 1, 0));
    assert_eq!(store.round_of(&below(1, 1, "a").occurrence).await.unwrap(), Some(round));
    assert_eq!(store.round_of(&below(1, 1, "b").occurrence).await.unwrap(), None);
}
