//! Row 15: commands, and what they leave behind.

use std::fs;

use anyhow::ensure;
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    wait::wait_until,
};

use crate::{arena::Arena, attack::Attack};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn commands_are_the_operator_s() -> anyhow::Result<()> {
    let settings = r#"
[role.steel.exec.look]
command = ["echo"]
args = ["[a-z]*"]
read_only = true

[role.steel.exec.touch]
command = ["touch", "steel/scratch/touched"]

[role.steel.exec.stubborn]
command = ["sh", "-c", "trap '' TERM HUP INT; sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' stubborn-child & (sleep 600 &) ; while :; do sleep 0.1; done", "stubborn-parent"]
read_only = true
timeout = "1s"

[role.steel.exec.escape]
command = ["sh", "-c", "setsid sh -c '(trap \"\" TERM HUP INT; sh -c \"while :; do sleep 0.1; done\" stubborn-escaped) & exit'; sleep 600"]
read_only = true
timeout = "1s"

[role.steel.exec.serve]
command = ["sh", "-c", "setsid sh -c '(exec sh -c \"while [ -e evenkeel.toml ]; do sleep 0.1; done\" left-behind) & exit' </dev/null >/dev/null 2>&1"]
read_only = true

[role.steel.exec.flood]
command = ["sh", "-c", "yes flood | head -c 100000000"]
read_only = true
"#;
    let grant = r#"exec = ["run look", "run touch", "run stubborn", "run escape", "run serve", "run flood"]"#;
    let look = |what, args: &str, says: &str| {
        Attack::check(15, what, &format!(r#"{{ act = "exec", name = "look", {args} }}"#))
            .grant(grant)
            .says(says)
    };
    let run = |row, what, name: &str, says: &str| {
        Attack::check(row, what, &format!(r#"{{ act = "exec", name = "{name}" }}"#))
            .grant(grant)
            .says(says)
    };
    let attacks = vec![
        look("runs what it may", r#"args = ["fine"]"#, "DONE: exit Some(0), 5 bytes"),
        run(
            15,
            "runs a profile that is not listed",
            "sh",
            "`run sh` is not granted: the step's `grant` does not name it under `exec`; the plugin's manifest must ask for it and the role of the target allow it, too",
        ),
        look(
            "passes an argument too many",
            r#"args = ["a", "b"]"#,
            "`look` takes 1 further arguments, not 2",
        ),
        look(
            "passes a newline",
            r#"args = ["a\nb"]"#,
            "an argument holds a line break or a NUL",
        ),
        look(
            "passes a NUL",
            r#"args = ["a\u0000b"]"#,
            "an argument holds a line break or a NUL",
        ),
        look(
            "passes an argument of 1 MB",
            "n = 1000000",
            "the arguments have more than 64 KiB",
        ),
        run(
            15,
            "ignores SIGTERM and leaves children",
            "stubborn",
            "the command took too long",
        ),
        run(
            15,
            "leaves its process group and session, and its parent",
            "escape",
            "the command took too long",
        ),
        run(
            15,
            "starts a service and ends in time",
            "serve",
            "DONE: exit Some(0), 0 bytes",
        ),
        run(15, "prints 100 MB", "flood", "the command printed too much"),
        run(
            34,
            "changes something with a command in a check",
            "touch",
            "`exec.run` of `touch []` changes something, and a check never does",
        ),
    ];
    let arena = Arena::new(settings, &[], attacks)?;
    arena.fight()?;
    ensure!(!arena.home.path().join("steel/scratch/touched").exists(), "it was run");
    gone(&arena.home, "stubborn-");
    let left = processes(&arena.home, "left-behind")?;
    ensure!(!left.is_empty(), "what was started to stay has ended");
    Ok(())
}

#[test]
fn what_a_killed_daemon_was_running_ends_with_it() -> anyhow::Result<()> {
    let settings = r#"
[role.steel.exec.orphan]
command = ["sh", "-c", "trap '' TERM HUP INT; setsid sh -c '(sh -c \"while :; do sleep 0.1; done\" orphan-escaped) & exit'; while :; do sleep 0.1; done", "orphan-leader"]
read_only = true
"#;
    let attack = Attack::check(15, "outlives the daemon", r#"{ act = "exec", name = "orphan" }"#)
        .grant(r#"exec = ["run orphan"]"#);
    let name = attack.name(0);
    let arena = Arena::new(settings, &[], vec![attack])?;
    arena.desk.start(&name)?;
    wait_until(BOUND, "both run", || {
        let escaped = processes(&arena.home, "orphan-escaped")?;
        ensure!(escaped.len() > 1, "they are {escaped:?}");
        Ok(())
    });
    let (home, daemon) = arena.close();
    daemon.kill()?;
    gone(&home, "orphan-");
    Ok(())
}

#[track_caller]
fn gone(home: &Home, words: &str) {
    wait_until(BOUND, "the processes have ended", || {
        let left = processes(home, words)?;
        ensure!(left.is_empty(), "they are {left:?}");
        Ok(())
    });
}

/// The command lines of processes in this home that hold these words.
fn processes(home: &Home, words: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let process = entry?.path();
        // A process may end meanwhile.
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(words) && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == home.path()) {
            found.push(line);
        }
    }
    Ok(found)
}
