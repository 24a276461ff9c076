//! Notices come in with their events, and each try is kept.

use evenkeel_engine::port::outbox::{
    NewNotice, Next, NoticeState, Outbox as _, OutboxFilter, Posted, Tried, TryOutcome,
};
use evenkeel_engine::port::{Durability, Journal as _};
use evenkeel_model::invocation::{Notice, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::notify::Topic;
use evenkeel_store::Store;

use crate::home::{Home, at, line, open_run};

pub fn notice(id: &str, notifier: &str) -> NewNotice {
    NewNotice {
        notifier: notifier.to_owned(),
        topic: Topic::Escalation,
        notice: Notice {
            id: id.to_owned(),
            severity: Severity::Critical,
            title: "a title".to_owned(),
            text: "a text".to_owned(),
            labels: [("run".to_owned(), "1".to_owned())].into(),
            link: None,
            details: None,
        },
    }
}

async fn tell(store: &Store, run: RunId, notices: Vec<NewNotice>) -> bool {
    let bodies = vec![(at(1), line("it gave up"))];
    let told = store.append_all(run, bodies, notices, Durability::Disk);
    told.await.is_ok()
}

fn tried(outcome: TryOutcome) -> Tried {
    Tried {
        outcome,
        message: "so it was".to_owned(),
        took_ms: 12,
        calls: vec!["http POST hook:/".to_owned()],
    }
}

async fn all(store: &Store) -> Vec<Posted> {
    store.notices(OutboxFilter::default()).await.unwrap()
}

#[tokio::test]
async fn a_notice_is_there_with_its_event_or_neither_is() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    assert!(tell(&store, run, vec![notice("a", "duty"), notice("b", "log")]).await);
    assert!(
        !tell(&store, RunId(99), vec![notice("c", "duty")]).await,
        "there is no such run"
    );
    drop(store);
    let store = home.open();
    let ids: Vec<String> = all(&store).await.into_iter().map(|posted| posted.notice.id).collect();
    assert_eq!(ids, ["b", "a"]);
    assert_eq!(store.events(run).await.unwrap().unwrap().len(), 2);
    assert_eq!(all(&store).await[1].notice, notice("a", "duty").notice);
}

#[tokio::test]
async fn the_same_notice_is_kept_once() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    assert!(tell(&store, run, vec![notice("a", "duty")]).await);
    assert!(tell(&store, run, vec![notice("a", "duty")]).await);
    assert_eq!(all(&store).await.len(), 1);
}

#[tokio::test]
async fn each_notifier_has_its_oldest_notice_first() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    let notices = vec![notice("a", "duty"), notice("b", "log"), notice("c", "duty")];
    assert!(tell(&store, run, notices).await);
    let heads = async || {
        let heads = store.heads().await.unwrap().into_iter();
        heads.map(|posted| posted.notice.id).collect::<Vec<_>>()
    };
    assert_eq!(heads().await, ["a", "b"]);
    store.begin(1, 0, at(2), at(3)).await.unwrap();
    store
        .end(1, tried(TryOutcome::Transient), Next::Again(at(9)), at(2))
        .await
        .unwrap();
    assert_eq!(heads().await, ["a", "b"], "it keeps its place");
    store.begin(1, 0, at(9), at(10)).await.unwrap();
    store
        .end(1, tried(TryOutcome::Delivered), Next::Delivered, at(9))
        .await
        .unwrap();
    assert_eq!(heads().await, ["b", "c"]);
    store.give_up(2, "enough", at(10)).await.unwrap();
    assert_eq!(heads().await, ["c"]);
    let given_up = OutboxFilter {
        state: Some(NoticeState::GivenUp),
        ..OutboxFilter::default()
    };
    let given_up = store.notices(given_up).await.unwrap();
    assert_eq!((given_up.len(), given_up[0].why.as_str()), (1, "enough"));
    let counts = store.counts();
    assert_eq!(
        (counts.notices, counts.tries, counts.delivered, counts.given_up),
        (3, 2, 1, 1)
    );
}

#[tokio::test]
async fn each_try_is_kept_and_one_without_an_end_was_interrupted() {
    let home = Home::new();
    let store = home.open();
    let run = open_run(&store, "1").await;
    assert!(tell(&store, run, vec![notice("a", "duty")]).await);
    store.begin(1, 0, at(2), at(4)).await.unwrap();
    assert_eq!(all(&store).await[0].next_at, at(4));
    drop(store);
    let store = home.open();
    store.begin(1, 0, at(5), at(7)).await.unwrap();
    store
        .end(1, tried(TryOutcome::Delivered), Next::Delivered, at(6))
        .await
        .unwrap();
    let posted = all(&store).await.remove(0);
    let tries: Vec<_> = posted
        .tries
        .iter()
        .map(|tried| (tried.n, tried.at, tried.outcome))
        .collect();
    assert_eq!(
        tries,
        [
            (1, at(2), Some(TryOutcome::Interrupted)),
            (2, at(5), Some(TryOutcome::Delivered))
        ]
    );
    assert_eq!((posted.state, posted.settled_at), (NoticeState::Delivered, Some(at(6))));
    assert_eq!(posted.tries[1].calls, ["http POST hook:/"]);
    assert_eq!(store.tries_since("duty", at(3)).await.unwrap(), [at(5)]);
    assert!(store.tries_since("log", at(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_tells_the_same_is_settled_together_and_nothing_else_is() {
    let home = Home::new();
    let store = home.open();
    for (request, id, notifier) in [
        ("1", "a", "duty"),
        ("2", "b", "duty"),
        ("3", "c", "log"),
        ("4", "d", "duty"),
        ("5", "e", "duty"),
    ] {
        let run = open_run(&store, request).await;
        let mut new = notice(id, notifier);
        if id == "d" {
            new.topic = Topic::Approval;
        }
        assert!(tell(&store, run, vec![new]).await);
    }
    let alike = store.alike(1, u64::MAX, 1).await.unwrap();
    assert_eq!((alike.count, alike.last), (2, 5));
    assert_eq!(alike.first[0].notice.id, "b");
    // One that comes in after that is not in what was told.
    let run = open_run(&store, "6").await;
    assert!(tell(&store, run, vec![notice("f", "duty")]).await);
    store.begin(1, 5, at(2), at(4)).await.unwrap();
    let failed = store.end(1, tried(TryOutcome::Transient), Next::Again(at(9)), at(3));
    failed.await.unwrap();
    assert_eq!(store.alike(1, u64::MAX, 1).await.unwrap().count, 3, "nothing is out");
    let head = store.heads().await.unwrap().remove(0);
    assert_eq!(head.told_to, Some(5));
    assert_eq!(
        store.alike(1, 5, 9).await.unwrap().count,
        2,
        "the next try tells the same"
    );
    store.begin(1, 9, at(9), at(10)).await.unwrap();
    let delivered = store.end(1, tried(TryOutcome::Delivered), Next::Delivered, at(9));
    delivered.await.unwrap();
    let all = all(&store).await;
    let waiting = all.iter().filter(|posted| posted.state == NoticeState::Waiting);
    let mut waiting: Vec<&str> = waiting.map(|posted| posted.notice.id.as_str()).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, ["c", "d", "f"]);
    let b = all.iter().find(|posted| posted.notice.id == "b").unwrap();
    assert_eq!((b.why.as_str(), b.settled_at), ("told with notice 1", Some(at(9))));
    assert_eq!(store.counts().delivered, 3);
}
