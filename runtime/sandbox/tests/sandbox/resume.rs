//! An invocation that was interrupted goes on where its record ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use evenkeel_engine::port::Work;
use evenkeel_engine::recording::{Ending, Replayed};
use evenkeel_model::invocation::{Outcome, Output, Stop};
use serde_json::{Value, json};

use crate::stage::{Line, Scene, effect, origin, replay, scratch, shell};

/// Answers every request with how many there were before it.
fn counter() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let n = seen.fetch_add(1, Ordering::SeqCst);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{n}",
                n.to_string().len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, count)
}

/// The same invocation, after the first `kept` lines of what `scene` wrote down.
fn interrupted(scene: &Scene, kept: usize) -> Scene {
    let lines = scene.journal.lines.lock().unwrap()[..kept].to_vec();
    let mut again = Scene::new(scene.invocation.work.clone(), scene.invocation.params.clone());
    again.invocation = scene.invocation.clone();
    *again.journal.lines.lock().unwrap() = lines;
    let mut recording = again.recording(Outcome::Done(Output::RolledBack));
    recording.outcome = None;
    again.invocation.resume = Some(Arc::new(recording));
    again
}

fn calls(scene: &Scene) -> usize {
    scene.journal.answers().len()
}

fn same(scene: &Scene) -> Replayed {
    Replayed {
        calls: u32::try_from(calls(scene)).unwrap(),
        ending: Ending::Same,
    }
}

fn looking(root: &std::path::Path, url: &str) -> Scene {
    fs::write(root.join("file"), "seen").unwrap();
    let steps = json!([
        { "context": { "input": "before" } },
        { "clocks": {} },
        { "read": { "root": "data", "path": "file", "offset": 0, "limit": 100 } },
        { "http": { "path": "/one" } },
        { "log": { "message": "between" } },
        { "random": {} },
        { "exec": { "profile": "dice" } },
        { "read": { "root": "other", "path": "file", "offset": 0, "limit": 100 } },
        { "put": { "key": "n", "value": "1" } },
        { "http": { "path": "/two" } },
        { "get": { "key": "n" } },
        { "clocks": {} },
        { "http": { "path": "/three" } },
    ]);
    let mut private = origin(url);
    private.private = true;
    let mut scene = Scene::check(steps)
        .root(&["read"], "data", root)
        .profile("dice", shell("od -An -N8 -tx1 /dev/urandom"))
        .origin(&["GET"], "app", private);
    scene.invocation.input.insert("before".into(), json!(1));
    scene
}

#[tokio::test]
async fn wherever_it_was_interrupted_it_goes_on_from_there() {
    let (_dir, root) = scratch();
    let (url, count) = counter();
    let whole = looking(&root, &url);
    let outcome = whole.play().await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let (all, lines) = (calls(&whole), whole.journal.lines.lock().unwrap().len());
    assert_eq!((all, count.load(Ordering::SeqCst)), (8, 3));
    for kept in 0..=lines {
        let scene = interrupted(&whole, kept);
        let (made, before) = (calls(&scene), count.load(Ordering::SeqCst));
        let requests = |scene: &Scene| {
            let lines = scene.journal.lines.lock().unwrap();
            let http = |line: &&Line| matches!(line, Line::Answered(_, Some(call), _) if call.capability == evenkeel_model::grant::Capability::Http);
            u32::try_from(lines.iter().filter(http).count()).unwrap()
        };
        let answered = requests(&scene);
        let outcome = scene.play().await;
        assert!(
            matches!(outcome, Outcome::Done(_)),
            "after {kept} of {lines}: {outcome:?}"
        );
        assert_eq!(calls(&scene), all, "none is missing, none is twice: after {kept}");
        assert_eq!(count.load(Ordering::SeqCst) - before, 3 - answered, "after {kept}");
        let replayed = replay(scene.recording(outcome)).await;
        assert_eq!(replayed, same(&scene), "after {kept} of {lines}, {made} calls");
    }
}

#[tokio::test]
async fn its_clock_goes_on_and_its_deadline_does_not_count_the_time_between() {
    let steps = json!([{ "clocks": {} }, { "get": { "key": "k" } }, { "clocks": {} }]);
    let whole = Scene::check(steps);
    whole.play().await;
    let lines = whole.journal.lines.lock().unwrap().len();
    let mut scene = interrupted(&whole, lines - 1);
    let mut recording = scene.invocation.resume.as_deref().unwrap().clone();
    recording.elapsed = Duration::from_secs(25);
    scene.invocation.resume = Some(Arc::new(recording.clone()));
    assert!(matches!(scene.play().await, Outcome::Done(_)));
    // 30 seconds are all that it has.
    recording.elapsed = Duration::from_secs(30);
    scene.invocation.resume = Some(Arc::new(recording));
    assert_eq!(scene.stopped().await.0, Stop::Deadline);
}

/// Two files are written, one after the other, and a command runs that can't be run twice.
fn acting(root: &std::path::Path) -> Scene {
    let mut append = shell("echo once >> log");
    append.read_only = false;
    append.cwd = Some(root.to_owned());
    let effects = vec![
        effect("files", "write", "data:a"),
        effect("exec", "run", "append []"),
        effect("files", "write", "data:b"),
    ];
    let steps = json!([
        { "write": { "root": "data", "path": "a", "content": "1" } },
        { "exec": { "profile": "append" } },
        { "write": { "root": "data", "path": "b", "content": "2" } },
    ]);
    Scene::apply(effects, steps)
        .root(&["write"], "data", root)
        .profile("append", append)
}

#[tokio::test]
async fn an_effect_is_never_made_twice_unless_it_may_be() {
    let (_dir, root) = scratch();
    let whole = acting(&root);
    assert!(matches!(whole.play().await, Outcome::Done(_)));
    let lines = whole.journal.lines.lock().unwrap().clone();
    for kept in 0..=lines.len() {
        for name in ["a", "b", "log"] {
            let _ = fs::remove_file(root.join(name));
        }
        let scene = interrupted(&whole, kept);
        let intended = scene.journal.intents().len();
        let outcome = scene.play().await;
        let pending = matches!(lines[..kept].last(), Some(Line::Intended(_, call)) if !call.repeatable);
        let log = fs::read_to_string(root.join("log")).unwrap_or_default();
        if pending {
            let Outcome::Stopped { stop, message } = &outcome else {
                panic!("after {kept}: {outcome:?}")
            };
            assert_eq!(*stop, Stop::Diverged, "{message}");
            assert_eq!((log.as_str(), root.join("b").exists()), ("", false));
            continue;
        }
        assert!(matches!(outcome, Outcome::Done(_)), "after {kept}: {outcome:?}");
        assert_eq!(scene.journal.intents().len(), 3, "{intended} before, each begun once");
        assert_eq!(log, if intended >= 2 { "" } else { "once\n" }, "after {kept}");
        assert_eq!(replay(scene.recording(outcome)).await, same(&scene));
    }
}

#[tokio::test]
async fn what_a_plan_put_into_its_memory_is_there_again() {
    let steps = json!([
        { "put": { "key": "a", "value": "1" } },
        { "put": { "key": "b", "value": "2" } },
        { "delete": { "key": "b" } },
        { "get": { "key": "a" } },
        { "keys": { "prefix": "" } },
    ]);
    let whole = Scene::new(Work::Plan, json!({ "steps": steps }));
    let told = whole.told().await;
    let lines = whole.journal.lines.lock().unwrap().len();
    for kept in 0..=lines {
        assert_eq!(interrupted(&whole, kept).told().await, told, "after {kept} of {lines}");
    }
}

#[tokio::test]
async fn what_does_something_else_is_not_gone_on_with() {
    let (_dir, root) = scratch();
    let whole = acting(&root);
    whole.play().await;
    let lines = whole.journal.lines.lock().unwrap().len();
    let mut scene = interrupted(&whole, lines);
    let Work::Apply(mut action) = scene.invocation.work.clone() else {
        panic!("it is an apply")
    };
    action.body["steps"][0]["write"]["content"] = Value::from("another");
    scene.invocation.work = Work::Apply(action);
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Diverged);
    assert_eq!(
        message,
        "it was interrupted, and can't be gone on with: it did not do the same again after 0 of its calls"
    );
    assert_eq!(fs::read_to_string(root.join("log")).unwrap(), "once\n");
}
