//! Plugins that take more than they are given. Numbers are rows of the list of hostile plugins.

use std::time::{Duration, Instant};

use evenkeel_engine::port::Work;
use evenkeel_model::call::Answer;
use evenkeel_model::invocation::{Outcome, Output, Stop};
use serde_json::json;

use crate::stage::{Scene, eventually};

/// 1: loops for ever in `run`.
#[tokio::test]
async fn a_loop_is_interrupted_at_its_cpu_budget() {
    let scene = Scene::check(json!([{ "spin": {} }])).limits(|limits| limits.cpu = Duration::from_millis(100));
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Cpu);
    assert_eq!(
        message,
        "it used 100 ms of CPU time: the limit is `[sandbox] cpu` in evenkeel.toml"
    );
}

/// 1: and does not keep others from their work, not even on one thread.
#[tokio::test(flavor = "current_thread")]
async fn a_loop_delays_nobody() {
    let spinning = Scene::check(json!([{ "spin": {} }])).limits(|limits| limits.cpu = Duration::from_secs(20));
    let honest = Scene::check(json!([{ "context": {} }]));
    honest.told().await;
    let began = Instant::now();
    tokio::select! {
        outcome = spinning.play() => panic!("it ended first: {outcome:?}"),
        () = async { for _ in 0..20 { honest.told().await; } } => {}
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// 3: sleeps for ever.
#[tokio::test]
async fn a_sleep_is_stopped_at_the_deadline() {
    let mut scene = Scene::check(json!([{ "sleep": { "n": 3_600_000 } }]));
    scene.invocation.timeout = Duration::from_millis(200);
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Deadline);
    assert_eq!(
        message,
        "it did not end within 200 ms: the limit is the step's `timeout`"
    );
}

/// 4: grows memory to the maximum.
#[tokio::test]
async fn memory_is_bounded() {
    let scene = Scene::check(json!([{ "grow": {} }])).limits(|limits| limits.memory_bytes = 32 << 20);
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Memory);
    assert_eq!(
        message,
        "it asked for more than 32 MiB of memory: the limit is `[sandbox] memory` in evenkeel.toml"
    );
}

#[tokio::test]
async fn a_plugin_that_takes_no_for_an_answer_goes_on() {
    let steps = json!([{ "grow-gently": { "n": 1_u64 << 30 } }, { "context": {} }]);
    let told = Scene::check(steps)
        .limits(|limits| limits.memory_bytes = 32 << 20)
        .told()
        .await;
    assert_eq!(told[0], json!({ "ok": false }));
}

/// 5: recurses without end.
#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let (stop, message) = Scene::check(json!([{ "recurse": {} }])).stopped().await;
    assert_eq!(stop, Stop::Trap);
    assert_eq!(message, "it recursed until its stack of 512 KiB was full");
}

/// 6: copies huge memory regions in a loop.
#[tokio::test]
async fn copying_is_cpu_time() {
    let scene =
        Scene::check(json!([{ "copy": { "n": 64 << 20 } }])).limits(|limits| limits.cpu = Duration::from_millis(200));
    assert_eq!(scene.stopped().await.0, Stop::Cpu);
}

/// 7: passes a 128 MiB string, or a list of a million empty strings.
#[tokio::test]
async fn what_crosses_in_one_call_is_bounded() {
    for steps in [
        json!([{ "log-huge": { "n": 128 << 20 } }]),
        json!([{ "list-huge": { "n": 1_000_000 } }]),
    ] {
        let (stop, message) = Scene::check(steps).stopped().await;
        assert_eq!(stop, Stop::Limit, "{message}");
        assert_eq!(
            message,
            "it passed or answered more than 8 MiB in one call: the limit is `[sandbox] crossing` in evenkeel.toml"
        );
    }
}

/// 8: returns a million findings; a plan of a million actions.
#[tokio::test]
async fn answers_are_bounded_and_the_limit_is_named() {
    let findings = Scene::new(Work::Check, json!({ "findings": 1_001 })).stopped().await;
    assert_eq!(
        findings,
        (
            Stop::Limit,
            "it answered 1001 findings, and 1000 are allowed: the limit is `[sandbox] findings` in evenkeel.toml"
                .into()
        )
    );
    let actions = Scene::new(Work::Plan, json!({ "actions": 1_001 })).stopped().await;
    assert!(actions.1.contains("`[sandbox] actions`"), "{}", actions.1);
    let million = Scene::new(Work::Check, json!({ "findings": 1_000_000 }))
        .stopped()
        .await;
    assert_eq!(million.0, Stop::Limit, "{}", million.1);
    let large =
        Scene::new(Work::Check, json!({ "fail": "x".repeat(2_000) })).limits(|limits| limits.answer_bytes = 1_000);
    assert_eq!(
        large.stopped().await.1,
        "it answered more than 1000 bytes: the limit is `[sandbox] answer_bytes` in evenkeel.toml"
    );
}

/// 9: floods log, stdout and stderr.
#[tokio::test]
async fn floods_of_lines_are_cut_and_counted() {
    for flood in ["log-flood", "print-flood"] {
        let scene = Scene::check(json!([{ flood: { "n": 500 } }])).limits(|limits| limits.log_lines = 20);
        scene.told().await;
        assert_eq!(
            (scene.journal.logs().len(), scene.journal.dropped()),
            (20, 480),
            "{flood}"
        );
    }
    let scene = Scene::check(json!([{ "log-flood": { "n": 100 } }])).limits(|limits| limits.log_bytes = 700);
    scene.told().await;
    assert_eq!(
        (scene.journal.logs().len(), scene.journal.dropped()),
        (10, 90),
        "of six bytes each, and 64 besides"
    );
}

/// 9: escapes, line breaks and long lines.
#[tokio::test]
async fn lines_are_lines_whatever_is_printed() {
    let long = "x".repeat(10_000);
    let stdout = format!("one\r\n\u{1b}[31mtwo\n{long}\nthree");
    let scene = Scene::check(json!([
        { "print": { "stdout": stdout, "stderr": "warned" } },
        { "log": { "message": long } },
    ]));
    scene.told().await;
    let logs = scene.journal.logs();
    assert_eq!(
        (logs[0].as_str(), logs[1].as_str()),
        ("one", "\u{1b}[31mtwo"),
        "what shows it escapes it"
    );
    assert!(logs[2].ends_with("x… (5904 bytes more)"), "{}", logs[2]);
    assert!(
        logs.iter().any(|line| line == "three") && logs.iter().any(|line| line == "warned"),
        "{logs:?}"
    );
    assert!(logs.iter().all(|line| line.len() < 4_200));
}

/// 10: ten million cheap host calls.
#[tokio::test]
async fn calls_are_counted() {
    let scene = Scene::check(json!([{ "call-flood": { "n": 10_000_000 } }])).limits(|limits| limits.calls = 100);
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Limit);
    assert_eq!(
        message,
        "it made more than 100 capability calls: the limit is `[sandbox] calls` in evenkeel.toml"
    );
    assert_eq!(scene.journal.answers().len(), 100, "each of them was journaled");

    let scene = Scene::check(json!([{ "run-flood": { "n": 10_000_000 } }])).limits(|limits| limits.calls = 100);
    let (stop, message) = scene.stopped().await;
    assert_eq!(
        (stop, message.contains("`[sandbox] calls`")),
        (Stop::Limit, true),
        "{message}"
    );
}

#[tokio::test]
async fn the_journal_of_an_invocation_is_bounded() {
    let scene = Scene::check(json!([{ "call-flood": { "n": 1_000 } }])).limits(|limits| limits.journal_bytes = 2_000);
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Limit);
    assert_eq!(
        message,
        "what its calls carried is more than 2000 bytes: the limit is `[sandbox] journal_bytes` in evenkeel.toml"
    );
    assert!(
        scene
            .journal
            .answers()
            .iter()
            .all(|answer| matches!(answer, Answer::Denied(_)))
    );
}

#[tokio::test]
async fn a_plugin_may_end_itself_and_nothing_else() {
    let (stop, message) = Scene::check(json!([{ "exit": {} }])).stopped().await;
    assert_eq!(
        (stop, message.as_str()),
        (Stop::Trap, "it ended itself with exit code 1")
    );
}

/// 25: is cancelled in a host call.
#[tokio::test]
async fn a_cancelled_plugin_has_five_seconds() {
    let scene = Scene::check(json!([{ "log": { "message": "asleep" } }, { "sleep": { "n": 3_600_000 } }]));
    let cancel = async {
        eventually(|| scene.journal.logs() == ["asleep"]).await;
        scene.cancel.send(true).unwrap();
    };
    let (outcome, ()) = tokio::join!(scene.play(), cancel);
    let Outcome::Stopped { stop, message } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (stop, message.as_str()),
        (Stop::Cancelled, "the run was cancelled, and it did not end by itself")
    );
}

#[tokio::test]
async fn a_cancelled_plugin_that_ends_by_itself_is_done() {
    let scene = Scene::check(json!([{ "context": { "input": "none" } }]));
    scene.cancel.send(true).unwrap();
    let told = scene.told().await;
    assert_eq!(
        (&told[0]["ok"]["cancelled"], &told[0]["ok"]["input"]),
        (&json!(true), &json!(null))
    );
}

/// 25: its slot is used by another customer's plugin.
#[tokio::test]
async fn many_at_once_wait_for_their_turn_and_share_nothing() {
    let scenes: Vec<Scene> = (0..64)
        .map(|n| {
            let mut scene = Scene::check(json!([{ "context": { "input": "n" } }]));
            scene.invocation.input.insert("n".into(), json!(n));
            scene
        })
        .collect();
    let mut running = tokio::task::JoinSet::new();
    for (n, scene) in scenes.into_iter().enumerate() {
        running.spawn(async move { (n, scene.play().await) });
    }
    while let Some(done) = running.join_next().await {
        let (n, outcome) = done.unwrap();
        let Outcome::Done(Output::Findings(findings)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            findings[0].summary.contains(&format!("\"input\":\"{n}\"")),
            "{}",
            findings[0].summary
        );
    }
}
