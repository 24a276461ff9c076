use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};

use crate::evenkeel::cap::files;
use crate::evenkeel::plugin::{log, run as context};

/// What no plugin should do.
pub fn run(name: &str, args: &Value) -> Value {
    let number = args["n"].as_u64().unwrap_or(0);
    match name {
        "spin" => loop {
            black_box(0);
        },
        "sleep" => std::thread::sleep(Duration::from_millis(number)),
        "grow" => grow(),
        "grow-gently" => {
            let mut bytes: Vec<u8> = Vec::new();
            return json!({ "ok": bytes.try_reserve(number as usize).is_ok() });
        }
        "recurse" => {
            recurse(0);
        }
        "copy" => copy(number as usize),
        "log-huge" => log::write(log::Level::Info, &"x".repeat(number as usize), &[]),
        "list-huge" => {
            let _ = files::remove("cache", &vec![String::new(); number as usize]);
        }
        "log-flood" => (0..number).for_each(|n| log::write(log::Level::Info, &format!("line {n}"), &[])),
        "print-flood" => (0..number).for_each(|n| println!("line {n}")),
        "run-flood" => (0..number).for_each(|_| {
            black_box(context::attempt());
        }),
        "call-flood" => (0..number).for_each(|_| {
            let _ = black_box(files::space("nothing"));
        }),
        "panic" => panic!("{}", args["message"].as_str().unwrap_or_default()),
        "exit" => std::process::exit(3),
        other => panic!("no step `{other}`"),
    }
    json!({ "ok": null })
}

fn grow() {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(vec![1; 1 << 20]);
        black_box(&held);
    }
}

#[allow(unconditional_recursion, reason = "that is the attack")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + 1
}

fn copy(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    loop {
        memory.copy_within(0..bytes / 2, bytes / 2);
        black_box(&memory);
    }
}
