//! A new version opens what any older one wrote.

use evenkeel_alerting::port::Memory as _;
use evenkeel_engine::port::gates::{Happening, Ledger as _};
use evenkeel_engine::port::memory::{Memory as _, Owner};
use evenkeel_engine::port::outbox::{NoticeState, Outbox as _, OutboxFilter};
use evenkeel_engine::port::{Journal as _, RunFilter};
use evenkeel_engine::run::Run;
use evenkeel_model::change::{ChangeFilter, ChangeOutcome};
use evenkeel_model::hold::{Scope, What};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::seal::Seal;
use evenkeel_store::{Options, Store, audit};
use rusqlite::Connection;

use crate::home::{Home, append, at, finished, line};

/// The steps of the schema, as they were released, each in its file.
const STEPS: [&str; 10] = [
    include_str!("../../src/migrations/0001_journal_and_alerts.sql"),
    include_str!("../../src/migrations/0002_memory_of_plugins.sql"),
    include_str!("../../src/migrations/0003_sealed_events.sql"),
    include_str!("../../src/migrations/0004_schedules.sql"),
    include_str!("../../src/migrations/0005_gates.sql"),
    include_str!("../../src/migrations/0006_changes.sql"),
    include_str!("../../src/migrations/0007_outbox.sql"),
    include_str!("../../src/migrations/0008_after.sql"),
    include_str!("../../src/migrations/0009_compaction.sql"),
    include_str!("../../src/migrations/0010_runs_below.sql"),
];

/// What the version of a step wrote beside that, once there was a place for it.
const ROWS: [(usize, &str); 8] = [
    (2, include_str!("upgrade/0002.sql")),
    (3, include_str!("upgrade/0003.sql")),
    (4, include_str!("upgrade/0004.sql")),
    (5, include_str!("upgrade/0005.sql")),
    (6, include_str!("upgrade/0006.sql")),
    (7, include_str!("upgrade/0007.sql")),
    (8, include_str!("upgrade/0008.sql")),
    (9, include_str!("upgrade/0009.sql")),
];

/// As the version that knew so many steps left it.
fn written_by(level: usize) -> Home {
    let home = Home::new();
    let database = Connection::open(home.path()).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    // The rows are the first version's: what came later was added to them.
    database.execute_batch(STEPS[0]).unwrap();
    database.execute_batch(include_str!("upgrade.sql")).unwrap();
    for step in &STEPS[1..level] {
        database.execute_batch(step).unwrap();
    }
    for (_, rows) in ROWS.iter().filter(|(since, _)| *since <= level) {
        database.execute_batch(rows).unwrap();
    }
    database.pragma_update(None, "application_id", 0x6576_6b6c).unwrap();
    database.pragma_update(None, "user_version", level as i64).unwrap();
    home
}

/// The key of the rows that are sealed, in a process of its own.
fn seal() -> Seal {
    Seal::new(&[7; 32], [2; 16])
}

fn open(home: &Home) -> Store {
    let options = Options {
        seal: Some(seal()),
        ..Options::default()
    };
    Store::open(&home.path(), options).unwrap()
}

fn schema(home: &Home) -> Vec<String> {
    let database = Connection::open(home.path()).unwrap();
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = database.prepare(sql).unwrap();
    let parts = statement.query_map([], |row| row.get(0)).unwrap();
    parts.collect::<rusqlite::Result<_>>().unwrap()
}

async fn assert_goes_on(store: &Store) {
    let runs = store.runs(RunFilter::default()).await.unwrap();
    let verdicts: Vec<_> = runs.iter().map(|run| (run.run, run.verdict)).collect();
    assert_eq!(verdicts, [(RunId(2), None), (RunId(1), Some(Verdict::Repaired))]);
    let repaired = Run::fold(&store.events(RunId(1)).await.unwrap().unwrap());
    assert!(repaired.changed() && repaired.verified.is_some_and(|verified| verified.healed));
    let left = store.unfinished().await.unwrap();
    assert_eq!(left.len(), 1);
    let events = store.take_on(RunId(2)).await.unwrap().unwrap();
    let fold = Run::fold(&events);
    assert!(fold.doubt().is_some(), "it was interrupted in the middle of an effect");
    append(store, RunId(2), 5, vec![finished(Verdict::Unknown)]).await;
    assert!(store.unfinished().await.unwrap().is_empty());
    assert_eq!(store.text("abc").await.unwrap().as_deref(), Some("name = \"disk\""));
    assert_eq!(store.firing(at(5)).await.unwrap().len(), 1);
    assert_eq!(store.schedules().await.unwrap().len(), 1);
    let history = store.history(&"disk".into(), &"a".into(), at(0)).await.unwrap();
    assert_eq!(history.len(), 1);
    let last = store.events(RunId(2)).await.unwrap().unwrap();
    assert!(matches!(last.last().unwrap().body, Body::Finished { .. }));
}

/// What [`ROWS`] put there.
async fn assert_reads(store: &Store, level: usize) {
    if level >= 2 {
        let owner = Owner {
            plugin: "fix".to_owned(),
            runbook: "disk".into(),
            step: "fix".into(),
            target: "a".into(),
        };
        let remembered = store.get(&owner, "last").await.unwrap().unwrap();
        assert_eq!((remembered.value, remembered.version), (vec![1, 2, 3], 4));
    }
    if level >= 3 {
        let events = store.events_after(RunId(1), 9, 1).await.unwrap();
        assert_eq!(events[0].body, line("sealed by an older version"));
    }
    if level >= 4 {
        let scheduled = store.schedules().await.unwrap().remove(0);
        assert_eq!(scheduled.last, Some((at(1), RoundId(2))));
        assert_eq!(scheduled.passed.unwrap().count, 61);
    }
    if level >= 5 {
        assert_reads_ledger(store).await;
    }
    if level >= 6 {
        let changes = store.changes(ChangeFilter::default()).await.unwrap();
        let first = changes.last().unwrap();
        assert_eq!((first.seq, first.change.outcome), (1, ChangeOutcome::Changed));
        assert_eq!(first.change.approved_by, ["ben"]);
    }
    if level >= 7 {
        assert_reads_outbox(store).await;
    }
    let concluded = store.to_conclude().await.unwrap();
    assert_eq!(concluded.contains(&RoundId(1)), level >= 8);
    let run = store.run(RunId(1)).await.unwrap().unwrap();
    assert_eq!(run.compacted, level >= 9);
}

async fn assert_reads_ledger(store: &Store) {
    let holds = store.holds(at(0)).await.unwrap();
    assert_eq!(holds[0].what, What::Pause(Scope::Customer("steel".into())));
    assert!(matches!(&holds[1].what, What::Silence { matchers } if matchers == "alertname=\"Slow\""));
    let ended = holds[1].ended.as_ref().map(|ended| (ended.at, ended.who.as_str()));
    assert_eq!((holds.len(), ended), (2, Some((at(60), "ann"))));
    let record = store.record(&"disk".into(), &"a".into(), 9).await.unwrap();
    assert_eq!((record.outcomes.len(), record.is_told()), (1, true));
    let unstarted = store.unstarted(at(0), at(9), 9, Box::new(|_| true)).await.unwrap();
    let [alert, attempt] = unstarted.as_slice() else {
        panic!("{unstarted:?}")
    };
    assert!(matches!(&alert.what, Happening::Alert(alert) if alert.name() == "Slow"));
    assert!(matches!(&attempt.what, Happening::Attempt { run: RunId(1), .. }));
}

async fn assert_reads_outbox(store: &Store) {
    let notices = store.notices(OutboxFilter::default()).await.unwrap();
    let told: Vec<_> = notices
        .iter()
        .map(|posted| (posted.notice.text.as_str(), posted.state, posted.tries.len()))
        .collect();
    let expected = [
        ("a text", NoticeState::Waiting, 0),
        ("a text", NoticeState::Delivered, 1),
    ];
    assert_eq!(told, expected);
    let heads = store.heads().await.unwrap();
    assert_eq!(heads.iter().map(|posted| posted.number).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_any_older_version_wrote_is_opened_and_gone_on_with() {
    let fresh = Home::new();
    drop(fresh.open());
    for level in 1..=STEPS.len() {
        let home = written_by(level);
        let store = open(&home);
        assert_reads(&store, level).await;
        assert_goes_on(&store).await;
        assert_reads(&store, level).await;
        drop(store);
        assert_eq!(schema(&home), schema(&fresh), "from schema {level}");
        let audit = audit::verify(&home.path(), Some(&seal()), None).unwrap();
        assert!(audit.breaks.is_empty(), "{audit:?}");
        assert_eq!(audit.records, if level >= 6 { 2 } else { 1 }, "from schema {level}");
        // Another start changes nothing more.
        drop(open(&home));
    }
}

/// Another program has it: the schema stays what it was, and the next start brings it up.
#[tokio::test]
async fn a_schema_that_can_t_be_brought_up_now_is_left_as_it_is() {
    let home = written_by(2);
    let before = schema(&home);
    let other = Connection::open(home.path()).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO texts VALUES ('x', 'y')")
        .unwrap();
    let hasty = Options {
        patience: std::time::Duration::from_millis(50),
        ..Options::default()
    };
    assert!(Store::open(&home.path(), hasty).is_err());
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(schema(&home), before);
    assert_goes_on(&home.open()).await;
}
