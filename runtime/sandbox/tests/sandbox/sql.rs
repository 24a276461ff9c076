//! Row 31: a database that the operator named, statements that read, and changes as they were declared. SQLite here;
//! servers are in `servers.rs`.

use std::path::Path;
use std::time::Duration;

use evenkeel_model::action::{Effect, hex};
use evenkeel_model::role::Database;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::{Scene, database, denied, effect, scratch};

fn file(dir: &Path) -> (Connection, Database) {
    let path = dir.join("app.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("create table jobs (id integer primary key, name text, weight real, body blob); insert into jobs values (1, 'a', 0.5, x'6162'), (2, null, 2, null);")
        .unwrap();
    (connection, database(&format!("sqlite:{}", path.display())))
}

fn ask(text: &str) -> Value {
    json!({ "sql": { "query": text } })
}

async fn told(database: Database, steps: Vec<Value>) -> Vec<Value> {
    Scene::check(Value::Array(steps))
        .database(&["query"], "main", database)
        .told()
        .await
}

#[tokio::test]
async fn a_query_answers_rows_with_their_types() {
    let (_dir, dir) = scratch();
    let (_connection, database) = file(&dir);
    let steps = vec![
        json!({ "sql": { "query": "select * from jobs where id >= ?1 order by id", "params": [1] } }),
        json!({ "sql": { "query": "select id from jobs", "limit": 1 } }),
        json!({ "sql": { "query": "select ?, ?, ?, ?", "params": [null, true, 1.5, { "blob": "x" }] } }),
        ask("pragma quick_check"),
        ask("select missing from jobs"),
    ];
    let told = told(database, steps).await;
    assert_eq!(told[0]["ok"]["columns"], json!(["id", "name", "weight", "body"]));
    assert_eq!(
        told[0]["ok"]["rows"],
        json!([[1, "a", 0.5, { "blob": "ab" }], [2, null, 2.0, null]])
    );
    assert_eq!(
        (&told[1]["ok"]["rows"], &told[1]["ok"]["truncated"]),
        (&json!([[1]]), &json!(true))
    );
    assert_eq!(told[2]["ok"]["rows"], json!([[null, 1, 1.5, { "blob": "x" }]]));
    assert_eq!(told[3]["ok"]["rows"], json!([["ok"]]));
    assert!(
        told[4]["err"].as_str().unwrap().contains("no such column: missing"),
        "{}",
        told[4]
    );
}

#[tokio::test]
async fn what_is_no_read_is_denied_and_changes_nothing() {
    let (_dir, dir) = scratch();
    let (connection, database) = file(&dir);
    let other = dir.join("other.db");
    let attacks = [
        ("COMMIT; DROP TABLE jobs".to_owned(), "one statement"),
        ("select 1; drop table jobs".to_owned(), "one statement"),
        ("drop table jobs".to_owned(), "`execute` changes"),
        (format!("attach '{}' as other", other.display()), "`execute` changes"),
        ("select load_extension('x')".to_owned(), "authorizer"),
        ("select fts3_tokenizer('a', x'00')".to_owned(), "authorizer"),
        ("pragma journal_mode = off".to_owned(), "authorizer"),
        ("pragma writable_schema = on".to_owned(), "authorizer"),
        ("pragma temp_store_directory = '/tmp'".to_owned(), "authorizer"),
        ("with d as (select 1) delete from jobs".to_owned(), "`delete` changes"),
    ];
    let steps = attacks.iter().map(|(text, _)| ask(text)).collect();
    let told = told(database, steps).await;
    for ((text, why), told) in attacks.iter().zip(&told) {
        assert!(denied(told).contains(why), "{text}: {told}");
    }
    let count: i64 = connection
        .query_row("select count(*) from jobs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2);
    assert!(!other.exists());
}

#[tokio::test]
async fn a_query_without_end_and_one_without_measure_are_ended() {
    let (_dir, dir) = scratch();
    let (_connection, mut database) = file(&dir);
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select";
    let steps = vec![
        ask(&format!("{endless} i from n")),
        ask("select zeroblob(3000000000)"),
        json!({ "sql": { "query": format!("{endless} zeroblob(1000000) from n"), "limit": 1000 } }),
        json!({ "sql": { "query": format!("{endless} i from n limit 1000000"), "limit": u32::MAX } }),
    ];
    let told_steps = told(database.clone(), steps).await;
    assert_eq!(told_steps[0]["ok"]["rows"].as_array().unwrap().len(), 100);
    assert!(
        told_steps[1]["err"].as_str().unwrap().contains("TooLarge"),
        "{}",
        told_steps[1]
    );
    assert!(
        told_steps[2]["err"].as_str().unwrap().contains("TooLarge"),
        "{}",
        told_steps[2]
    );
    assert_eq!(
        told_steps[3]["ok"]["rows"].as_array().unwrap().len(),
        10_000,
        "`rows` of [sandbox]"
    );
    database.timeout = Duration::from_millis(50);
    let told = told(database, vec![ask(&format!("{endless} count(*) from n"))]).await;
    assert!(told[0]["err"].as_str().unwrap().contains("TimedOut"), "{}", told[0]);
}

#[tokio::test]
async fn a_link_in_the_file_s_place_is_not_followed_and_no_file_is_made() {
    let (_dir, dir) = scratch();
    let (_connection, _) = file(&dir);
    std::os::unix::fs::symlink(dir.join("app.db"), dir.join("link.db")).unwrap();
    for name in ["link.db", "missing.db"] {
        let database = database(&format!("sqlite:{}", dir.join(name).display()));
        let told = told(database, vec![ask("select 1")]).await;
        assert!(told[0]["err"].as_str().unwrap().contains("Unavailable("), "{}", told[0]);
    }
    assert!(!dir.join("missing.db").exists());
}

fn declared(statement: &str, params: &str) -> Effect {
    Effect {
        content: Some(hex(&Sha256::digest(params))),
        ..effect("sql", "execute", &format!("main {statement}"))
    }
}

#[tokio::test]
async fn a_change_is_made_as_it_was_declared_and_no_other() {
    let (_dir, dir) = scratch();
    let (connection, database) = file(&dir);
    let delete = "delete from jobs where id = ?";
    let run = |statement: &str, params: Value| json!({ "sql-execute": { "statement": statement, "params": params } });
    let steps = json!([
        run(delete, json!([2])),
        run(delete, json!([1])),
        run("delete from jobs", json!([])),
        run("begin", json!([])),
    ]);
    let scene = Scene::apply(vec![declared(delete, "[1]"), declared("begin", "[]")], steps.clone());
    let scene = scene.database(&["execute"], "main", database.clone());
    let told = scene.undeclared().await;
    assert!(denied(&told[0]).contains("with this content"), "{}", told[0]);
    assert_eq!(told[1]["ok"], json!(1));
    assert!(denied(&told[2]).contains("is not among"), "{}", told[2]);
    assert!(denied(&told[3]).contains("not with `begin`"), "{}", told[3]);
    let intents = scene.journal.intents();
    assert_eq!((intents.len(), intents[0].repeatable), (1, false));
    let left: i64 = connection
        .query_row("select id from jobs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 2);

    let told = Scene::check(steps)
        .database(&["query", "execute"], "main", database)
        .told()
        .await;
    assert!(denied(&told[1]).contains("a check never does"), "{}", told[1]);
}

#[tokio::test]
async fn upkeep_of_a_file_is_a_change_that_goes_nowhere_else() {
    let (_dir, dir) = scratch();
    let (_connection, database) = file(&dir);
    let into = format!("vacuum into '{}'", dir.join("copy.db").display());
    let statements = ["vacuum", &into, "reindex", "analyze"];
    let effects = statements.map(|statement| declared(statement, "[]")).to_vec();
    let steps = statements.map(|statement| json!({ "sql-execute": { "statement": statement } }));
    let told = Scene::apply(effects, json!(steps))
        .database(&["execute"], "main", database)
        .told()
        .await;
    assert!(told[0]["ok"].is_u64(), "{}", told[0]);
    assert!(denied(&told[1]).contains("authorizer"), "{}", told[1]);
    assert!(told[2]["ok"].is_u64() && told[3]["ok"].is_u64(), "{told:?}");
    assert!(!dir.join("copy.db").exists());
}

#[tokio::test]
async fn what_is_not_granted_is_denied_whether_it_exists_or_not() {
    let (_dir, dir) = scratch();
    let (_connection, database) = file(&dir);
    let steps = json!([ask("select 1"), { "sql": { "database": "other" } }]);
    let told = Scene::check(steps)
        .database(&["execute"], "main", database)
        .told()
        .await;
    assert_eq!(
        denied(&told[0]).replace("main", "X"),
        denied(&told[1]).replace("other", "X")
    );
}
