//! Steps that ask for series and processes, and that remember.

use std::hash::BuildHasher as _;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::evenkeel::cap::{metrics, process, state};
use crate::steps::told;

pub fn query(name: &str, args: &Value) -> Value {
    let text = |key: &str, or: &str| args[key].as_str().unwrap_or(or).to_owned();
    let (source, expr) = (text("source", "prometheus"), text("expr", "up"));
    let number = |key: &str| args[key].as_u64().unwrap_or_default();
    let answer = match name {
        "query" => metrics::query(&source, &expr, args["at"].as_u64()),
        _ => metrics::query_range(&source, &expr, number("from"), number("to"), number("step")),
    };
    told(answer.map(|all| {
        let series = all.iter().map(|series| {
            let points = series
                .points
                .iter()
                .map(|point| json!([point.at_ms, point.value.to_string()]));
            json!([series.labels, points.collect::<Vec<_>>()])
        });
        series.collect()
    }))
}

pub fn processes(name: &str, args: &Value) -> Value {
    let profile = args["profile"].as_str().unwrap_or("app");
    if name == "select" {
        return told(process::select(profile).map(|all| {
            let info = |info: &process::Info| {
                json!({
                    "pid": info.pid, "name": info.name, "command": info.command, "user": info.user,
                    "state": info.state, "started": info.started_ms, "threads": info.threads,
                    "resident": info.resident_bytes, "cpu": info.cpu_ms,
                })
            };
            all.iter().map(info).collect()
        }));
    }
    let signal = match args["signal"].as_str() {
        Some("KILL") => process::Signal::Kill,
        Some("HUP") => process::Signal::Hangup,
        _ => process::Signal::Terminate,
    };
    let pid = args["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or_default();
    let started = args["started"].as_u64().unwrap_or_default();
    told(process::send(profile, pid, started, signal).map(|()| json!(null)))
}

pub fn memory(name: &str, args: &Value) -> Value {
    let text = |key: &str| args[key].as_str().unwrap_or_default().to_owned();
    let key = match args["key-bytes"].as_u64() {
        Some(bytes) => "k".repeat(usize::try_from(bytes).unwrap_or_default()),
        None => text("key"),
    };
    match name {
        "get" => told(state::get(&key).map(|entry| {
            entry.map_or(Value::Null, |entry| {
                json!([String::from_utf8_lossy(&entry.value), entry.version])
            })
        })),
        "put" => {
            let value = match args["bytes"].as_u64() {
                Some(bytes) => vec![b'v'; usize::try_from(bytes).unwrap_or_default()],
                None => text("value").into_bytes(),
            };
            told(state::put(&key, &value, args["if-version"].as_u64()).map(|version| json!(version)))
        }
        "delete" => told(state::delete(&key).map(|()| json!(null))),
        _ => told(state::keys(&text("prefix"), args["after"].as_str(), 100).map(|keys| json!(keys))),
    }
}

/// Through the standard library, which takes the keys of a map from WASI.
pub fn random() -> Value {
    let hash = |text: &str| std::hash::RandomState::new().hash_one(text);
    json!({ "ok": [hash("a"), hash("b"), hash("a")] })
}

/// Both clocks until one has moved, and a sleep.
pub fn clocks() -> Value {
    let (wall, began) = (SystemTime::now(), Instant::now());
    while began.elapsed() == Duration::ZERO {}
    std::thread::sleep(Duration::from_millis(2));
    json!({ "ok": [format!("{wall:?}"), format!("{:?}", began.elapsed()), format!("{:?}", SystemTime::now())] })
}
