//! Row 31 against real servers: PostgreSQL and MariaDB, the machine's own or those of its distribution.

mod lost;
mod mysql;
mod secure;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::Plugins as _;
use evenkeel_engine::port::vault::Vault;
use evenkeel_model::action::{Effect, hex};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Outcome, Output};
use evenkeel_model::role::{Database, Secret, SecretFrom};
use evenkeel_model::secret;
use evenkeel_sandbox::{Ports, Sandbox, scan};
use evenkeel_tests::servers::{MariaDb, Postgres};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::{Scene, attendant, compiler, database, effect, guest};

const PASSWORD: &str = "not to be seen";

/// Knows one password.
struct Drawer;

#[async_trait]
impl Vault for Drawer {
    async fn value(&self, _: &Secret) -> Result<Option<secret::Value>, String> {
        Ok(Some(secret::Value::new(PASSWORD)))
    }
}

/// The guest, with that password.
struct Play {
    _home: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Play {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("plugins")).unwrap();
        std::fs::write(home.path().join("plugins/guest.wasm"), guest()).unwrap();
        let ports = Ports {
            vault: Arc::new(Drawer),
            ..Ports::local(home.path(), attendant())
        };
        let sandbox = Sandbox::new(home.path(), None, &SandboxLimits::default(), compiler(), ports).unwrap();
        sandbox.install(&scan(home.path()).installed);
        Self { _home: home, sandbox }
    }

    async fn told(&self, scene: Scene) -> Vec<Value> {
        let calls = Arc::clone(&scene.journal) as Arc<dyn evenkeel_engine::port::Calls>;
        match self.sandbox.invoke(scene.invocation.clone(), calls).await {
            Outcome::Done(Output::Findings(findings)) => findings
                .iter()
                .map(|finding| serde_json::from_str(&finding.summary).unwrap())
                .collect(),
            Outcome::Done(Output::Applied(applied)) => {
                applied.output.and_then(|output| output.as_array().cloned()).unwrap()
            }
            other => panic!("not done: {other:?}"),
        }
    }

    async fn query(&self, database: &Database, text: &str, params: Value) -> Value {
        let steps = json!([{ "sql": { "query": text, "params": params, "limit": 3 } }]);
        let scene = Scene::check(steps).database(&["query"], "main", database.clone());
        self.told(scene).await.remove(0)
    }

    async fn execute(&self, database: &Database, text: &str, params: Value) -> Value {
        self.told(changing(database, text, params)).await.remove(0)
    }
}

/// An action that makes one statement.
fn changing(database: &Database, text: &str, params: Value) -> Scene {
    let content = Some(hex(&Sha256::digest(params.to_string())));
    let declared = Effect {
        content,
        ..effect("sql", "execute", &format!("main {text}"))
    };
    let steps = json!([{ "sql-execute": { "statement": text, "params": params } }]);
    Scene::apply(vec![declared], steps).database(&["execute"], "main", database.clone())
}

fn with_password(url: &str) -> Database {
    Database {
        password: Some(Secret {
            from: SecretFrom::Env("PASSWORD".into()),
            allow: Vec::new(),
            origins: Vec::new(),
            exec: Vec::new(),
            hmac: false,
        }),
        ..database(url)
    }
}

#[track_caller]
fn refused(told: &Value, as_what: &str, words: &str) {
    let error = told["err"].as_str().unwrap_or_else(|| panic!("not refused: {told}"));
    assert!(error.contains(as_what) && error.contains(words), "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
}

fn postgres() -> (Postgres, Database) {
    let server = Postgres::start().unwrap();
    let one = |database: &str, text: &str| server.sql(database, text).unwrap();
    one("postgres", &format!("create role app login password '{PASSWORD}'"));
    one(
        "postgres",
        &format!("create role boss superuser login password '{PASSWORD}'"),
    );
    one("postgres", "create role reader");
    one("postgres", "create database app owner app");
    one(
        "app",
        "create table jobs (id int primary key, name text, at timestamptz, cost numeric, doc jsonb, body bytea, tags int[]); \
         insert into jobs values (1, 'ä', '2024-02-03 04:05:06+00', 1.50, '{\"a\":1}', '\\x6162', '{1,2}'); insert into jobs (id) values (2); \
         alter table jobs owner to app; grant select on jobs to reader; \
         create function acts() returns int language sql as 'select 1'",
    );
    let url = format!("postgres://app@127.0.0.1:{}/app", server.port);
    (server, with_password(&url))
}

#[tokio::test]
async fn postgresql_answers_what_a_statement_reads() {
    let (server, database) = postgres();
    let play = Play::new();
    let text = "select * from jobs where id = $1 and at > $2;";
    let told = play.query(&database, text, json!([1, "2024-01-01"])).await;
    assert_eq!(
        told["ok"]["rows"],
        json!([[1, "ä", "2024-02-03 04:05:06+00", "1.50", "{\"a\": 1}", { "blob": "ab" }, "{1,2}"]]),
        "{told}"
    );
    let told = play
        .query(
            &database,
            "select $1::bytea, $2::bool, $3::float8, null",
            json!([{ "blob": "x" }, true, 0.5]),
        )
        .await;
    assert_eq!(
        told["ok"]["rows"],
        json!([[{ "blob": "x" }, true, 0.5, null]]),
        "{told}"
    );
    for text in [
        "show server_version",
        "explain select 1",
        "values (1)",
        "select pg_database_size('app')",
    ] {
        let told = play.query(&database, text, json!([])).await;
        assert_eq!(told["ok"]["rows"].as_array().map(Vec::len), Some(1), "{text}: {told}");
    }
    let told = play
        .query(&database, "select generate_series(1, 1000000000)", json!([]))
        .await;
    assert_eq!(
        (&told["ok"]["rows"], &told["ok"]["truncated"]),
        (&json!([[1], [2], [3]]), &json!(true))
    );
    let reader = Database {
        reader: Some("reader".into()),
        ..with_password(&format!("postgres://boss@127.0.0.1:{}/app", server.port))
    };
    let told = play.query(&reader, "select current_user::text", json!([])).await;
    assert_eq!(told["ok"]["rows"], json!([["reader"]]), "{told}");
}

#[tokio::test]
async fn postgresql_is_asked_nothing_that_acts() {
    let (server, database) = postgres();
    let play = Play::new();
    for (text, words) in [
        ("COMMIT; DROP TABLE jobs", "one statement"),
        ("select 1; select 2", "one statement"),
        ("copy jobs to program 'id'", "`execute` changes"),
        ("set role boss", "`execute` changes"),
        ("with d as (delete from jobs returning 1) select 1", "`delete` changes"),
        ("select pg_terminate_backend(1)", "pg_terminate_backend"),
        ("select \"pg_sleep\"(1)", "pg_sleep"),
        ("select pg_catalog.pg_sleep(1)", "pg_sleep"),
        ("select x.pg_sleep from abs(5::float8) x", "pg_sleep"),
        ("select set_config('role', 'none', false)", "set_config"),
        ("select query_to_xml('select 1', true, true, '')", "query_to_xml"),
        ("select pg_advisory_lock(1)", "pg_advisory_lock"),
        ("select pg_read_file('/etc/passwd')", "pg_read_file"),
        ("select lo_export(1, 'rows')", "lo_export"),
        ("select pg_notify('a', 'b')", "pg_notify"),
        ("select acts()", "acts"),
    ] {
        refused(&play.query(&database, text, json!([])).await, "Denied(", words);
    }
    let boss = with_password(&format!("postgres://boss@127.0.0.1:{}/app", server.port));
    refused(
        &play.query(&boss, "select 1", json!([])).await,
        "Denied(",
        "is superuser",
    );
    refused(
        &play.execute(&boss, "delete from jobs", json!([])).await,
        "Denied(",
        "is superuser",
    );
    server.sql("postgres", "grant pg_signal_backend to app").unwrap();
    refused(
        &play.query(&database, "select 1", json!([])).await,
        "Denied(",
        "pg_signal_backend",
    );
    assert_eq!(server.sql("app", "select count(*) from jobs").unwrap(), "2\n");
}

#[tokio::test]
async fn postgresql_ends_what_takes_too_long_or_too_much() {
    let (server, mut database) = postgres();
    let play = Play::new();
    refused(
        &play.query(&database, "select repeat('x', 100000000)", json!([])).await,
        "TooLarge",
        "",
    );
    refused(
        &play.query(&database, "select nothing", json!([])).await,
        "Invalid(",
        "does not exist",
    );
    let stranger = with_password(&format!("postgres://stranger@127.0.0.1:{}/app", server.port));
    refused(
        &play.query(&stranger, "select 1", json!([])).await,
        "Unavailable(",
        "authentication failed",
    );
    database.timeout = Duration::from_millis(300);
    refused(
        &play
            .query(
                &database,
                "select count(*) from generate_series(1, 100000000000)",
                json!([]),
            )
            .await,
        "TimedOut",
        "",
    );
    refused(
        &play.execute(&database, "select pg_sleep(600)", json!([])).await,
        "TimedOut",
        "",
    );
    let left = "select count(*) from pg_stat_activity where usename = 'app' and state = 'active'";
    crate::stage::eventually(|| server.sql("app", left).unwrap() == "0\n").await;
}

#[tokio::test]
async fn postgresql_changes_what_was_declared() {
    let (server, database) = postgres();
    let play = Play::new();
    let told = play
        .execute(&database, "delete from jobs where id = $1", json!([2]))
        .await;
    assert_eq!(told["ok"], json!(1), "{told}");
    let told = play.execute(&database, "vacuum jobs", json!([])).await;
    assert_eq!(told["ok"], json!(0), "{told}");
    for text in [
        "begin",
        "copy jobs from program 'id'",
        "do $$begin end$$",
        "create role r",
        "delete from jobs; commit",
    ] {
        refused(&play.execute(&database, text, json!([])).await, "Denied(", "");
    }
    assert_eq!(server.sql("app", "select id from jobs").unwrap(), "1\n");
}

fn mariadb() -> (MariaDb, Database) {
    let server = MariaDb::start().unwrap();
    let database = peopled(server.port, |text| server.sql(text).unwrap());
    (server, database)
}

/// A table, two users, and the way to it.
fn peopled(port: u16, sql: impl Fn(&str) -> String) -> Database {
    let text = format!(
        "create database app; use app; \
         create user app@127.0.0.1 identified by '{PASSWORD}'; grant all privileges on app.* to app@127.0.0.1; \
         create user boss@127.0.0.1 identified by '{PASSWORD}'; grant select, file on *.* to boss@127.0.0.1; \
         create table jobs (id int primary key, name text, at datetime, cost decimal(10, 2), doc json, body blob, big bigint unsigned, took time); \
         insert into jobs values (1, 'ä', '2024-02-03 04:05:06', 1.50, '{{\"a\":1}}', 'ab', 18446744073709551615, '-10:11:12'); \
         insert into jobs (id) values (2)"
    );
    sql(&text);
    with_password(&format!("mysql://app@127.0.0.1:{}/app", port))
}

#[tokio::test]
async fn mariadb_answers_what_a_statement_reads() {
    let (_server, database) = mariadb();
    let play = Play::new();
    let text = "select * from jobs where id = ? and at > ?";
    let told = play.query(&database, text, json!([1, "2024-01-01"])).await;
    assert_eq!(
        told["ok"]["rows"],
        json!([[1, "ä", "2024-02-03 04:05:06", "1.50", "{\"a\":1}", { "blob": "ab" }, "18446744073709551615", "-10:11:12"]]),
        "{told}"
    );
    for text in ["show tables", "explain select 1", "select count(*) from jobs"] {
        let told = play.query(&database, text, json!([])).await;
        assert_eq!(told["ok"]["rows"].as_array().map(Vec::len), Some(1), "{text}: {told}");
    }
    let many = "select a.seq from seq_1_to_1000000 a, seq_1_to_1000000 b";
    let told = play.query(&database, many, json!([])).await;
    assert_eq!(
        (told["ok"]["rows"].as_array().map(Vec::len), &told["ok"]["truncated"]),
        (Some(3), &json!(true)),
        "{told}"
    );
}

/// What MySQL and MariaDB are not asked as a question, and why.
const ACTS: [(&str, &str); 10] = [
    ("COMMIT; DROP TABLE jobs", "one statement"),
    ("drop table jobs", "`execute` changes"),
    ("select 1 into outfile 'rows'", "`into` changes"),
    ("select sleep(1)", "`sleep`"),
    ("select get_lock('a', 1)", "`get_lock`"),
    ("select load_file('/etc/passwd')", "`load_file`"),
    ("select /*!50000 sleep(1) */", "no comment"),
    ("kill 1", "`execute` changes"),
    ("handler jobs open", "`execute` changes"),
    ("select * from jobs for update", "`update` changes"),
];

async fn nothing_acts(play: &Play, database: &Database) {
    for (text, words) in ACTS {
        refused(&play.query(database, text, json!([])).await, "Denied(", words);
    }
}

#[tokio::test]
async fn mariadb_is_asked_nothing_that_acts() {
    let (server, database) = mariadb();
    let play = Play::new();
    nothing_acts(&play, &database).await;
    let boss = with_password(&format!("mysql://boss@127.0.0.1:{}/app", server.port));
    refused(&play.query(&boss, "select 1", json!([])).await, "Denied(", "FILE");
    refused(
        &play.execute(&boss, "delete from jobs", json!([])).await,
        "Denied(",
        "FILE",
    );
    assert_eq!(server.sql("select count(*) from app.jobs").unwrap(), "2\n");
}

#[tokio::test]
async fn mariadb_ends_what_takes_too_long_or_too_much_and_changes_what_was_declared() {
    let (server, mut database) = mariadb();
    let play = Play::new();
    refused(
        &play.query(&database, "select repeat('x', 10000000)", json!([])).await,
        "TooLarge",
        "",
    );
    refused(
        &play.query(&database, "select nothing", json!([])).await,
        "Invalid(",
        "Unknown column",
    );
    let stranger = with_password(&format!("mysql://stranger@127.0.0.1:{}/app", server.port));
    refused(
        &play.query(&stranger, "select 1", json!([])).await,
        "Unavailable(",
        "Access denied",
    );
    let told = play
        .execute(&database, "delete from jobs where id = ?", json!([2]))
        .await;
    assert_eq!(told["ok"], json!(1), "{told}");
    database.timeout = Duration::from_millis(300);
    let endless = "select count(*) from seq_1_to_1000000 a, seq_1_to_1000000 b";
    refused(&play.query(&database, endless, json!([])).await, "TimedOut", "");
    refused(
        &play
            .execute(&database, "delete from jobs where id = sleep(600)", json!([]))
            .await,
        "TimedOut",
        "",
    );
    let left = "select count(*) from information_schema.processlist where user = 'app'";
    crate::stage::eventually(|| server.sql(left).unwrap() == "0\n").await;
}
