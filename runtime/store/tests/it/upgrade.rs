//! A new version opens what any older one wrote.

use evenkeel_alerting::port::Memory as _;
use evenkeel_engine::port::{Journal as _, RunFilter};
use evenkeel_engine::run::Run;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_store::{Options, Store, audit};
use rusqlite::Connection;

use crate::home::{Home, append, at, finished};

/// The steps of the schema, as they were released, each in its file.
const STEPS: [&str; 9] = [
    include_str!("../../src/migrations/0001_journal_and_alerts.sql"),
    include_str!("../../src/migrations/0002_memory_of_plugins.sql"),
    include_str!("../../src/migrations/0003_sealed_events.sql"),
    include_str!("../../src/migrations/0004_schedules.sql"),
    include_str!("../../src/migrations/0005_gates.sql"),
    include_str!("../../src/migrations/0006_changes.sql"),
    include_str!("../../src/migrations/0007_outbox.sql"),
    include_str!("../../src/migrations/0008_after.sql"),
    include_str!("../../src/migrations/0009_compaction.sql"),
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
    database.pragma_update(None, "application_id", 0x6576_6b6c).unwrap();
    database.pragma_update(None, "user_version", level as i64).unwrap();
    home
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

#[tokio::test]
async fn what_any_older_version_wrote_is_opened_and_gone_on_with() {
    let fresh = Home::new();
    drop(fresh.open());
    for level in 1..=STEPS.len() {
        let home = written_by(level);
        let store = home.open();
        assert_goes_on(&store).await;
        drop(store);
        assert_eq!(schema(&home), schema(&fresh), "from schema {level}");
        let audit = audit::verify(&home.path(), None, None).unwrap();
        assert!(audit.breaks.is_empty(), "{audit:?}");
        // Another start changes nothing more.
        drop(home.open());
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
