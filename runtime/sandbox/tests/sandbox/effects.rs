//! Rows 13, 23, 24 and 34: what may be changed, and when.

use std::fs;

use evenkeel_engine::port::Work;
use evenkeel_model::action::hex;
use evenkeel_model::call::Answer;
use evenkeel_model::invocation::{Class, Outcome};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::{Line, Scene, action, denied, effect, origin, scratch, shell};

fn remove(paths: &[&str]) -> Value {
    json!({ "remove": { "root": "data", "paths": paths } })
}

/// 34: a check or a plan that removes, executes, posts.
#[tokio::test]
async fn a_check_and_a_plan_change_nothing() {
    let (_dir, root) = scratch();
    fs::write(root.join("a"), "kept").unwrap();
    let steps = json!([
        remove(&["a"]),
        { "write": { "root": "data", "path": "a", "content": "" } },
        { "exec": { "profile": "touch" } },
        { "http": { "method": "POST", "origin": "app", "path": "/x" } },
    ]);
    for (work, phase) in [(Work::Check, "a check"), (Work::Plan, "a plan")] {
        let mut touch = shell("exit 1");
        touch.read_only = false;
        let scene = Scene::new(work, json!({ "steps": steps }))
            .root(&["read", "write", "remove"], "data", &root)
            .profile("touch", touch)
            .origin(&["POST"], "app", origin("http://127.0.0.1:1"));
        for told in scene.told().await {
            assert!(
                denied(&told).contains(&format!("changes something, and {phase} never does")),
                "{told}"
            );
        }
        assert!(scene.journal.intents().is_empty());
        assert!(
            scene
                .journal
                .answers()
                .iter()
                .all(|answer| matches!(answer, Answer::Denied(_))),
            "and it is said"
        );
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "kept");
    }
}

/// 23: applies what it did not plan.
#[tokio::test]
async fn apply_makes_what_was_approved_and_nothing_else() {
    let (_dir, root) = scratch();
    for name in ["a", "b", "c"] {
        fs::write(root.join(name), name).unwrap();
    }
    let effects = vec![effect("files", "remove", "data:a"), effect("files", "remove", "data:b")];
    let scene = Scene::apply(
        effects,
        json!([remove(&["a", "c"]), remove(&["a", "b"]), remove(&["a"])]),
    )
    .root(&["remove"], "data", &root);
    let told = scene.undeclared().await;
    assert_eq!(
        denied(&told[0]),
        "Denied(\"`files.remove` of `data:c` is not among the effects of the action `the-action`\")"
    );
    assert_eq!(
        told[1],
        json!({ "ok": { "files": 2, "bytes": 2 } }),
        "the denied call took nothing"
    );
    assert!(
        denied(&told[2]).contains("once more is not among the effects"),
        "{}",
        told[2]
    );
    assert!(root.join("c").exists() && !root.join("a").exists());
}

#[tokio::test]
async fn an_intent_comes_before_its_answer_and_a_denied_call_has_none() {
    let (_dir, root) = scratch();
    fs::write(root.join("a"), "a").unwrap();
    let steps = json!([remove(&["z"]), remove(&["a"]), { "read": { "root": "data", "path": "a", "limit": 1 } }]);
    let scene = Scene::apply(vec![effect("files", "remove", "data:a")], steps).root(&["read", "remove"], "data", &root);
    scene.undeclared().await;
    let lines = scene.journal.lines.lock().unwrap();
    let order: Vec<(u32, bool, bool)> = lines
        .iter()
        .map(|line| match line {
            Line::Intended(n, _) => (*n, true, false),
            Line::Answered(n, call, _) => (*n, false, call.is_some()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        [(0, false, true), (1, true, false), (1, false, false), (2, false, true)]
    );
}

/// 24: another content than approved; a literal stays literal.
#[tokio::test]
async fn content_and_subject_are_what_was_approved() {
    let (_dir, root) = scratch();
    let write = |path: &str, content: &str| json!({ "write": { "root": "data", "path": path, "content": content } });
    let mut exact = effect("files", "write", "data:**");
    exact.content = Some(hex(&Sha256::digest("approved")));
    let steps = json!([write("**", "other"), write("a", "approved"), write("**", "approved")]);
    let told = Scene::apply(vec![exact], steps)
        .root(&["write"], "data", &root)
        .undeclared()
        .await;
    assert!(
        denied(&told[0]).contains("with this content is not among the effects"),
        "{}",
        told[0]
    );
    assert!(denied(&told[1]).contains("`data:a` is not among"), "{}", told[1]);
    assert_eq!(told[2], json!({ "ok": null }));
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);

    let glob = vec![effect("files", "write", "glob:data:tmp/*.log")];
    fs::create_dir(root.join("tmp")).unwrap();
    let steps = json!([write("tmp/x", ""), write("tmp/x.log", "")]);
    let told = Scene::apply(glob, steps)
        .root(&["write"], "data", &root)
        .undeclared()
        .await;
    assert!(denied(&told[0]).contains("is not among"), "{}", told[0]);
    assert_eq!(told[1], json!({ "ok": null }));
}

/// 23: it is not believed, and says what it tried first.
#[tokio::test]
async fn an_action_whose_undeclared_effect_was_denied_fails_whatever_it_answers() {
    let (_dir, root) = scratch();
    let undeclared = json!([remove(&["b"]), remove(&["c"]), remove(&["a"])]);
    let scene = Scene::apply(vec![effect("files", "remove", "data:a")], undeclared).root(&["remove"], "data", &root);
    let Outcome::Failed(failure) = scene.play().await else {
        panic!("it is believed");
    };
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (Class::Denied, "undeclared-effect")
    );
    assert_eq!(
        failure.message,
        "`files.remove` of `data:b` is not among the effects of the action `the-action`"
    );

    // What is not granted is no effect that it did not declare.
    let ungranted = json!([{ "remove": { "root": "other", "paths": ["a"] } }]);
    let scene = Scene::apply(vec![effect("files", "remove", "data:a")], ungranted).root(&["remove"], "data", &root);
    assert!(denied(&scene.told().await[0]).contains("is not granted"));
}

#[tokio::test]
async fn rollback_has_effects_of_its_own() {
    let (_dir, root) = scratch();
    fs::write(root.join("a"), "a").unwrap();
    let scene = Scene::rollback(vec![effect("files", "remove", "data:a")], json!([remove(&["a"])]));
    let outcome = scene.root(&["remove"], "data", &root).play().await;
    assert!(!root.join("a").exists(), "{outcome:?}");

    fs::write(root.join("a"), "a").unwrap();
    let forward_only = action(
        vec![effect("files", "remove", "data:a")],
        Vec::new(),
        json!({ "back": [remove(&["a"])] }),
    );
    let scene = Scene::new(Work::Rollback(forward_only, None), json!({})).root(&["remove"], "data", &root);
    let told = scene.undeclared().await;
    assert!(root.join("a").exists());
    let reason = denied(&told[0]);
    assert!(
        reason.contains("is not among the undo_effects of the action `the-action`"),
        "{reason}"
    );
}

/// 35: another customer's asset, or one of the same customer that was not granted.
#[tokio::test]
async fn another_assets_things_are_denied_alike_whether_they_exist_or_not() {
    let (_dir, root) = scratch();
    let steps = json!([{ "space": { "root": "db-1/data" } }, { "space": { "root": "rival/data" } }]);
    let told = Scene::check(steps).root(&["read"], "data", &root).told().await;
    let words = |at: usize, name: &str| denied(&told[at]).replace(name, "X");
    assert_eq!(words(0, "db-1/data"), words(1, "rival/data"));
    let told = Scene::check(json!([{ "space": { "root": "db-1/data" } }]))
        .root(&["read"], "db-1/data", &root)
        .told()
        .await;
    assert_eq!(told[0], json!({ "ok": true }), "granted by that name");
}

/// At most so often, over all attempts at the action.
#[tokio::test]
async fn a_second_attempt_does_not_get_what_the_first_one_used() {
    let (_dir, root) = scratch();
    let effects = vec![
        effect("files", "remove", "data:a"),
        effect("files", "write", "glob:data:*.log"),
    ];
    let write = json!({ "write": { "root": "data", "path": "x.log", "content": "x" } });
    let steps = json!([remove(&["a"]), write]);
    fs::write(root.join("a"), "a").unwrap();
    let first = Scene::apply(effects.clone(), json!([remove(&["a"])])).root(&["remove"], "data", &root);
    first.play().await;
    assert!(!root.join("a").exists());

    fs::write(root.join("a"), "another one").unwrap();
    let mut second = Scene::apply(effects, steps).root(&["remove", "write"], "data", &root);
    second.invocation.key.attempt = 2;
    second.invocation.spent = first.journal.intents();
    let told = second.undeclared().await;
    assert!(
        denied(&told[0]).contains("`data:a` once more is not among"),
        "{}",
        told[0]
    );
    assert_eq!(told[1], json!({ "ok": null }), "what was not used is still there");
    assert!(root.join("a").exists());
}
