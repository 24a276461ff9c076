//! What asks databases, sources, processes, secrets and the plugin's memory.

use evenkeel_sdk::process::{Process, Signal};
use evenkeel_sdk::{Host, Level};

use crate::act::{Act, told};

pub fn call(name: &str, act: &Act, host: &Host) -> String {
    let (of, text) = (act.name.as_str(), act.text.as_str());
    match name {
        "put" => told(host.state().put(of, "x".repeat(act.size()).as_bytes())),
        "put-long-key" => told(host.state().put(&"k".repeat(act.size()), b"x")),
        "get" => told(host.state().get(of).map(|entry| entry.is_some())),
        "reveal" => told(host.secrets().reveal(of)),
        "leak" => leak(of, host),
        "leak-and-panic" => panic!("it is {}", leak(of, host)),
        "send-reference" => send_reference(act, host),
        "query" => told(
            host.sql(of)
                .query(text)
                .limit(rows(act.n))
                .rows()
                .map(|rows| rows.rows.len()),
        ),
        "execute" => told(host.sql(of).execute(text).run()),
        "metrics" => told(host.metrics(of).query(text).map(|series| series.len())),
        "metrics-range" => told(
            host.metrics(of)
                .query_range(text, 0, act.n, 1)
                .map(|series| series.len()),
        ),
        "signal-pid" => signal(act, host, |process| Process {
            pid: u32::try_from(act.n).unwrap_or(0),
            ..process
        }),
        "signal-earlier" => signal(act, host, |process| Process {
            started_ms: process.started_ms - act.n,
            ..process
        }),
        other => panic!("there is no act `{other}`"),
    }
}

/// 1,000 unless it says otherwise.
fn rows(n: u64) -> u32 {
    if n == 0 {
        1_000
    } else {
        u32::try_from(n).unwrap_or(u32::MAX)
    }
}

/// The first that the profile selects, made another.
fn signal(act: &Act, host: &Host, other: impl FnOnce(Process) -> Process) -> String {
    let processes = host.process(&act.name);
    match processes.select() {
        Ok(mut found) if !found.is_empty() => told(
            processes
                .signal(&other(found.swap_remove(0)), Signal::Terminate)
                .map(|()| "signalled"),
        ),
        Ok(_) => "none is selected".into(),
        Err(error) => error.to_string(),
    }
}

/// Puts the value wherever it can: a log line, both streams, a path and a body, and the answer.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "that is the attack")]
fn leak(name: &str, host: &Host) -> String {
    let value = match host.secrets().reveal(name) {
        Ok(value) => value,
        Err(error) => return error.to_string(),
    };
    host.log(Level::Info, &format!("log {value}"), &[("field", &value)]);
    println!("out {value}");
    eprintln!("err {value}");
    let sent = host.http("app").request("GET", format!("/{value}")).send();
    let read = host.files("shown").read_text(&value, 10);
    format!(
        "told {value}\n{}\n{}",
        told(sent.map(|answer| answer.status)),
        told(read)
    )
}

/// The reference, where `text` says: a header of a request to `path`, or the input of the command `path`.
fn send_reference(act: &Act, host: &Host) -> String {
    let reference = match host.secrets().reference(&act.name) {
        Ok(reference) => reference,
        Err(error) => return error.to_string(),
    };
    match act.text.as_str() {
        "stdin" => told(
            host.exec(&act.path)
                .stdin(reference)
                .run()
                .map(|output| output.stdout.len()),
        ),
        _ => told(
            host.http(&act.path)
                .request("GET", "/ok")
                .header("x-token", &reference)
                .send()
                .map(|answer| answer.status),
        ),
    }
}
