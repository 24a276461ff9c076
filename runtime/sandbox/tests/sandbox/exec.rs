//! Row 15: commands, and what they leave behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use evenkeel_model::action::hex;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::role::Profile;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::{Scene, denied, effect, eventually, profile, scratch, shell};

fn run(args: &[&str]) -> Value {
    json!({ "exec": { "profile": "command", "args": args } })
}

#[tokio::test]
async fn a_command_gets_its_arguments_input_and_nothing_of_our_environment() {
    let mut command = profile(
        &["sh", "-c", "cat; env | sort; echo \"$0 $1\" >&2; exit 3", "first"],
        &["[a-z]+"],
    );
    command.env.insert("LANG".into(), "C".into());
    let step = json!({ "exec": { "profile": "command", "args": ["second"], "stdin": "in\n" } });
    let scene = Scene::check(json!([step])).profile("command", command);
    let told = scene.told().await;
    let output = &told[0]["ok"];
    assert_eq!(
        (&output["code"], &output["stderr"]),
        (&json!(3), &json!("first second\n"))
    );
    let stdout = output["stdout"].as_str().unwrap();
    let names: Vec<&str> = stdout.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["in", "LANG", "PATH", "PWD"], "{stdout}");
    assert!(scene.journal.intents().is_empty(), "a read-only profile is no effect");
}

/// A service that it starts would keep them, and never end on SIGTERM.
#[tokio::test]
async fn no_signal_is_blocked_for_a_command() {
    let status = profile(&["grep", "SigBlk", "/proc/self/status"], &[]);
    let told = Scene::check(json!([run(&[])])).profile("command", status).told().await;
    assert_eq!(told[0]["ok"]["stdout"], json!("SigBlk:\t0000000000000000\n"));
}

#[tokio::test]
async fn unlisted_profiles_and_arguments_are_denied() {
    let steps = json!([
        { "exec": { "profile": "other" } },
        run(&[]),
        run(&["a", "b"]),
        run(&["A"]),
        run(&["a\nb"]),
        run(&["a\0"]),
        run(&["a".repeat(1 << 20).as_str()]),
    ]);
    let told = Scene::check(steps)
        .profile("command", profile(&["true"], &["[^A-Z]*"]))
        .told()
        .await;
    let words = [
        "`run other` is not granted",
        "takes 1 further arguments, not 0",
        "takes 1 further arguments, not 2",
        "argument 1 of `command` is `A`",
        "holds a line break or a NUL",
        "holds a line break or a NUL",
        "the arguments have more than 64 KiB",
    ];
    for (told, words) in told.iter().zip(words) {
        assert!(denied(told).contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_command_that_changes_things_is_approved_with_its_input() {
    let (_dir, dir) = scratch();
    let mut command = shell("cat > out");
    command.read_only = false;
    command.cwd = Some(dir.clone());
    let mut approved = effect("exec", "run", "command []");
    approved.content = Some(hex(&Sha256::digest("good")));
    let step = |stdin: &str| json!({ "exec": { "profile": "command", "stdin": stdin } });
    let scene = Scene::apply(vec![approved], json!([step("evil"), step("good")])).profile("command", command);
    let told = scene.undeclared().await;
    assert!(denied(&told[0]).contains("with this content"), "{}", told[0]);
    assert_eq!(told[1]["ok"]["code"], json!(0));
    assert_eq!(fs::read_to_string(dir.join("out")).unwrap(), "good");
    let intents = scene.journal.intents();
    assert_eq!(
        (intents.len(), intents[0].subject.as_str(), intents[0].repeatable),
        (1, "command []", false)
    );
}

#[tokio::test]
async fn a_command_that_is_not_there_says_so() {
    let told = Scene::check(json!([run(&[])]))
        .profile("command", profile(&["no-such-program"], &[]))
        .told()
        .await;
    assert!(
        told[0]["err"]
            .as_str()
            .unwrap()
            .contains("`no-such-program`: No such file or directory"),
        "{}",
        told[0]
    );
}

/// Ignores SIGTERM, and forks.
#[tokio::test]
async fn the_whole_process_group_ends_at_the_timeout() {
    let (_dir, dir) = scratch();
    let mut stubborn =
        shell("trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $! > child; echo $$ > leader; wait");
    stubborn.cwd = Some(dir.clone());
    stubborn.timeout = Duration::from_secs(2);
    let told = Scene::check(json!([run(&[])]))
        .profile("command", stubborn)
        .told()
        .await;
    assert_eq!(told[0], json!({ "err": "ExecError::TimedOut" }));
    for name in ["leader", "child"] {
        let pid = fs::read_to_string(dir.join(name)).unwrap();
        eventually(|| is_gone(pid.trim())).await;
    }
}

#[tokio::test]
async fn a_command_that_ends_on_the_signal_is_given_the_time() {
    let (_dir, dir) = scratch();
    let mut polite = shell("trap 'echo bye > said; exit' TERM; while :; do sleep 0.05; done");
    polite.cwd = Some(dir.clone());
    polite.timeout = Duration::from_secs(2);
    Scene::check(json!([run(&[])])).profile("command", polite).told().await;
    assert_eq!(fs::read_to_string(dir.join("said")).unwrap(), "bye\n");
}

#[tokio::test]
async fn the_group_ends_with_its_invocation() {
    let (_dir, dir) = scratch();
    let mut forever = shell("trap '' TERM; echo $$ > leader; while :; do sleep 0.05; done");
    forever.cwd = Some(dir.clone());
    let mut scene = Scene::check(json!([run(&[])])).profile("command", forever);
    scene.invocation.timeout = Duration::from_secs(3);
    let Outcome::Stopped { stop, .. } = scene.play().await else {
        panic!("stopped")
    };
    assert_eq!(stop, Stop::Deadline);
    let pid = fs::read_to_string(dir.join("leader")).unwrap();
    eventually(|| is_gone(pid.trim())).await;
}

/// Leaves its group and session, and its parent is gone.
const FORKED_TWICE: &str = r#"setsid sh -c '(trap "" TERM HUP INT; echo $$ > parent; sh -c "echo \$PPID" > daemon; while :; do sleep 0.05; done) &'"#;

fn forks_twice(dir: &Path, then: &str) -> Profile {
    let mut command = shell(&format!(
        "{FORKED_TWICE}; until [ -s daemon ]; do sleep 0.01; done; {then}"
    ));
    command.cwd = Some(dir.to_owned());
    command.timeout = Duration::from_secs(2);
    command
}

fn daemon(dir: &Path) -> String {
    let pid = |name: &str| fs::read_to_string(dir.join(name)).unwrap().trim().to_owned();
    assert!(is_gone(&pid("parent")), "it has not forked twice");
    pid("daemon")
}

#[tokio::test]
async fn what_left_its_group_and_session_ends_at_the_timeout() {
    let (_dir, dir) = scratch();
    let scene = Scene::check(json!([run(&[])])).profile("command", forks_twice(&dir, "sleep 60"));
    assert_eq!(scene.told().await[0], json!({ "err": "ExecError::TimedOut" }));
    eventually(|| is_gone(&daemon(&dir))).await;
}

#[tokio::test]
async fn what_left_its_group_ends_also_with_a_command_that_says_goodbye() {
    let (_dir, dir) = scratch();
    let polite = forks_twice(&dir, "trap 'echo bye > said; exit' TERM; while :; do sleep 0.05; done");
    let scene = Scene::check(json!([run(&[])])).profile("command", polite);
    assert_eq!(scene.told().await[0], json!({ "err": "ExecError::TimedOut" }));
    assert_eq!(fs::read_to_string(dir.join("said")).unwrap(), "bye\n");
    eventually(|| is_gone(&daemon(&dir))).await;
}

#[tokio::test]
async fn what_left_its_group_ends_with_its_invocation_and_with_a_flood() {
    let (_dir, dir) = scratch();
    let mut command = forks_twice(&dir, "sleep 60");
    command.timeout = Duration::from_secs(60);
    let scene = Scene::check(json!([run(&[])])).profile("command", command);
    let cancel = async {
        // The file is there before what is in it.
        eventually(|| fs::read_to_string(dir.join("daemon")).is_ok_and(|pid| pid.ends_with('\n'))).await;
        scene.cancel.send(true).unwrap();
    };
    let ((stop, _), ()) = tokio::join!(scene.stopped(), cancel);
    assert_eq!(stop, Stop::Cancelled);
    eventually(|| is_gone(&daemon(&dir))).await;

    let (_dir, dir) = scratch();
    let scene = Scene::check(json!([run(&[])])).profile("command", forks_twice(&dir, "yes"));
    assert_eq!(scene.told().await[0], json!({ "err": "ExecError::OutputLimit" }));
    eventually(|| is_gone(&daemon(&dir))).await;
}

/// Each forks another and ends, so that there is one at a time, and never for long.
#[tokio::test]
async fn who_forks_and_ends_over_and_over_is_caught() {
    let (_dir, dir) = scratch();
    fs::write(dir.join("runner"), "echo x >> steps; exec setsid sh runner &\n").unwrap();
    let mut runner = shell("sh runner; sleep 60");
    runner.cwd = Some(dir.clone());
    runner.timeout = Duration::from_secs(1);
    let scene = Scene::check(json!([run(&[])])).profile("command", runner);
    assert_eq!(scene.told().await[0], json!({ "err": "ExecError::TimedOut" }));
    assert!(fs::metadata(dir.join("steps")).unwrap().len() > 20, "it ran");
    // One look may miss who is forking just then.
    eventually(|| (0..30).all(|_| !has_someone(&dir))).await;
}

/// Whether a process works there.
fn has_someone(dir: &Path) -> bool {
    let mut pids = fs::read_dir("/proc").unwrap().flatten().collect::<Vec<_>>();
    pids.reverse();
    pids.iter()
        .any(|pid| fs::read_link(pid.path().join("cwd")).is_ok_and(|cwd| cwd == dir))
}

/// That is how a command starts a service.
#[tokio::test]
async fn what_a_command_that_ends_in_time_leaves_behind_stays() {
    let (_dir, dir) = scratch();
    let scene = Scene::check(json!([run(&[])])).profile("command", forks_twice(&dir, "exit 0"));
    assert_eq!(scene.told().await[0]["ok"]["code"], json!(0));
    let pid = daemon(&dir);
    eventually(|| !is_attended(&pid)).await;
    let stayed = !is_gone(&pid);
    kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).ok();
    assert!(stayed, "it has ended");
}

#[tokio::test]
async fn output_is_cut_and_a_flood_ends_the_command() {
    let long = Scene::check(json!([run(&[])]))
        .limits(|limits| limits.answer_bytes = 2_000)
        .profile("command", shell("head -c 100000 /dev/zero | tr '\\0' x"));
    // What it tells is longer than what it may answer, so only the journal knows.
    long.play().await;
    let answer = format!("{:?}", long.journal.answers()[0]);
    assert!(
        answer.contains("\"truncated\": Bool(true)") && answer.len() < 4_000,
        "{answer}"
    );

    let flood = Scene::check(json!([run(&[])])).profile("command", shell("yes"));
    assert_eq!(flood.told().await[0], json!({ "err": "ExecError::OutputLimit" }));
}

#[tokio::test]
async fn a_daemon_that_keeps_the_output_open_does_not_hold_the_call() {
    let daemon = shell("sleep 3 & echo started");
    let told = Scene::check(json!([run(&[])])).profile("command", daemon).told().await;
    assert_eq!(
        (&told[0]["ok"]["code"], &told[0]["ok"]["stdout"]),
        (&json!(0), &json!("started\n"))
    );
}

/// An attendant has its name, whatever it attends.
fn is_attended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
    let name = parent.and_then(|parent| fs::read_to_string(format!("/proc/{parent}/comm")).ok());
    name.is_some_and(|name| name.trim() == "evenkeel-attend")
}

fn is_gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // A zombie is gone but for its parent, which in a container may never ask.
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}
