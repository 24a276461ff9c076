use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use evenkeel_store::{Options, Store, StoreError};

use crate::home::Home;

fn refused(home: &Home) -> StoreError {
    let options = Options {
        patience: Duration::from_millis(50),
        ..Options::default()
    };
    match Store::open(&home.path(), options) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

/// A change to the schema shows in the diff of `schema.sql`.
#[tokio::test]
async fn the_schema_is_the_golden_one() {
    let home = Home::new();
    drop(home.open());
    let database = rusqlite::Connection::open(home.path()).unwrap();
    let mut statement = database
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap();
    let parts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let schema: Vec<String> = parts.map(|sql| sql.unwrap() + ";").collect();
    let schema = schema.join("\n\n") + "\n";
    let golden = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql")).unwrap();
    assert_eq!(
        schema, golden,
        "write the new schema to runtime/store/schema.sql if it is meant"
    );
}

#[tokio::test]
async fn only_its_owner_may_read_it() {
    let home = Home::new();
    let store = home.open();
    for name in ["evenkeel.db", "evenkeel.db-wal", "evenkeel.db-shm"] {
        let mode = fs::metadata(home.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    drop(store);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let home = Home::new();
    let text = "name = \"not a database\"\n".repeat(100);
    fs::write(home.path(), &text).unwrap();
    assert!(matches!(refused(&home), StoreError::Foreign { .. }));
    assert_eq!(fs::read_to_string(home.path()).unwrap(), text);
}

#[test]
fn another_programs_database_is_left_alone() {
    let home = Home::new();
    let theirs = rusqlite::Connection::open(home.path()).unwrap();
    theirs.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(theirs);
    assert!(refused(&home).to_string().contains("is not a database of evenkeel"));
}

#[test]
fn a_newer_schema_is_refused_in_words() {
    let home = Home::new();
    drop(home.open());
    let database = rusqlite::Connection::open(home.path()).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let said = refused(&home).to_string();
    assert!(
        said.contains("newer evenkeel (schema 99; this one knows up to "),
        "{said}"
    );
}

#[test]
fn a_database_in_use_is_said_to_be() {
    let home = Home::new();
    let database = rusqlite::Connection::open(home.path()).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(refused(&home), StoreError::Locked { .. }));
}

#[test]
fn a_directory_that_is_not_there_is_said_to_be_the_cause() {
    let home = Home::new();
    let error = Store::open(&home.dir.path().join("no/such/evenkeel.db"), Options::default());
    let Err(error) = error else { panic!("it opened") };
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}

#[test]
fn it_opens_again_and_again() {
    let home = Home::new();
    for _ in 0..3 {
        drop(home.open());
    }
}
