//! The kinds, and what they get and give.

use std::sync::Arc;

use evenkeel_engine::port::Work;
use evenkeel_model::invocation::{Class, Outcome, Output, Severity, Stop};
use evenkeel_model::plugin::Kind;
use serde_json::{Value, json};

use crate::stage::{self, Journal, Line, Scene, denied, notice, scratch};

#[tokio::test]
async fn a_check_answers_findings() {
    let scene = Scene::new(
        Work::Check,
        json!({ "steps": [{ "context": {} }], "details": "{\"percent\":91.5}" }),
    );
    let Outcome::Done(Output::Findings(findings)) = scene.play().await else {
        panic!("findings")
    };
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].code.as_str(), findings[0].severity),
        ("told", Severity::Warning)
    );
    assert_eq!(findings[0].details, Some(json!({ "percent": 91.5 })));
    assert_eq!(findings[0].labels["a"], "b");
}

#[tokio::test]
async fn a_plan_answers_actions_and_they_come_back_as_they_were() {
    let effects = json!([{ "capability": "files", "operation": "remove", "subject": "cache:a" }]);
    let plan = Scene::new(
        Work::Plan,
        json!({ "effects": effects, "body": "{\"steps\":[{\"context\":{}}]}" }),
    );
    let Outcome::Done(Output::Plan(actions)) = plan.play().await else {
        panic!("a plan")
    };
    assert_eq!(actions[0].effects[0].subject, "cache:a");

    let apply = Scene::new(Work::Apply(actions[0].clone()), json!({}));
    let Outcome::Done(Output::Applied(applied)) = apply.play().await else {
        panic!("applied")
    };
    assert!(applied.changed);
    let rollback = Scene::new(Work::Rollback(actions[0].clone(), Some(applied)), json!({}));
    assert_eq!(rollback.play().await, Outcome::Done(Output::RolledBack));
}

#[tokio::test]
async fn a_plugins_own_error_is_a_failure_with_its_class() {
    let Outcome::Failed(failure) = Scene::new(Work::Check, json!({ "fail": "no luck" })).play().await else {
        panic!("a failure")
    };
    assert_eq!(
        (failure.class, failure.code.as_str(), failure.message.as_str()),
        (Class::Transient, "as-told", "no luck")
    );
    assert_eq!(failure.details, Some(json!([1])));
}

#[tokio::test]
async fn a_plugin_knows_its_run_and_says_how_far_it_is() {
    let mut scene = Scene::check(json!([{ "context": { "input": "alert" } }, { "log": { "message": "hello" } }]));
    scene
        .invocation
        .input
        .insert("alert".into(), json!({ "name": "DiskFilling" }));
    let told = scene.told().await;
    assert_eq!(
        told[0]["ok"],
        json!({ "id": "7", "attempt": 1, "left": true, "input": "{\"name\":\"DiskFilling\"}", "cancelled": false })
    );
    let first = scene.journal.lines.lock().unwrap()[0].clone();
    assert_eq!(first, Line::Progressed(1_000, "half way".into()));
    assert_eq!(scene.journal.logs(), ["hello"]);
}

#[tokio::test]
async fn wasi_gives_nothing() {
    let told = Scene::check(json!([{ "environment": {} }])).told().await;
    assert_eq!((&told[0]["ok"]["env"], &told[0]["ok"]["args"]), (&json!(0), &json!(0)));
    assert_eq!(told[0]["ok"]["root"], json!(false));
    assert!(told[0]["ok"]["connect"].is_string(), "{}", told[0]);
}

#[tokio::test]
async fn answers_that_are_not_json_are_failures_that_say_so() {
    let scene = Scene::new(Work::Check, json!({ "steps": [{ "context": {} }], "details": "{" }));
    let Outcome::Failed(failure) = scene.play().await else {
        panic!("a failure")
    };
    assert_eq!(failure.code, "invalid-answer");
    assert!(
        failure
            .message
            .starts_with("`details` of the finding `told` is not JSON: "),
        "{}",
        failure.message
    );

    let Outcome::Failed(failure) = Scene::new(Work::Plan, json!({ "body": "nonsense" })).play().await else {
        panic!("a failure")
    };
    assert!(
        failure
            .message
            .starts_with("`body` of the action `action-0` is not JSON: "),
        "{}",
        failure.message
    );

    let twice = Scene::new(Work::Plan, json!({ "id": "same", "actions": 2 }));
    let Outcome::Failed(failure) = twice.play().await else {
        panic!("a failure")
    };
    assert_eq!(failure.message, "it planned two actions with the id `same`");
}

/// 22: panics in `plan`, `apply`, `rollback`.
#[tokio::test]
async fn a_panic_is_told_in_its_own_words() {
    let steps = json!([{ "panic": { "message": "the cache is on fire" } }]);
    let action = stage::action(Vec::new(), Vec::new(), json!({ "steps": steps, "back": steps }));
    for (work, params) in [
        (Work::Check, json!({ "steps": steps })),
        (Work::Plan, json!({ "steps": steps })),
        (Work::Apply(action.clone()), json!({})),
        (Work::Rollback(action, None), json!({})),
    ] {
        let (stop, message) = Scene::new(work, params).stopped().await;
        assert_eq!(stop, Stop::Trap);
        assert!(message.starts_with("it panicked at "), "{message}");
        assert!(message.ends_with("\nthe cache is on fire"), "{message}");
    }
}

#[tokio::test]
async fn a_component_describes_its_parameters() {
    let schemas = stage::sandbox().describe(stage::guest()).await.unwrap();
    let kinds = [Kind::Check, Kind::Remedy, Kind::Monitor, Kind::Notifier];
    assert!(schemas.keys().eq(&kinds), "{schemas:?}");
    assert_eq!(schemas[&Kind::Remedy]["title"], "remedy");
}

#[tokio::test]
async fn a_journal_that_fails_stops_the_plugin_before_the_effect() {
    let (_dir, path) = stage::scratch();
    let steps = json!([{ "write": { "root": "data", "path": "a", "content": "x" } }]);
    let mut scene =
        Scene::apply(vec![stage::effect("files", "write", "data:a")], steps).root(&["write"], "data", &path);
    scene.journal = Arc::new(Journal {
        broken: true,
        ..Journal::default()
    });
    assert_eq!(
        scene.stopped().await,
        (Stop::Journal, "the journal can't be written: the disk is full".into())
    );
    assert!(!path.join("a").exists());
}

#[tokio::test]
async fn a_monitor_answers_samples_and_changes_nothing() {
    let (_dir, path) = scratch();
    let steps = json!([{ "write": { "root": "data", "path": "new", "content": "x" } }]);
    let scene = Scene::new(Work::Collect, json!({ "steps": steps })).root(&["write"], "data", &path);
    let told = scene.told().await;
    assert!(denied(&told[0]).contains("a monitor never does"), "{}", told[0]);
    assert!(!path.join("new").exists());

    let many = Scene::new(Work::Collect, json!({ "samples": 4 })).limits(|limits| limits.samples = 3);
    let (stop, message) = many.stopped().await;
    assert_eq!(stop, Stop::Limit);
    assert!(message.contains("samples"), "{message}");
}

#[tokio::test]
async fn a_notifier_gets_its_notice_and_has_effects_by_grant_alone() {
    let (_dir, path) = scratch();
    let write = |root: &str| json!({ "write": { "root": root, "path": "outbox", "content": "x" } });
    let steps = json!({ "steps": [write("data"), write("other")] });
    let scene = Scene::new(Work::Send(notice()), steps).root(&["write"], "data", &path);
    let Outcome::Done(Output::Sent(Some(receipt))) = scene.play().await else {
        panic!("a receipt")
    };
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!((&receipt[0], &receipt[1]), (&json!(notice().id), &json!(notice().text)));
    assert!(path.join("outbox").exists());
    denied(&receipt[2][1]);
    assert_eq!(
        scene.journal.intents().len(),
        1,
        "an effect is intended before it is made"
    );
}
