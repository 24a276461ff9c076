//! A statement whose answer doesn't come: whether it was done is left open, and only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenkeel_model::call::Answer;
use evenkeel_model::role::Database;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{PASSWORD, Play, changing, mariadb, postgres, with_password};

/// What becomes of the answer to a statement.
#[derive(Clone, Copy)]
enum Fate {
    /// It is kept back, and the connection stays.
    Kept,
    /// The connection ends in its place.
    Cut,
}

/// A way to the server, on a port of its own, that lets everything through but the answer to the
/// statement: it was sent once a message came after the one that prepares it.
async fn way(server: u16, statement: &'static str, fate: Fate) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(one(client, server, statement, fate));
        }
    });
    port
}

async fn one(client: TcpStream, server: u16, statement: &'static str, fate: Fate) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let sent = Arc::new(AtomicBool::new(false));
    let asked = asking(from_client, to_server, statement, Arc::clone(&sent));
    tokio::select! {
        () = asked => {}
        () = answering(from_server, to_client, &sent, fate) => {}
    }
}

async fn asking(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    statement: &str,
    sent: Arc<AtomicBool>,
) {
    let (mut chunk, mut prepared) = (vec![0; 64 << 10], false);
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let chunk = &chunk[..read];
        sent.fetch_or(prepared, Ordering::SeqCst);
        prepared |= chunk.windows(statement.len()).any(|part| part == statement.as_bytes());
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
}

async fn answering(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, sent: &AtomicBool, fate: Fate) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        match (sent.load(Ordering::SeqCst), fate) {
            (true, Fate::Cut) => return,
            (true, Fate::Kept) => continue,
            (false, _) => {}
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

/// What the plugin and what the journal was told of a statement, and whether that leaves it open.
pub async fn changed(database: &Database, text: &str) -> (String, bool) {
    let scene = changing(database, text, json!([]));
    let journal = Arc::clone(&scene.journal);
    let told = Play::new().told(scene).await.remove(0);
    let answers = journal.answers();
    let [Answer::Err { open, message, .. }] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert!(!message.contains(PASSWORD), "{message}");
    (told["err"].as_str().unwrap().to_owned(), *open)
}

fn at(port: u16, kind: &str) -> Database {
    Database {
        timeout: Duration::from_secs(1),
        ..with_password(&format!("{kind}://app@127.0.0.1:{port}/app"))
    }
}

#[tokio::test]
async fn postgresql_may_have_done_what_it_was_not_heard_of_again() {
    let (server, _) = postgres();
    for (fate, statement, seen, as_what) in [
        (Fate::Cut, "update jobs set name = 'cut'", "cut", "Unavailable("),
        (Fate::Kept, "update jobs set name = 'kept'", "kept", "TimedOut"),
    ] {
        let port = way(server.port, statement, fate).await;
        let (told, open) = changed(&at(port, "postgres"), statement).await;
        assert!(told.contains(as_what) && open, "{told}, open: {open}");
        let name = server.sql("app", "select distinct name from jobs").unwrap();
        assert_eq!(name.trim(), seen, "it was done");
    }
}

#[tokio::test]
async fn mariadb_may_have_done_what_it_was_not_heard_of_again() {
    let (server, _) = mariadb();
    for (fate, statement, seen, as_what) in [
        (Fate::Cut, "update app.jobs set name = 'cut'", "cut", "Unavailable("),
        (Fate::Kept, "update app.jobs set name = 'kept'", "kept", "TimedOut"),
    ] {
        let port = way(server.port, statement, fate).await;
        let (told, open) = changed(&at(port, "mysql"), statement).await;
        assert!(told.contains(as_what) && open, "{told}, open: {open}");
        let name = server.sql("select distinct name from app.jobs").unwrap();
        assert_eq!(name.trim(), seen, "it was done");
    }
}

#[tokio::test]
async fn what_a_server_says_of_a_statement_is_not_open() {
    let (server, mut database) = postgres();
    database.timeout = Duration::from_millis(300);
    let (told, open) = changed(&database, "delete from jobs where pg_sleep(600) is null").await;
    assert!(told.contains("TimedOut") && !open, "it ended it: {told}, open: {open}");

    database.timeout = Duration::from_secs(60);
    let (told, open) = tokio::join!(
        changed(&database, "delete from jobs where pg_sleep(601) is null"),
        tokio::task::spawn_blocking(move || {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                       where query like 'delete%(601)%' and state = 'active' and wait_event = 'PgSleep'";
            while server.sql("postgres", end).unwrap().trim() != "1" {
                std::thread::sleep(Duration::from_millis(50));
            }
            server
        })
    )
    .0;
    assert!(
        told.contains("Unavailable(") && !open,
        "it ended the session: {told}, open: {open}"
    );

    let (server, mut database) = mariadb();
    database.timeout = Duration::from_millis(1_500);
    let (told, open) = changed(&database, "delete from jobs where id = sleep(600)").await;
    assert!(told.contains("TimedOut") && !open, "it ended it: {told}, open: {open}");
    drop(server);
}

#[tokio::test]
async fn a_statement_that_could_not_be_sent_is_not_open() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    for kind in ["postgres", "mysql"] {
        // Connected, and never greeted.
        let (told, open) = changed(&at(port, kind), "delete from jobs").await;
        assert!(!open, "{told}");
    }
    drop(nobody);
    for kind in ["postgres", "mysql"] {
        let (told, open) = changed(&at(port, kind), "delete from jobs").await;
        assert!(told.contains("Unavailable(") && !open, "{told}, open: {open}");
    }
}
