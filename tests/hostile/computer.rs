//! Rows 1 to 11 and 25: time, memory, handles, and what is passed and said.

use std::{fs, time::Instant};

use anyhow::ensure;
use evenkeel_tests::{component::Component, plugins};

use crate::{arena::Arena, attack::Attack};

/// Small enough that an attack is over soon.
const SMALL: &str = r#"
cpu = "300ms"
memory = "64MiB"
calls = 200
log_lines = 20
"#;

const CPU: &str = "it used 300 ms of CPU time: the limit is `[sandbox] cpu` in evenkeel.toml";
const MEMORY: &str = "it asked for more than 64 MiB of memory: the limit is `[sandbox] memory` in evenkeel.toml";

/// The plugin under another name, with a module more.
pub fn grown(name: &str, module: &str, instances: usize) -> anyhow::Result<Vec<u8>> {
    let hostile = Component::parse(&fs::read(plugins::built("tests/hostile/plugin")?)?)?;
    Ok(hostile.named(name)?.and(module, instances)?.bytes())
}

#[test]
fn nothing_takes_more_of_the_computer_than_it_is_given() -> anyhow::Result<()> {
    let components = [
        (
            "starter.wasm",
            grown("starter", "(module (func $f (loop (br 0))) (start $f))", 1)?,
        ),
        ("hoarder.wasm", grown("hoarder", "(module (memory 200))", 6)?),
    ];
    let attacks = vec![
        Attack::check(1, "loops for ever in `run`", r#"{ act = "spin" }"#)
            .ends("failed")
            .says(CPU),
        Attack::plugin(2, "loops in a start function", "starter/check@1")
            .ends("failed")
            .says(CPU),
        Attack::check(3, "sleeps for ever", r#"{ act = "sleep", n = 86400000 }"#)
            .timeout("1s")
            .ends("failed")
            .says("it did not end within 1 s: the limit is the step's `timeout`"),
        Attack::check(4, "grows memory to the maximum", r#"{ act = "grow" }"#)
            .ends("failed")
            .says(MEMORY),
        Attack::plugin(4, "has six memories, each of which would fit", "hoarder/check@1")
            .ends("failed")
            .says(MEMORY),
        Attack::check(5, "recurses without end", r#"{ act = "recurse" }"#)
            .ends("failed")
            .says("it recursed until its stack of 512 KiB was full"),
        Attack::check(6, "copies huge memory regions", r#"{ act = "copy", n = 33554432 }"#)
            .ends("failed")
            .says(CPU),
        Attack::check(
            10,
            "makes ten million calls of a capability",
            r#"{ act = "call-flood", n = 10000000 }"#,
        )
        .ends("failed")
        .says("it made more than 200 capability calls: the limit is `[sandbox] calls` in evenkeel.toml"),
        Attack::check(
            10,
            "asks for its attempt ten million times",
            r#"{ act = "run-flood", n = 10000000 }"#,
        )
        .ends("failed")
        .says(
            "it called `run` and `log` more than 100 times 200 times: the limit is `[sandbox] calls` in evenkeel.toml",
        ),
    ];
    Arena::new(SMALL, &components, attacks)?.fight()
}

#[test]
fn nothing_passes_more_than_the_defaults_allow() -> anyhow::Result<()> {
    let attacks = vec![
        Attack::check(1, "loops for ever, at the defaults", r#"{ act = "spin" }"#)
            .ends("failed")
            .says("it used 10 s of CPU time: the limit is `[sandbox] cpu` in evenkeel.toml"),
        Attack::check(
            7,
            "passes a string of 128 MiB to `log`",
            r#"{ act = "log-huge", n = 134217728 }"#,
        )
        .ends("failed")
        .says("it passed or answered more than 8 MiB in one call: the limit is `[sandbox] crossing` in evenkeel.toml"),
        Attack::check(
            7,
            "passes a list of a million empty strings",
            r#"{ act = "remove-many", n = 1000000 }"#,
        )
        .ends("failed")
        .says("it passed or answered more than 8 MiB in one call: the limit is `[sandbox] crossing` in evenkeel.toml"),
        Attack::with(8, "returns a million findings", "hostile/check@1", "many = 1000000")
            .ends("failed")
            .says(
                "it passed or answered more than 8 MiB in one call: the limit is `[sandbox] crossing` in evenkeel.toml",
            ),
        Attack::with(8, "returns 1,001 findings", "hostile/check@1", "many = 1001")
            .ends("failed")
            .says(
                "it answered 1001 findings, and 1000 are allowed: the limit is `[sandbox] findings` in evenkeel.toml",
            ),
        Attack::remedy(8, "plans a million actions", "many = 1000000")
            .ends("failed")
            .says(
                "it passed or answered more than 8 MiB in one call: the limit is `[sandbox] crossing` in evenkeel.toml",
            ),
        Attack::remedy(8, "plans 1,001 actions", "many = 1001")
            .ends("failed")
            .says("it planned 1001 actions, and 1000 are allowed: the limit is `[sandbox] actions` in evenkeel.toml"),
        Attack::check(11, "takes ten thousand handles", r#"{ act = "handles", n = 10000 }"#)
            .ends("failed")
            .says("it held more than 1000 handles at once: the limit is `[sandbox] handles` in evenkeel.toml"),
        Attack::check(
            11,
            "asks for a gigabyte of random bytes",
            r#"{ act = "random", n = 1073741824 }"#,
        )
        .ends("failed")
        .says("it asked for more than 64 KiB of random bytes in one call, which no setting raises"),
    ];
    Arena::new("", &[], attacks)?.fight()
}

/// What they show is escaped in `runs show`; on pages, when there are some.
#[test]
fn a_flood_of_lines_is_cut_and_shown_without_its_escapes() -> anyhow::Result<()> {
    let flood = r#"{ act = "log-flood", n = 10000 }, { act = "print-flood", n = 10000 }"#;
    let escapes = r#"{ act = "print", text = "one\r\n\u001b[31mred\u001b[0m\n\u001b]0;title\u0007\n" }, { act = "log", text = "\u001b[2J gone\nforged" }"#;
    let attacks = vec![
        Attack::check(9, "floods log, stdout and stderr", flood),
        Attack::check(9, "writes escapes, line breaks and bytes that are no UTF-8", escapes)
            .says("\u{1b}[31mred\u{1b}[0m"),
    ];
    let arena = Arena::new("log_lines = 20\n", &[], attacks)?;
    arena.fight()?;

    let flood = arena.desk.run("row-9-0")?;
    let logged = flood
        .events
        .iter()
        .filter(|event| !event["body"]["logged"].is_null())
        .count();
    let dropped = flood
        .events
        .iter()
        .find_map(|event| event["body"]["logs-dropped"]["lines"].as_u64());
    assert_eq!((logged, dropped), (20, Some(29_980)));
    let told = arena.home.story(flood.run)?;
    ensure!(told.contains("29980 more log lines were not kept"), "{told}");

    let escapes = arena.desk.run("row-9-1")?;
    let told = arena.home.story(escapes.run)?;
    ensure!(!told.contains('\u{1b}') && !told.contains('\u{7}'), "{told}");
    ensure!(
        told.contains("\\u{1b}[31mred") && told.contains("gone\\nforged"),
        "{told}"
    );
    Ok(())
}

/// With one slot, the next plugin gets the memory that the cancelled one had.
#[test]
fn what_a_cancelled_plugin_had_in_memory_is_not_seen_by_the_next() -> anyhow::Result<()> {
    let fill =
        "(module (memory 256) (func $f (memory.fill (i32.const 0) (i32.const 165) (i32.const 16777216))) (start $f))";
    // Anything but zeros is a trap.
    let seek = "(module (memory 256) (func $f (local $at i32)
        (loop $next
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 16777216)))))
        (start $f))";
    let components = [
        ("filler.wasm", grown("filler", fill, 1)?),
        ("seeker.wasm", grown("seeker", seek, 1)?),
    ];
    let attacks = vec![
        Attack::with(
            25,
            "is cancelled while it sleeps, with its memory full",
            "filler/check@1",
            r#"acts = [{ act = "sleep", n = 600000 }]"#,
        )
        .timeout("5m"),
        Attack::plugin(25, "looks for what the one before has left", "seeker/check@1"),
    ];
    let arena = Arena::new("concurrency = 1\n", &components, attacks)?;
    for _ in 0..2 {
        let began = Instant::now();
        let run = arena.desk.start("row-25-0")?;
        arena.home.wait_for_state(run, "running");
        arena.desk.cancel(run)?;
        let filled = arena.desk.follow(run, began)?;
        assert_eq!(filled.verdict(), "cancelled", "{filled:#?}");
        let sought = arena.desk.run("row-25-1")?;
        assert_eq!(sought.verdict(), "healthy", "{sought:#?}");
    }
    Ok(())
}
