//! A secret is used, answered back by whoever got it, in every spelling, and is nowhere to be found afterwards.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Context;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    process::{Process, free_port},
    servers::Postgres,
    wait::wait_until,
};
use serde_json::json;

/// From a file. With characters that each encoding writes in its own way.
const TOKEN: &str = "Tok/en+7&x=%Zq~Ab9?Kw";
/// From the environment.
const PASSWORD: &str = "Pa:ss/W0rd+5&y=%Qv~Lm";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// All but the unreserved characters of RFC 3986.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// What a value is looked for as, by name, in lower case.
fn forms(value: &str) -> Vec<(String, String)> {
    let mut forms = vec![
        ("plain".to_owned(), value.to_owned()),
        ("hex".to_owned(), hex(value)),
        ("URL-encoded".to_owned(), percent(value)),
        ("JSON".to_owned(), json!(value).to_string().trim_matches('"').to_owned()),
    ];
    for lead in 0..3 {
        // Wherever it begins in what was encoded: without the characters that its neighbours have a part in.
        let padded = format!("{}{value}", "x".repeat(lead));
        for (name, engine) in [("base64", &STANDARD_NO_PAD), ("URL-safe base64", &URL_SAFE_NO_PAD)] {
            let text = engine.encode(&padded);
            let from = (lead * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            forms.push((format!("{name} behind {lead}"), text[from..to].to_owned()));
        }
    }
    forms
        .into_iter()
        .map(|(name, form)| (name, form.to_ascii_lowercase()))
        .collect()
}

/// The spellings of the secrets that are in there.
fn found(bytes: &[u8], values: &[&str]) -> Vec<String> {
    // All spellings are ASCII, so that what is no text doesn't matter.
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    values
        .iter()
        .flat_map(|value| forms(value))
        .filter(|(_, form)| text.contains(form.as_str()))
        .map(|(name, _)| name)
        .collect()
}

#[track_caller]
fn assert_nowhere(place: &str, bytes: &[u8]) {
    assert!(!bytes.is_empty(), "there is nothing in {place}");
    let found = found(bytes, &[TOKEN, PASSWORD]);
    assert!(found.is_empty(), "{place} holds a secret: {found:?}");
}

/// Every file below it; how many there are.
#[track_caller]
fn assert_nowhere_below(directory: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            count += assert_nowhere_below(&path)?;
        } else if path.is_file() {
            let bytes = fs::read(&path)?;
            let found = found(&bytes, &[TOKEN, PASSWORD]);
            assert!(found.is_empty(), "{} holds a secret: {found:?}", path.display());
            count += 1;
        }
    }
    Ok(count)
}

/// Answers with what it was authorized by, in every spelling, and keeps what it was sent.
struct Echo {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = heard.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = [0; 8192];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let token = request.lines().find_map(|line| {
                    let (name, value) = line.split_once(": Bearer ")?;
                    name.eq_ignore_ascii_case("authorization")
                        .then(|| value.trim().to_owned())
                });
                let token = token.unwrap_or_default();
                ears.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
                let body = echoed(&token);
                let head = format!(
                    "HTTP/1.1 500 Oops\r\nx-token: {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Ok(Self { url, heard })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn echoed(value: &str) -> String {
    format!("{value} {} {} {}", STANDARD.encode(value), hex(value), percent(value))
}

const ROLE: &str = r#"
[role.host.origins.api]
url = "API"
allow = ["GET"]

[role.host.secrets.api-token]
file = "secrets/api.token"
allow = ["use"]
origins = ["api"]

[role.host.secrets.db-password]
env = "EVENKEEL_TEST_DB_PASSWORD"
allow = ["use"]

[role.host.databases.app]
url = "DATABASE"
password = "db-password"
tls = false
allow = ["query"]
"#;

const RUNBOOK: &str = r#"
name = "NAME"
summary = "Uses secrets"

[[on]]
alert = "UseSecrets"

[[step]]
id = "page"
uses = "http-probe@1"
with = { origin = "api", path = "/", bearer = "api-token" }
grant = { http = ["GET api"], secrets = ["use api-token"] }

[[step]]
id = "rows"
uses = "sql-check@1"
with = { database = "app", query = "QUERY", column = "n", labels = ["note"], critical = 10 }
grant = { sql = ["query app"] }
"#;

/// The database answers its own password: as a value, and in the message of an error.
const QUERIES: [(&str, &str); 2] = [
    ("answers", "select note, id as n from notes order by id"),
    ("fails", "select note, note::int as n from notes order by id"),
];

fn database() -> anyhow::Result<Postgres> {
    let server = Postgres::start()?;
    server.sql("postgres", &format!("create role app login password '{PASSWORD}'"))?;
    server.sql("postgres", "create database app")?;
    let notes = [
        PASSWORD.to_owned(),
        STANDARD.encode(PASSWORD),
        hex(PASSWORD),
        percent(PASSWORD),
    ];
    let rows: Vec<String> = (1..)
        .zip(notes)
        .map(|(id, note)| format!("({id}, 'is {note} {id}')"))
        .collect();
    let text = format!(
        "create table notes (id int primary key, note text); insert into notes values {}; grant select on notes to app",
        rows.join(", ")
    );
    server.sql("app", &text)?;
    Ok(server)
}

fn home(echo: &Echo, server: &Postgres) -> anyhow::Result<Home> {
    let home = Home::empty()?;
    home.write("secrets/api.token", &format!("{TOKEN}\n"))?;
    fs::set_permissions(home.path().join("secrets/api.token"), fs::Permissions::from_mode(0o600))?;
    let url = format!("postgres://app@127.0.0.1:{}/app", server.port);
    home.write(
        "evenkeel.toml",
        &ROLE.replace("API", &echo.url).replace("DATABASE", &url),
    )?;
    home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    for (name, query) in QUERIES {
        let text = RUNBOOK.replace("NAME", name).replace("QUERY", query);
        home.write(&format!("runbooks/{name}.toml"), &text)?;
    }
    home.install_plugins()?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

/// `evenkeel`, with the environment that the secret comes from.
fn command(home: &Home, arguments: &[&str]) -> anyhow::Result<std::process::Command> {
    let mut command = home.command()?;
    command
        .args(arguments)
        .env("EVENKEEL_TEST_DB_PASSWORD", PASSWORD)
        .env("EVENKEEL_LOG", "trace");
    Ok(command)
}

/// A daemon that logs all that it can, until it has done what an alert asked for; its log.
fn served(home: &Home, runs: usize) -> anyhow::Result<String> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut serve = command(home, &["serve", "--listen", &address])?;
    let mut process = Process::spawn("daemon", &mut serve, home.path())?;
    let daemon = format!("http://{address}");
    wait_until(BOUND, "evenkeel is ready", || {
        reqwest::blocking::get(format!("{daemon}/healthz"))?.error_for_status()?;
        Ok(())
    });
    let alert = json!([{ "labels": { "alertname": "UseSecrets", "instance": "local" } }]).to_string();
    let push = reqwest::blocking::Client::new().post(format!("{daemon}/api/v2/alerts"));
    push.header("content-type", "application/json")
        .body(alert)
        .send()?
        .error_for_status()?;
    home.finished(runs);
    let listed = reqwest::blocking::get(format!("{daemon}/metrics"))?.bytes()?;
    assert_nowhere("/metrics", &listed);
    let _ = process.ended()?;
    let log = process.log();
    process.terminate(BOUND)?;
    Ok(log)
}

#[test]
fn a_used_secret_is_nowhere_in_any_spelling() -> anyhow::Result<()> {
    let (echo, server) = (Echo::start()?, database()?);
    let home = home(&echo, &server)?;

    let mut stories = Vec::new();
    for (name, _) in QUERIES {
        let output = command(&home, &["run", name])?.output()?;
        stories.push(String::from_utf8(output.stdout.clone())?);
        assert_nowhere("stdout", &output.stdout);
        // There may be nothing in it.
        assert_nowhere("stderr", &[b"stderr: ", output.stderr.as_slice()].concat());
    }
    let log = served(&home, 4)?;
    assert_nowhere("the daemon's log", log.as_bytes());

    // They were there: the server got the one, the other one let us in, and both came back.
    assert_eq!(echo.heard(), vec![TOKEN; echo.heard().len()]);
    assert!(echo.heard().len() >= 4, "{:?}", echo.heard());
    assert!(
        stories[0].contains("ok `sql-value`: n of `is *** 1` is 1"),
        "{}",
        stories[0]
    );
    assert!(stories[1].contains("invalid input syntax"), "{}", stories[1]);
    for run in 1..=4_u64 {
        assert_nowhere("the story", home.story(run)?.as_bytes());
        let told = home.json(&["runs", "show", &run.to_string()])?;
        // Of what the server answered, which the finding shows, nothing is left but its length.
        let stars: String = echoed(TOKEN)
            .chars()
            .map(|c| if c == ' ' { ' ' } else { '*' })
            .collect();
        let text = told.to_string();
        assert!(text.contains(&format!("\"excerpt\":\"{stars}\"")), "run {run}: {text}");
        assert_nowhere("the story as JSON", text.as_bytes());
    }
    let explained = home.done(&["check", "--explain"])?;
    assert_nowhere("the explanation", explained.stdout.as_bytes());

    let files = assert_nowhere_below(&home.path().join("data"))?;
    assert!(files > 1, "there are only {files} files in the data directory");
    Ok(())
}

/// What looks for them finds them where they are.
#[test]
fn every_spelling_would_have_been_found() -> anyhow::Result<()> {
    let names = found(echoed(TOKEN).as_bytes(), &[TOKEN]);
    for form in ["plain", "hex", "URL-encoded", "base64 behind 0"] {
        assert!(names.iter().any(|name| name == form), "{form} is not among {names:?}");
    }
    for lead in ["x", "xx", "xxx"] {
        let text = STANDARD.encode(format!("{lead}{PASSWORD} and more"));
        let found = found(text.as_bytes(), &[PASSWORD]);
        let first = found.first().with_context(|| format!("nothing in {text}"))?;
        assert!(first.starts_with("base64"), "{found:?}");
    }
    assert!(found(b"***", &[TOKEN, PASSWORD]).is_empty());
    Ok(())
}
