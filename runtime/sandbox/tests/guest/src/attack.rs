use std::hint::black_box;

use serde_json::{Value, json};

use crate::evenkeel::cap::files;
use crate::evenkeel::plugin::{log, run as context};

/// Those of the hostile plugin, which attacks a whole daemon.
#[path = "../../../../../tests/hostile/plugin/src/computer.rs"]
mod computer;

/// What no plugin should do.
pub fn run(name: &str, args: &Value) -> Value {
    let number = args["n"].as_u64().unwrap_or(0);
    if computer::perform(name, number) {
        return json!({ "ok": null });
    }
    match name {
        "grow-gently" => {
            let mut bytes: Vec<u8> = Vec::new();
            return json!({ "ok": bytes.try_reserve(number as usize).is_ok() });
        }
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
