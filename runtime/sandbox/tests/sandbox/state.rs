//! What a plugin remembers.

use evenkeel_engine::port::Work;
use evenkeel_model::run::Mode;
use serde_json::{Value, json};

use crate::stage::Scene;

/// A check of a step that no other test has: the sandbox, and so its memory, is everybody's.
fn check(step: &str, steps: Value) -> Scene {
    let mut scene = Scene::check(steps);
    scene.invocation.key.step = step.into();
    scene
}

#[tokio::test]
async fn what_is_put_is_there_the_next_time_for_the_same_owner_alone() {
    let steps = json!([
        { "get": { "key": "a" } },
        { "put": { "key": "a", "value": "one" } },
        { "put": { "key": "a", "value": "two", "if-version": 1 } },
        { "put": { "key": "a", "value": "three", "if-version": 1 } },
        { "put": { "key": "ab", "value": "" } },
    ]);
    let told = check("remembers", steps).told().await;
    assert_eq!(
        told[..3],
        [json!({ "ok": null }), json!({ "ok": 1 }), json!({ "ok": 2 })]
    );
    assert!(told[3]["err"].as_str().unwrap().contains("Conflict"), "{}", told[3]);

    let look =
        json!([{ "get": { "key": "a" } }, { "keys": { "prefix": "a" } }, { "keys": { "prefix": "a", "after": "a" } }]);
    let told = check("remembers", look.clone()).told().await;
    assert_eq!(
        told,
        [
            json!({ "ok": ["two", 2] }),
            json!({ "ok": ["a", "ab"] }),
            json!({ "ok": ["ab"] })
        ]
    );

    for change in [
        |scene: &mut Scene| scene.invocation.key.step = "another".into(),
        |scene: &mut Scene| scene.invocation.plugin.name = "another".into(),
        |scene: &mut Scene| scene.invocation.runbook = "another".into(),
        |scene: &mut Scene| {
            let target = std::sync::Arc::make_mut(&mut scene.invocation.target);
            target.id = "another".into();
        },
    ] {
        let mut scene = check("remembers", look.clone());
        change(&mut scene);
        assert_eq!(scene.told().await[..2], [json!({ "ok": null }), json!({ "ok": [] })]);
    }
}

#[tokio::test]
async fn keys_values_and_the_whole_are_bounded() {
    let steps = json!([
        { "put": { "key": "", "value": "x" } },
        { "put": { "key-bytes": 257, "value": "x" } },
        { "get": { "key-bytes": 1_000_000 } },
        { "put": { "key": "large", "bytes": 65_537 } },
        { "put": { "key": "fits", "bytes": 900 } },
        { "put": { "key": "full", "bytes": 900 } },
        { "put": { "key": "2", "value": "" } },
        { "put": { "key": "3", "value": "" } },
        { "delete": { "key": "fits" } },
        { "put": { "key": "full", "bytes": 900 } },
    ]);
    let scene = check("bounded", steps).limits(|limits| {
        limits.state_bytes = 1_000;
        limits.state_keys = 2;
    });
    let told = scene.told().await;
    for large in &told[..4] {
        assert!(large["err"].as_str().unwrap().contains("TooLarge"), "{large}");
    }
    assert_eq!(told[4], json!({ "ok": 1 }));
    assert!(told[5]["err"].as_str().unwrap().contains("Quota"), "{}", told[5]);
    assert_eq!(told[6], json!({ "ok": 1 }));
    assert!(told[7]["err"].as_str().unwrap().contains("Quota"), "{}", told[7]);
    assert_eq!(
        told[9],
        json!({ "ok": 2 }),
        "a key after a deleted one has a higher version than that had"
    );
    assert_eq!(scene.journal.answers().len(), 10, "every call is journaled");
}

#[tokio::test]
async fn a_plan_and_a_dry_run_remember_nothing_and_say_so() {
    let steps = json!([{ "put": { "key": "a", "value": "x" } }, { "get": { "key": "a" } }]);
    let mut dry = check("forgets", steps.clone());
    dry.invocation.mode = Mode::DryRun;
    let mut plan = Scene::new(Work::Plan, json!({ "steps": steps }));
    plan.invocation.key.step = "forgets".into();
    for scene in [dry, plan] {
        let told = scene.told().await;
        assert_eq!(
            told,
            [json!({ "ok": 1 }), json!({ "ok": ["x", 1] })],
            "it sees what it put"
        );
        let logs = scene.journal.logs();
        assert_eq!(logs.len(), 1, "{logs:?}");
        assert!(logs[0].contains("is discarded"), "{logs:?}");
    }
    let told = check("forgets", json!([{ "get": { "key": "a" } }])).told().await;
    assert_eq!(told, [json!({ "ok": null })]);
}
