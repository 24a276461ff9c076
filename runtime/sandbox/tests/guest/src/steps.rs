use std::io::Write as _;

use serde_json::{Value, json};

use crate::evenkeel::cap::{exec, files, http, secrets, sql};
use crate::evenkeel::plugin::{log, run as context};
use crate::{attack, senses};

/// Each step is an object with one key, the function, and its arguments.
pub fn run(steps: &Value) -> Vec<Value> {
    let mut last = String::new();
    let steps = steps.as_array().into_iter().flatten();
    steps
        .map(|wanted| {
            // What the step before it got, where it is asked for.
            let filled = wanted.to_string().replace("<last>", &last);
            let told = step(&serde_json::from_str(&filled).expect("JSON"));
            if let Some(got) = told["ok"].as_str() {
                let quoted = json!(got).to_string();
                last = quoted[1..quoted.len() - 1].to_owned();
            }
            told
        })
        .collect()
}

fn step(step: &Value) -> Value {
    let (name, args) = step.as_object().and_then(|step| step.iter().next()).expect("a step");
    let text = |key: &str| args[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| args[key].as_u64().unwrap_or_default();
    let texts = |key: &str| -> Vec<String> {
        args[key]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| item.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    match name.as_str() {
        "space" => told(files::space(&text("root")).map(|space| json!(space.total_bytes > 0))),
        "walk" => told(
            files::walk(
                &text("root"),
                &text("path"),
                args["after"].as_str(),
                number("limit") as u32,
            )
            .map(|entries| {
                entries
                    .iter()
                    .map(|entry| format!("{} {:?}", entry.path, entry.kind))
                    .collect()
            }),
        ),
        "read" => told(
            files::read(&text("root"), &text("path"), number("offset"), number("limit") as u32)
                .map(|bytes| json!(String::from_utf8_lossy(&bytes))),
        ),
        "write" => told(files::write(&text("root"), &text("path"), text("content").as_bytes()).map(|()| json!(null))),
        "remove" => {
            told(files::remove(&text("root"), &texts("paths")).map(|removed| json!([removed.files, removed.bytes])))
        }
        "exec" => told(
            exec::run(&text("profile"), &texts("args"), text("stdin").as_bytes()).map(|output| {
                json!({
                    "code": output.code,
                    "stdout": String::from_utf8_lossy(&output.stdout),
                    "stderr": String::from_utf8_lossy(&output.stderr),
                    "truncated": output.truncated,
                })
            }),
        ),
        "http" => told(http::send(&request(args)).map(|response| {
            json!({
                "status": response.status,
                "headers": response.headers,
                "body": String::from_utf8_lossy(&response.body),
                "certificate": response.certificate.map(|certificate| certificate.subject),
            })
        })),
        "query" | "query-range" => senses::query(name, args),
        "select" | "signal" => senses::processes(name, args),
        "sql" => told(
            sql::query(
                &or(&text("database"), "main"),
                &or(&text("query"), "select 1"),
                &values(args),
                rows(args),
            )
            .map(|rows| {
                json!({
                    "columns": rows.columns,
                    "rows": rows.rows.iter().map(|row| row.iter().map(shown).collect()).collect::<Vec<Value>>(),
                    "truncated": rows.truncated,
                })
            }),
        ),
        "sql-execute" => told(
            sql::execute(&or(&text("database"), "main"), &text("statement"), &values(args))
                .map(|changed| json!(changed)),
        ),
        "get" | "put" | "delete" | "keys" => senses::memory(name, args),
        "reference" => told(secrets::reference(&text("name")).map(Value::from)),
        "reveal" => told(secrets::reveal(&text("name")).map(Value::from)),
        "hmac" => told(secrets::hmac_sha256(&text("key"), &text("message")).map(Value::from)),
        "log" => {
            log::write(log::Level::Error, &text("message"), &[("key".into(), "value".into())]);
            json!({ "ok": log::enabled(log::Level::Debug) })
        }
        "print" => {
            print!("{}", text("stdout"));
            eprint!("{}", text("stderr"));
            std::io::stdout().flush().expect("it never fails");
            json!({ "ok": null })
        }
        "context" => {
            context::progress(1_500, "half way");
            json!({ "ok": {
                "id": context::id(),
                "attempt": context::attempt(),
                "left": context::deadline_ms() > 0,
                "input": context::input(&text("input")),
                "cancelled": context::cancelled(),
            } })
        }
        "random" => senses::random(),
        "clocks" => senses::clocks(),
        "environment" => json!({ "ok": {
            "env": std::env::vars().count(),
            "args": std::env::args().count(),
            "root": std::fs::read_dir("/").is_ok(),
            "connect": std::net::TcpStream::connect("127.0.0.1:1").map_err(|error| error.kind().to_string()).err(),
        } }),
        attack => attack::run(attack, args),
    }
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn rows(args: &Value) -> u32 {
    args["limit"].as_u64().map_or(100, |limit| limit as u32)
}

/// As JSON has them; a blob is `{"blob": "text"}`.
fn values(args: &Value) -> Vec<sql::Value> {
    let value = |value: &Value| match value {
        Value::Null => sql::Value::Null,
        Value::Bool(value) => sql::Value::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => sql::Value::Integer(number),
            None => sql::Value::Real(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => sql::Value::Text(text.clone()),
        other => sql::Value::Blob(other["blob"].as_str().unwrap_or_default().into()),
    };
    args["params"].as_array().into_iter().flatten().map(value).collect()
}

fn shown(value: &sql::Value) -> Value {
    match value {
        sql::Value::Null => Value::Null,
        sql::Value::Boolean(value) => json!(value),
        sql::Value::Integer(value) => json!(value),
        sql::Value::Real(value) => json!(value),
        sql::Value::Text(text) => json!(text),
        sql::Value::Blob(bytes) => json!({ "blob": String::from_utf8_lossy(bytes) }),
    }
}

fn request(args: &Value) -> http::Request {
    let text = |key: &str, or: &str| args[key].as_str().unwrap_or(or).to_owned();
    let headers = args["headers"].as_array().into_iter().flatten();
    let header = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    http::Request {
        origin: text("origin", "app"),
        method: text("method", "GET"),
        path: text("path", "/"),
        headers: headers.filter_map(header).collect(),
        body: text("body", "").into_bytes(),
    }
}

pub fn told<E: std::fmt::Debug>(result: Result<Value, E>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": format!("{error:?}") }),
    }
}
