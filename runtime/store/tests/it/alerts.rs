use evenkeel_alerting::lifecycle::Manner;
use evenkeel_alerting::port::Memory;
use evenkeel_engine::port::{Alerts, Journal as _, Opened};
use evenkeel_model::alert::{Alert, Change, Edge};
use evenkeel_store::Store;
use futures::FutureExt as _;
use rusqlite::Connection;

use crate::home::{Home, alert, at, resolved, round, target};

async fn accept(store: &Store, alert: Alert, now: i64) -> Vec<Change> {
    let edges = store.accept(vec![alert], at(now)).await.unwrap();
    edges.iter().map(|edge| edge.change).collect()
}

async fn pending(store: &Store) -> Vec<Edge> {
    let pending = store.pending(100).await.unwrap();
    pending.into_iter().map(|(_, edge)| edge).collect()
}

#[tokio::test]
async fn an_alert_fires_once_and_resolves_once_however_often_it_is_sent() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(accept(&store, alert("Disk", 0, 4), 0).await, [Change::Fired]);
    assert_eq!(accept(&store, alert("Disk", 0, 5), 1).await, []);
    assert_eq!(accept(&store, alert("Disk", 0, 6), 2).await, []);
    assert_eq!(accept(&store, resolved("Disk", 0, 3), 3).await, [Change::Resolved]);
    assert_eq!(accept(&store, resolved("Disk", 0, 3), 4).await, []);
    assert_eq!(accept(&store, alert("Disk", 5, 9), 5).await, [Change::Fired]);
}

#[tokio::test]
async fn what_is_known_of_an_alert_survives_reopening() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    drop(store);
    let store = home.open();
    assert_eq!(accept(&store, alert("Disk", 0, 5), 1).await, []);
    assert_eq!(Memory::firing(&store, at(2)).await.unwrap(), [alert("Disk", 0, 5)]);
    assert_eq!(accept(&store, resolved("Disk", 0, 3), 3).await, [Change::Resolved]);
    assert!(Memory::firing(&store, at(3)).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_edge_is_done_with_when_its_rounds_are_there() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    accept(&store, alert("Cpu", 1, 4), 1).await;
    let edges = store.pending(100).await.unwrap();
    let rounds = vec![round("1"), round("2")];
    let opened = store.open_for_edge(edges[0].0, rounds, at(2)).await.unwrap();
    let is_new = |opened: &Opened| matches!(opened, Opened::New(_, runs) if runs.len() == 1);
    assert!(opened.len() == 2 && opened.iter().all(is_new), "{opened:?}");
    drop(store);

    let store = home.open();
    assert_eq!(store.pending(100).await.unwrap(), edges[1..]);
    assert_eq!(store.unfinished().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_edge_stays_if_one_of_its_rounds_can_not_be_written() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    let edges = store.pending(100).await.unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON runs WHEN new.target = 'b' \
                   BEGIN SELECT raise(ABORT, 'on purpose'); END";
    let database = Connection::open(home.path()).unwrap();
    database.execute_batch(trigger).unwrap();
    let mut refused = round("2");
    refused.targets = vec![target("b")];
    let opened = store
        .open_for_edge(edges[0].0, vec![round("1"), refused.clone()], at(2))
        .await;
    assert!(opened.is_err(), "{opened:?}");
    assert_eq!(store.pending(100).await.unwrap(), edges);
    assert!(store.unfinished().await.unwrap().is_empty());
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    let opened = store
        .open_for_edge(edges[0].0, vec![round("1"), refused], at(2))
        .await
        .unwrap();
    assert_eq!(opened.len(), 2);
}

#[tokio::test]
async fn news_are_told_of_edges_alone() {
    let home = Home::new();
    let store = home.open();
    let news = store.news();
    accept(&store, alert("Disk", 0, 4), 0).await;
    assert!(news.notified().now_or_never().is_some());
    accept(&store, alert("Disk", 0, 5), 1).await;
    assert!(news.notified().now_or_never().is_none(), "it fires as before");
    store.expire(at(9)).await.unwrap();
    assert!(news.notified().now_or_never().is_some());
}

#[tokio::test]
async fn pending_edges_survive_reopening_until_they_are_done() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    accept(&store, alert("Cpu", 1, 4), 1).await;
    accept(&store, resolved("Disk", 0, 2), 2).await;
    drop(store);

    let store = home.open();
    let waiting = store.pending(100).await.unwrap();
    let told: Vec<_> = waiting
        .iter()
        .map(|(_, edge)| (edge.alert.name(), edge.change))
        .collect();
    assert_eq!(
        told,
        [
            ("Disk", Change::Fired),
            ("Cpu", Change::Fired),
            ("Disk", Change::Resolved)
        ]
    );
    store.done(waiting[0].0).await.unwrap();
    assert_eq!(store.pending(1).await.unwrap(), waiting[1..2]);
    drop(store);

    let store = home.open();
    assert_eq!(store.pending(100).await.unwrap(), waiting[1..]);
    for (edge, _) in &waiting[1..] {
        store.done(*edge).await.unwrap();
    }
    accept(&store, alert("Net", 3, 7), 3).await;
    let (number, _) = &store.pending(1).await.unwrap()[0];
    assert!(*number > waiting[2].0, "an edge's number came again");
}

#[tokio::test]
async fn customers_with_the_same_labels_never_meet() {
    let home = Home::new();
    let store = home.open();
    let steel = alert("Disk", 0, 9);
    let mut wood = steel.clone();
    wood.identity.customer = "wood".into();
    assert_eq!(accept(&store, steel.clone(), 0).await, [Change::Fired]);
    assert_eq!(accept(&store, wood.clone(), 0).await, [Change::Fired]);
    accept(&store, resolved("Disk", 0, 1), 1).await;
    assert!(!Alerts::firing(&store, &steel.identity, at(2)).await.unwrap());
    assert!(Alerts::firing(&store, &wood.identity, at(2)).await.unwrap());
}

#[tokio::test]
async fn the_latest_text_is_kept() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    let mut later = alert("Disk", 0, 5);
    later.annotations.insert("summary".into(), "99 % full".into());
    later.source = "another".into();
    accept(&store, later.clone(), 1).await;
    assert_eq!(Memory::firing(&store, at(1)).await.unwrap(), [later]);
}

#[tokio::test]
async fn silence_ends_an_alert_once_and_proves_nothing() {
    let home = Home::new();
    let store = home.open();
    store.expire(at(0)).await.unwrap();
    accept(&store, alert("Disk", 0, 1), 0).await;
    assert!(
        store
            .expire(at(1) - chrono::TimeDelta::seconds(1))
            .await
            .unwrap()
            .is_empty()
    );
    let edges = store.expire(at(1)).await.unwrap();
    assert_eq!(edges.len(), 1);
    assert_eq!((edges[0].change, edges[0].alert.resolved), (Change::Expired, false));
    assert!(store.expire(at(2)).await.unwrap().is_empty());
    assert_eq!(pending(&store).await.len(), 2);
}

#[tokio::test]
async fn an_alert_that_comes_back_after_its_silence_is_told_again() {
    let home = Home::new();
    let store = home.open();
    store.expire(at(0)).await.unwrap();
    accept(&store, alert("Disk", 0, 1), 0).await;
    store.expire(at(1)).await.unwrap();
    assert_eq!(accept(&store, alert("Disk", 0, 6), 2).await, [Change::Fired]);
    assert_eq!(pending(&store).await.last().unwrap().alert.starts_at, at(0));
}

#[tokio::test]
async fn time_in_which_nobody_listened_ends_no_alert() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 5), 0).await;
    store.expire(at(1)).await.unwrap();
    drop(store);
    // The daemon was down for an hour; the source has had no chance to say a word.
    let store = home.open();
    assert!(store.expire(at(61)).await.unwrap().is_empty());
    assert_eq!(accept(&store, alert("Disk", 0, 66), 62).await, []);
    // An alert that was heard of meanwhile gets nothing on top.
    let firing = Memory::firing(&store, at(62)).await.unwrap();
    assert_eq!(firing[0].ends_at, at(66));
}

#[tokio::test]
async fn a_resolve_of_what_never_fired_is_kept_and_is_no_edge() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(accept(&store, resolved("Disk", 0, 1), 1).await, []);
    assert_eq!(accept(&store, resolved("Disk", 0, 1), 2).await, []);
    assert!(pending(&store).await.is_empty());
}

#[tokio::test]
async fn edges_of_one_firing_carry_one_start_although_a_pair_disagrees() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 2, 9), 3).await;
    assert_eq!(accept(&store, alert("Disk", 1, 9), 3).await, []);
    assert_eq!(Memory::firing(&store, at(3)).await.unwrap()[0].starts_at, at(1));
    accept(&store, resolved("Disk", 1, 4), 4).await;
    let starts: Vec<_> = pending(&store).await.iter().map(|edge| edge.alert.starts_at).collect();
    assert_eq!(starts, [at(2), at(2)]);
}

#[tokio::test]
async fn a_firing_told_by_an_alertmanager_ends_the_one_before() {
    let home = Home::new();
    let store = home.open();
    let tell = |alert, now| store.accept_as(Manner::Tells, vec![alert], at(now));
    tell(alert("Disk", 0, 9_000), 0).await.unwrap();
    let edges = tell(alert("Disk", 60, 9_000), 60).await.unwrap();
    let told: Vec<_> = edges.iter().map(|edge| (edge.change, edge.alert.starts_at)).collect();
    assert_eq!(told, [(Change::Expired, at(0)), (Change::Fired, at(60))]);
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("Disk", 0, 4), 0).await;
    accept(&store, resolved("Disk", 0, 2), 2).await;
    accept(&store, resolved("Cpu", 0, 2), 2).await;
    let days = |days: i64| at(days * 24 * 60);
    store.expire(days(4)).await.unwrap();
    assert_eq!(rows(&home), 2);
    store.expire(days(6)).await.unwrap();
    assert_eq!(rows(&home), 0);
}

fn rows(home: &Home) -> i64 {
    let database = rusqlite::Connection::open(home.path()).unwrap();
    database
        .query_row("SELECT count(*) FROM alerts", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn firing_alerts_are_listed_oldest_first_with_when_they_were_heard_of() {
    let home = Home::new();
    let store = home.open();
    accept(&store, alert("New", 3, 9), 3).await;
    accept(&store, alert("Old", 1, 9), 4).await;
    let heard = store.heard(at(5)).await.unwrap();
    let heard: Vec<_> = heard.iter().map(|heard| (heard.alert.name(), heard.at)).collect();
    assert_eq!(heard, [("Old", at(4)), ("New", at(3))]);
}
