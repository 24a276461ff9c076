//! The same against MySQL itself, whose passwords are `caching_sha2_password`.

use std::time::Duration;

use evenkeel_model::role::Database;
use evenkeel_tests::servers::MySql;
use serde_json::json;

use super::lost::changed;
use super::secure::{Stage, Trust, through};
use super::{PASSWORD, Play, nothing_acts, peopled, refused, with_password};

fn mysql(trust: &Trust) -> (MySql, Database) {
    let (certificate, key) = trust.good();
    let server = MySql::start(&certificate, &key, &trust.authority.pem()).unwrap();
    let database = peopled(server.port, |text| server.sql(text).unwrap());
    (server, database)
}

#[tokio::test]
async fn mysql_answers_reads_alone_and_changes_what_was_declared() {
    let (server, mut database) = mysql(&Trust::new());
    let play = Play::new();
    let text = "select * from jobs where id = ? and at > ?";
    let told = play.query(&database, text, json!([1, "2024-01-01"])).await;
    assert_eq!(
        told["ok"]["rows"],
        json!([[1, "ä", "2024-02-03 04:05:06", "1.50", "{\"a\": 1}", { "blob": "ab" }, "18446744073709551615", "-10:11:12"]]),
        "{told}"
    );
    nothing_acts(&play, &database).await;
    let boss = with_password(&format!("mysql://boss@127.0.0.1:{}/app", server.port));
    refused(&play.query(&boss, "select 1", json!([])).await, "Denied(", "FILE");
    server
        .sql("create user guest@127.0.0.1 identified by 'another'")
        .unwrap();
    let guest = with_password(&format!("mysql://guest@127.0.0.1:{}/app", server.port));
    refused(
        &play.query(&guest, "select 1", json!([])).await,
        "Unavailable(",
        "Access denied",
    );
    let told = play
        .execute(&database, "delete from jobs where id = ?", json!([2]))
        .await;
    assert_eq!(told["ok"], json!(1), "{told}");

    database.timeout = Duration::from_millis(300);
    let columns = "information_schema.columns";
    let endless = format!("select count(*) from {columns} a, {columns} b, {columns} c");
    refused(&play.query(&database, &endless, json!([])).await, "TimedOut", "");
    let sleeps = "delete from jobs where id = sleep(600)";
    let (told, open) = changed(&database, sleeps).await;
    assert!(told.contains("TimedOut") && !open, "it ended it: {told}, open: {open}");
    let left = "select count(*) from performance_schema.processlist where user = 'app'";
    crate::stage::eventually(|| server.sql(left).unwrap() == "0\n").await;
}

#[tokio::test]
async fn mysql_is_trusted_over_tls_and_takes_the_password_in_full_on_every_way() {
    let (play, trust) = (Play::new(), Trust::new());
    let (server, database) = mysql(&trust);
    let stage = Stage {
        play: &play,
        trust: &trust,
        database: Database {
            url: database.url.replace("127.0.0.1", "localhost"),
            ..database.clone()
        },
        encrypted: "select 1 from performance_schema.session_status \
                    where variable_name = 'Ssl_version' and variable_value like 'TLS%'",
        show: &|pair| server.show(&pair.0, &pair.1).unwrap(),
    };
    stage.the_authority_and_the_name_are_checked().await;

    let at_socket =
        format!("create user app@localhost identified by '{PASSWORD}'; grant all on app.* to app@localhost");
    server.sql(&at_socket).unwrap();
    let (certificate, key) = trust.good();
    server.show(&certificate, &key).unwrap();
    for way in [
        trust.over_tls(&stage.database, "ca.pem"),
        // In the clear the password goes under the server's RSA key.
        database,
        through(&server.socket(), "mysql://app@203.0.113.1/app"),
    ] {
        // What the server remembers of passwords would do for a shorter way.
        server.sql("flush privileges").unwrap();
        let told = play.query(&way, "select 1", json!([])).await;
        assert_eq!(told["ok"]["rows"], json!([[1]]), "{told}");
    }
}
