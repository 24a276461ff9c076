use evenkeel_engine::port::{Durability, Journal as _};
use evenkeel_model::action::{Action, Applied, PlanHash, Risk};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::change::{ChangeFilter, ChangeOutcome};
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Class, Failure, Key, Outcome, Output, Phase, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::seal::Seal;
use evenkeel_store::audit::{Audit, verify};
use evenkeel_store::{Options, Store};
use rusqlite::Connection;
use serde_json::Value;

use crate::home::{Home, append, at, open_run};

const SUBJECT: &str = "/var/cache/secret-customer";

fn seal() -> Seal {
    Seal::new(&[7; 32], [1; 16])
}

fn open(home: &Home, sealed: bool) -> Store {
    let options = Options {
        seal: sealed.then(seal),
        ..Options::default()
    };
    Store::open(&home.path(), options).unwrap()
}

fn key(phase: Phase) -> Key {
    Key {
        step: "clean".into(),
        phase,
        action: Some("a1".into()),
        attempt: 1,
    }
}

fn plan() -> Body {
    let actions = vec![Action {
        id: "a1".into(),
        summary: "deletes old files".into(),
        risk: Risk::Low,
        effects: Vec::new(),
        undo: Some("puts them back".into()),
        undo_effects: Vec::new(),
        body: Value::Null,
    }];
    Body::Planned {
        step: "clean".into(),
        hash: PlanHash::of(&actions),
        risk: Risk::Low,
        actions,
    }
}

fn approved(who: &str) -> Body {
    Body::Approved {
        step: "clean".into(),
        binding: "b".into(),
        who: who.into(),
        why: String::new(),
        enough: true,
    }
}

fn intended(phase: Phase, n: u32) -> Body {
    Body::Intended {
        key: key(phase),
        n,
        call: Call {
            capability: Capability::Files,
            operation: "delete".into(),
            subject: SUBJECT.into(),
            request: Value::String("never shown".into()),
            content: None,
            effect: true,
            repeatable: false,
        },
    }
}

fn applied(changed: bool) -> Body {
    let applied = Applied {
        changed,
        summary: String::new(),
        output: None,
        undo: None,
    };
    ended(Phase::Apply, Outcome::Done(Output::Applied(applied)))
}

fn ended(phase: Phase, outcome: Outcome) -> Body {
    Body::Ended {
        key: key(phase),
        outcome,
    }
}

fn failed() -> Body {
    ended(
        Phase::Apply,
        Outcome::Failed(Failure {
            class: Class::Permanent,
            code: "no".into(),
            message: "no".into(),
            details: None,
        }),
    )
}

fn finished(verdict: Verdict) -> Body {
    Body::Finished {
        verdict,
        why: String::new(),
        changed: false,
    }
}

fn called(answer: Answer) -> Body {
    Body::Called {
        key: key(Phase::Apply),
        n: 0,
        call: None,
        answer,
        took_ms: 0,
    }
}

async fn outcomes(bodies: Vec<Body>) -> Vec<ChangeOutcome> {
    let home = Home::new();
    let store = open(&home, true);
    let run = open_run(&store, "r").await;
    append(&store, run, 1, vec![plan()]).await;
    append(&store, run, 2, bodies).await;
    let changes = store.changes(ChangeFilter::default()).await.unwrap();
    changes.iter().map(|change| change.change.outcome).collect()
}

#[tokio::test]
async fn what_touched_the_world_is_recorded_and_nothing_else() {
    assert_eq!(outcomes(vec![applied(true)]).await, [ChangeOutcome::Changed]);
    assert_eq!(outcomes(vec![applied(false), finished(Verdict::Healthy)]).await, []);
    assert_eq!(
        outcomes(vec![intended(Phase::Apply, 0), applied(false)]).await,
        [ChangeOutcome::Unchanged],
        "whatever the plugin says of itself"
    );
    assert_eq!(outcomes(vec![failed()]).await, []);
    let made = || called(Answer::Ok(Value::Null));
    assert_eq!(
        outcomes(vec![
            intended(Phase::Apply, 0),
            made(),
            failed(),
            finished(Verdict::Failed)
        ])
        .await,
        [ChangeOutcome::Failed]
    );
    let denied = called(Answer::Denied("no".into()));
    assert_eq!(outcomes(vec![intended(Phase::Apply, 0), denied, failed()]).await, []);
    assert_eq!(
        outcomes(vec![
            intended(Phase::Apply, 0),
            finished(Verdict::Unknown),
            finished(Verdict::Unknown)
        ])
        .await,
        [ChangeOutcome::Unknown],
        "once, however often the run ends"
    );
}

/// Where the run is `unknown`, the record is.
#[tokio::test]
async fn what_nobody_knows_is_recorded_as_that() {
    let open = |open| {
        called(Answer::Err {
            error: "timed-out".into(),
            message: String::new(),
            open,
        })
    };
    let diverged = ended(
        Phase::Apply,
        Outcome::Stopped {
            stop: Stop::Diverged,
            message: String::new(),
        },
    );
    let begun = |then: Vec<Body>| [vec![intended(Phase::Apply, 0)], then, vec![finished(Verdict::Unknown)]].concat();
    let unknown = [ChangeOutcome::Unknown];
    assert_eq!(outcomes(begun(vec![failed()])).await, unknown, "it was not answered");
    assert_eq!(outcomes(begun(vec![open(true), failed()])).await, unknown);
    assert_eq!(
        outcomes(begun(vec![called(Answer::Ok(Value::Null)), diverged])).await,
        unknown
    );
    assert_eq!(
        outcomes(begun(vec![open(false), failed()])).await,
        [ChangeOutcome::Failed]
    );
}

async fn three(home: &Home, sealed: bool) -> RunId {
    let store = open(home, sealed);
    let run = open_run(&store, "r").await;
    let bodies = vec![plan(), approved("ben"), intended(Phase::Apply, 0), applied(true)];
    append(&store, run, 1, bodies).await;
    append(&store, run, 2, vec![applied(true)]).await;
    append(
        &store,
        run,
        3,
        vec![ended(Phase::Rollback, Outcome::Done(Output::RolledBack))],
    )
    .await;
    run
}

#[tokio::test]
async fn a_record_tells_who_when_what_and_whether_it_was_undone() {
    let home = Home::new();
    let run = three(&home, true).await;
    let store = open(&home, true);
    let changes = store.changes(ChangeFilter::default()).await.unwrap();
    let [back, _, first] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!((first.seq, first.change.run, first.change.at), (1, run, at(1)));
    assert_eq!(first.change.approved_by, ["ben"]);
    assert_eq!(first.change.summary, "deletes old files");
    assert_eq!(
        (first.change.effects[0].subject.as_str(), first.change.effects[0].times),
        (SUBJECT, 1)
    );
    assert!(first.undone && !back.undone && back.change.undo);
    assert_eq!(back.change.summary, "puts them back");
    let none = ChangeFilter {
        customer: Some("other".into()),
        ..ChangeFilter::default()
    };
    assert_eq!(store.changes(none).await.unwrap(), []);
    drop(store);
    let bytes = std::fs::read(home.path()).unwrap();
    assert!(!bytes.windows(SUBJECT.len()).any(|part| part == SUBJECT.as_bytes()));
}

/// What the audit says of three records after `sql` was done to the file.
async fn after(sql: &str, sealed: bool, head: Option<&str>) -> Audit {
    let home = Home::new();
    three(&home, sealed).await;
    let whole = verify(&home.path(), sealed.then(seal).as_ref(), None).unwrap();
    assert_eq!((whole.records, whole.breaks.as_slice()), (3, [].as_slice()));
    let whole = whole.head.unwrap();
    Connection::open(home.path()).unwrap().execute_batch(sql).unwrap();
    let head = head.map(|head| if head == "kept" { whole.as_str() } else { head });
    verify(&home.path(), sealed.then(seal).as_ref(), head).unwrap()
}

#[tokio::test]
async fn whatever_is_done_to_the_records_is_found() {
    let swap = "UPDATE changes SET seq = 9 WHERE seq = 1; UPDATE changes SET seq = 1 WHERE seq = 2; \
                UPDATE changes SET seq = 2 WHERE seq = 9";
    let edits = [
        ("UPDATE changes SET target = 'b' WHERE seq = 1", 1),
        ("UPDATE changes SET customer = NULL WHERE seq = 2", 2),
        ("UPDATE changes SET runbook = 'x' WHERE seq = 3", 3),
        ("UPDATE changes SET body = body || ' ' WHERE seq = 2", 2),
        ("UPDATE changes SET prev = '' WHERE seq = 2", 2),
        ("UPDATE changes SET hash = 'ab' WHERE seq = 3", 3),
        ("DELETE FROM changes WHERE seq = 2", 3),
        ("DELETE FROM changes WHERE seq = 1", 2),
        (swap, 1),
    ];
    for sealed in [true, false] {
        for (sql, seq) in edits {
            let audit = after(sql, sealed, None).await;
            assert_eq!(audit.breaks.first().map(|at| at.seq), Some(seq), "{sql}: {audit:?}");
        }
    }
    for sql in [
        "UPDATE changes SET sealed = x'01' WHERE seq = 2",
        "UPDATE changes SET mac = NULL WHERE seq = 2",
    ] {
        assert_eq!(after(sql, true, None).await.breaks[0].seq, 2, "{sql}");
    }
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed_by_the_head_that_was_kept() {
    let cut = "DELETE FROM changes WHERE seq = 3";
    assert_eq!(after(cut, true, None).await.breaks, []);
    assert_eq!(after(cut, true, Some("kept")).await.breaks.len(), 1);
    assert_eq!(after("SELECT 1", true, Some("kept")).await.breaks, []);
    assert_eq!(after("DELETE FROM changes", true, Some("kept")).await.breaks.len(), 1);
}

/// Who can write the file, and has not the key, can compute hashes.
#[tokio::test]
async fn a_chain_computed_anew_without_the_key_is_found() {
    let home = Home::new();
    three(&home, true).await;
    let other = Home::new();
    three(&other, false).await;
    let sql = format!(
        "ATTACH '{}' AS other; DELETE FROM changes; INSERT INTO changes SELECT * FROM other.changes",
        other.path().display()
    );
    Connection::open(home.path()).unwrap().execute_batch(&sql).unwrap();
    assert_eq!(verify(&home.path(), None, None).unwrap().breaks, [], "it is a chain");
    let audit = verify(&home.path(), Some(&seal()), None).unwrap();
    assert_eq!(audit.breaks.len(), 3, "{audit:?}");
}

#[tokio::test]
async fn a_lost_event_leaves_no_record() {
    let home = Home::new();
    let store = open(&home, true);
    let nobody = RunId(99);
    let lost = store.append(nobody, at(1), vec![applied(true)], Durability::Disk).await;
    assert!(lost.is_err());
    assert_eq!(store.changes(ChangeFilter::default()).await.unwrap(), []);
}
