//! An invocation runs again from what was recorded of it, and from nothing else.

mod differences;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel_engine::port::Work;
use evenkeel_engine::recording::{Difference, Ending, Replayed, Side};
use evenkeel_model::call::Answer;
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Outcome, Output, Stop};
use evenkeel_model::role::{Resource, Secret, SecretFrom};
use evenkeel_model::tape::Seed;
use serde_json::json;

use crate::stage::{Scene, effect, notice, origin, replay, sandbox, scratch, shell};

fn same(calls: u32) -> Replayed {
    Replayed {
        calls,
        ending: Ending::Same,
    }
}

fn differs(replayed: Replayed) -> Difference {
    match replayed.ending {
        Ending::Differs(difference) => *difference,
        other => panic!("no difference: {other:?}"),
    }
}

/// Answers each request once with a body that counts up, and then is gone.
fn counting(requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for n in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{n}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

fn secret(dir: &Path) -> Resource {
    let path = dir.join("secret");
    fs::write(&path, "s3cr3t-value").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Resource::Secret(Secret {
        from: SecretFrom::File(path),
        allow: Vec::new(),
        origins: Vec::new(),
        exec: vec!["cat".into()],
        hmac: true,
    })
}

/// A check that looks at all that a check may look at.
fn looking(dir: &Path) -> Scene {
    fs::write(dir.join("file"), [0, 159, 146, 150]).unwrap();
    let steps = json!([
        { "context": { "input": "before" } },
        { "context": { "input": "nowhere" } },
        { "space": { "root": "data" } },
        { "walk": { "root": "data", "path": "", "limit": 10 } },
        { "read": { "root": "data", "path": "file", "offset": 0, "limit": 100 } },
        { "read": { "root": "data", "path": "missing", "offset": 0, "limit": 100 } },
        { "read": { "root": "other", "path": "file", "offset": 0, "limit": 100 } },
        { "write": { "root": "data", "path": "file", "content": "never in a check" } },
        { "exec": { "profile": "dice" } },
        { "exec": { "profile": "unlisted" } },
        { "http": { "path": "/one" } },
        { "http": { "path": "/two" } },
        { "put": { "key": "seen", "value": "1" } },
        { "get": { "key": "seen" } },
        { "keys": { "prefix": "" } },
        { "reference": { "name": "token" } },
        { "exec": { "profile": "cat", "stdin": "<last>" } },
        { "reveal": { "name": "token" } },
        { "hmac": { "key": "nothing", "message": "held" } },
        { "random": {} },
        { "clocks": {} },
        { "log": { "message": "a line" } },
        { "select": {} },
        { "query": {} },
        { "sql": {} },
    ]);
    let mut private = origin(&counting(2));
    private.private = true;
    let mut scene = Scene::check(steps)
        .root(&["read"], "data", dir)
        .profile("dice", shell("od -An -N8 -tx1 /dev/urandom"))
        .profile("cat", shell("base64"))
        .origin(&["GET"], "app", private)
        .grant(Capability::Secrets, &["use", "reveal"], "token", secret(dir));
    scene
        .invocation
        .input
        .insert("before".into(), json!({ "deep": [1.5, null] }));
    scene
}

#[tokio::test]
async fn all_that_a_plugin_saw_is_seen_again_when_it_is_gone() {
    let (dir, path) = scratch();
    let scene = looking(&path);
    let outcome = scene.play().await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let made = scene.journal.answers().len();
    drop(dir);
    assert!(!path.exists());
    let recording = scene.recording(outcome);
    for _ in 0..2 {
        let replayed = replay(recording.clone()).await;
        assert_eq!(replayed, same(made.try_into().unwrap()));
    }
    let answers = scene.journal.answers();
    let denied = answers.iter().filter(|answer| matches!(answer, Answer::Denied(_)));
    assert!(denied.count() >= 5, "denials are replayed too");
}

#[tokio::test]
async fn another_seed_is_another_invocation() {
    let scene = Scene::check(json!([{ "random": {} }]));
    let (_, replayed) = scene.again().await;
    assert_eq!(replayed, same(0));
    let outcome = scene.play().await;
    let mut recording = scene.recording(outcome);
    recording.given.seed = Seed([2; 32]);
    assert!(matches!(differs(replay(recording).await).replayed, Side::Ended(_)));
}

#[tokio::test]
async fn a_replay_waits_for_nothing() {
    let scene = Scene::check(json!([{ "sleep": { "n": 3_000 } }, { "exec": { "profile": "slow" } }, { "clocks": {} }]))
        .profile("slow", shell("sleep 3"));
    let began = Instant::now();
    let outcome = scene.play().await;
    let live = began.elapsed();
    assert!(live >= Duration::from_secs(6));
    let began = Instant::now();
    assert_eq!(replay(scene.recording(outcome)).await, same(1));
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "it waited: {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn effects_are_not_made_again() {
    let (_dir, path) = scratch();
    let steps = json!([
        { "write": { "root": "data", "path": "new", "content": "first" } },
        { "write": { "root": "data", "path": "new", "content": "not declared so often" } },
        { "remove": { "root": "data", "paths": ["old"] } },
    ]);
    fs::write(path.join("old"), "x").unwrap();
    let effects = vec![
        effect("files", "write", "data:new"),
        effect("files", "remove", "data:old"),
    ];
    let scene = Scene::apply(effects, steps).root(&["read", "write", "remove"], "data", &path);
    let outcome = scene.play().await;
    let answers = scene.journal.answers();
    assert!(
        matches!(answers[..], [Answer::Ok(_), Answer::Denied(_), Answer::Ok(_)]),
        "{answers:?}"
    );
    fs::remove_file(path.join("new")).unwrap();
    fs::write(path.join("old"), "again").unwrap();
    assert_eq!(replay(scene.recording(outcome)).await, same(3));
    assert!(path.join("old").exists() && !path.join("new").exists());
}

/// What an action fails for, whatever it answers, is found again: not what one of the keys refused,
/// and what is one more than the action declares, over all attempts.
#[tokio::test]
async fn an_undeclared_effect_fails_the_action_again() {
    let write = |root: &str| json!({ "write": { "root": root, "path": "new", "content": "x" } });
    let (_dir, path) = scratch();
    let mut declared = vec![
        effect("files", "write", "data:new"),
        effect("files", "write", "other:new"),
    ];
    declared[0].at_most = 2;
    for (steps, spent, failed) in [
        (json!([write("other"), write("data"), write("data")]), false, false),
        (
            json!([write("other"), write("data"), write("data"), write("data")]),
            false,
            true,
        ),
        (json!([write("other"), write("data"), write("data")]), true, true),
    ] {
        let mut scene = Scene::apply(declared.clone(), steps).root(&["write"], "data", &path);
        if spent {
            let before = Scene::apply(declared.clone(), json!([write("data")])).root(&["write"], "data", &path);
            before.play().await;
            scene.invocation.spent = before.journal.intents();
        }
        let (outcome, replayed) = scene.again().await;
        assert_eq!(
            matches!(&outcome, Outcome::Failed(failure) if failure.code == "undeclared-effect"),
            failed,
            "{outcome:?}"
        );
        assert_eq!(replayed.ending, Ending::Same, "{outcome:?}");
    }
}

#[tokio::test]
async fn plans_and_undoings_are_replayed() {
    let (_dir, path) = scratch();
    fs::write(path.join("file"), "content").unwrap();
    let steps = json!([
        { "read": { "root": "data", "path": "file", "offset": 0, "limit": 9 } },
        { "put": { "key": "k", "value": "discarded" } },
        { "get": { "key": "k" } },
    ]);
    let plan = Scene::new(Work::Plan, json!({ "steps": steps, "effects": [] })).root(&["read"], "data", &path);
    assert_eq!(plan.again().await.1, same(3));
    let undoing = json!([{ "remove": { "root": "data", "paths": ["file"] } }]);
    let scene = Scene::rollback(vec![effect("files", "remove", "data:file")], undoing);
    let scene = scene.root(&["remove"], "data", &path);
    let (outcome, replayed) = scene.again().await;
    assert_eq!(outcome, Outcome::Done(Output::RolledBack));
    assert_eq!(replayed, same(1));
}

#[tokio::test]
async fn however_it_ended_it_ends_so_again() {
    let ends: [(&str, Scene); 9] = [
        ("an error", Scene::new(Work::Check, json!({ "fail": "no luck" }))),
        ("a panic", Scene::check(json!([{ "panic": { "message": "oh" } }]))),
        ("exit", Scene::check(json!([{ "exit": {} }]))),
        ("recursion", Scene::check(json!([{ "recurse": {} }]))),
        ("memory", Scene::check(json!([{ "grow": {} }]))),
        (
            "cpu",
            Scene::check(json!([{ "spin": {} }])).limits(|limits| limits.cpu = Duration::from_millis(50)),
        ),
        (
            "calls",
            Scene::check(json!([{ "call-flood": { "n": 100 } }])).limits(|limits| limits.calls = 9),
        ),
        (
            "findings",
            Scene::new(Work::Check, json!({ "findings": 9 })).limits(|limits| limits.findings = 3),
        ),
        (
            "journal",
            Scene::check(json!([{ "call-flood": { "n": 100 } }])).limits(|limits| limits.journal_bytes = 999),
        ),
    ];
    for (end, scene) in ends {
        let (outcome, replayed) = scene.again().await;
        assert!(!matches!(outcome, Outcome::Done(_)), "{end}");
        assert_eq!(replayed.ending, Ending::Same, "{end}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_was_interrupted_is_the_same_up_to_there() {
    let mut late = Scene::check(json!([{ "space": { "root": "x" } }, { "sleep": { "n": 60_000 } }]));
    late.invocation.timeout = Duration::from_millis(300);
    let (outcome, replayed) = late.again().await;
    assert!(
        matches!(
            outcome,
            Outcome::Stopped {
                stop: Stop::Deadline,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(replayed, same(1));

    let polite = Scene::check(json!([{ "context": {} }, { "space": { "root": "x" } }]));
    polite.cancel.send_replace(true);
    assert_eq!(polite.again().await.1, same(1));
}

#[tokio::test]
async fn a_revealed_secret_is_read_with_the_home_s_key_alone() {
    let (_dir, path) = scratch();
    let steps = json!([{ "reveal": { "name": "token" } }, { "put": { "key": "<last>", "value": "v" } }]);
    let scene = Scene::check(steps).grant(Capability::Secrets, &["reveal"], "token", secret(&path));
    let (outcome, replayed) = scene.again().await;
    assert_eq!(replayed, same(2));
    let recording = scene.recording(outcome);
    let told = format!("{recording:?}");
    assert!(!told.contains("s3cr3t"), "{told}");
    let mut elsewhere = recording;
    elsewhere.run.0 += 1;
    let ending = replay(elsewhere).await.ending;
    assert!(matches!(ending, Ending::Withheld { n: 0, .. }), "{ending:?}");
}

#[tokio::test]
async fn monitors_and_notifiers_are_replayed() {
    let (_dir, path) = scratch();
    let steps = json!({ "steps": [{ "space": { "root": "data" } }, { "clocks": {} }] });
    let monitor = Scene::new(Work::Collect, steps.clone()).root(&["read"], "data", &path);
    assert_eq!(monitor.again().await.1, same(1));
    let notifier = Scene::new(Work::Send(notice()), steps);
    assert_eq!(notifier.again().await.1, same(1));
}

#[tokio::test]
async fn a_plugin_that_is_not_installed_is_said() {
    let scene = Scene::check(json!([]));
    let outcome = scene.play().await;
    let other = evenkeel_sandbox::digest(b"other");
    let why = sandbox().replay(scene.recording(outcome), &other).await.unwrap_err();
    assert!(!why.to_string().is_empty());
}
