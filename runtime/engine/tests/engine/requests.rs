//! What a person may ask for, and what they get to hear.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::Calls;
use evenkeel_engine::{CancelError, PersonRequest, RequestError, WaitError};
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{Input, InputKind, Runbook};
use serde_json::{Value, json};

use crate::world::alarms::alert;
use crate::world::home::{home, runbook, selecting, step};
use crate::world::script::{Script, System, applied, call, failed, found, hang, plan};
use crate::world::{World, person};

fn watch() -> Runbook {
    runbook("watch", vec![step("look")])
}

fn world() -> World {
    let app = selecting(
        Runbook {
            name: "app".into(),
            ..watch()
        },
        "role",
        "app",
    );
    World::new(home(vec![watch(), app]), System::new(Severity::Ok).script())
}

async fn refused(world: &World, request: PersonRequest) -> String {
    world.ask(request).await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_answered_with_the_nearest() {
    let world = world();
    assert_eq!(
        refused(&world, person("wacth")).await,
        "there is no runbook `wacth`; did you mean `watch`?"
    );
    assert_eq!(
        refused(&world, person("entirely-else")).await,
        "there is no runbook `entirely-else`"
    );
    let request = PersonRequest {
        target: Some("steel-l".into()),
        ..person("app")
    };
    assert_eq!(
        refused(&world, request).await,
        "there is no asset `steel-l`; did you mean `steel-1`?"
    );
    assert_eq!(world.journal.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_targets_bound_a_person_too() {
    let world = world();
    let on = |runbook: &str, asset: &str| PersonRequest {
        target: Some(asset.into()),
        ..person(runbook)
    };
    assert_eq!(
        refused(&world, on("app", "local")).await,
        "`app` does not take `local`: it is not among what `role=\"app\"` selects"
    );
    assert_eq!(
        refused(&world, on("watch", "steel-1")).await,
        "`watch` does not take `steel-1`: without `[targets] select` it acts on `local` alone"
    );
    assert_eq!(world.run_as(on("app", "steel-2")).await.len(), 1);
    assert_eq!(world.run("app").await.len(), 3, "all, if they say so");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_names_no_target_is_not_taken_to_mean_all_of_them() {
    let world = world();
    let plain = |runbook: &str| PersonRequest {
        all: false,
        ..person(runbook)
    };
    assert_eq!(
        refused(&world, plain("app")).await,
        "`app` selects 3 targets: `paper-1`, `steel-1`, `steel-2`; name one with --target, or say --all-targets"
    );
    assert_eq!(world.journal.count(), 0);
    assert_eq!(world.run_as(plain("watch")).await.len(), 1, "one is no question");

    let book = selecting(watch(), "role", "app");
    let twelve = (10..22).map(|n| crate::world::home::asset(&format!("app-{n}"), "steel", None));
    let world = World::new(
        crate::world::home::with_assets(vec![book], twelve.collect()),
        Script::default(),
    );
    let why = refused(&world, plain("watch")).await;
    assert!(why.contains("selects 12 targets: `app-10`, "), "{why}");
    assert!(why.contains("`app-19` and 2 more; name one"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_a_person_gives_names_the_target() {
    let world = world();
    let given = |labels: &[(&str, &str)]| PersonRequest {
        alert: Some(alert("Slow", labels)),
        ..person("app")
    };
    let runs = world.run_as(given(&[("asset", "steel-2")])).await;
    assert_eq!(runs[0].target.as_ref().unwrap().as_str(), "steel-2");
    assert_eq!(runs[0].verdict, Some(Verdict::Healthy), "it need not fire");
    let why = refused(&world, given(&[("asset", "paper-1")])).await;
    assert!(
        why.starts_with("`app` finds no target: no asset of customer `steel`"),
        "{why}"
    );
}

fn with_inputs() -> World {
    let input = |name: &str, kind, default| Input {
        name: name.into(),
        summary: None,
        kind,
        default,
    };
    let book = Runbook {
        inputs: vec![
            input("days", InputKind::Integer, Some(json!(7))),
            input("ratio", InputKind::Number, Some(json!(0.5))),
            input("deep", InputKind::Boolean, Some(json!(false))),
            input("path", InputKind::String, None),
        ],
        ..watch()
    };
    World::new(home(vec![book]), System::new(Severity::Ok).script())
}

fn setting(values: Value) -> PersonRequest {
    PersonRequest {
        input: values.as_object().unwrap().clone(),
        ..person("watch")
    }
}

#[tokio::test(start_paused = true)]
async fn inputs_are_checked_against_what_is_declared() {
    let world = with_inputs();
    for (values, why) in [
        (json!({}), "input `path`: it has no default and must be set"),
        (json!({ "path": 1 }), "input `path`: it must be a string"),
        (
            json!({ "path": "x", "days": "soon" }),
            "input `days`: it must be an integer",
        ),
        (
            json!({ "path": "x", "days": 1.5 }),
            "input `days`: it must be an integer",
        ),
        (
            json!({ "path": "x", "ratio": "NaN" }),
            "input `ratio`: it must be a number",
        ),
        (
            json!({ "path": "x", "deep": "yes" }),
            "input `deep`: it must be `true` or `false`",
        ),
        (
            json!({ "pth": "x" }),
            "input `pth`: the runbook takes no such input; did you mean `path`?",
        ),
    ] {
        assert_eq!(refused(&world, setting(values)).await, why);
    }
}

#[tokio::test(start_paused = true)]
async fn text_from_a_command_line_becomes_what_is_wanted() {
    let world = with_inputs();
    let values = json!({ "path": "7", "days": "30", "ratio": "2", "deep": "true" });
    world.run_as(setting(values)).await;
    let input = &world.script.invocations()[0].input;
    assert_eq!(input["input.path"], "7");
    assert_eq!(input["input.days"], 30);
    assert_eq!(input["input.ratio"], 2.0);
    assert_eq!(input["input.deep"], true);
}

#[tokio::test(start_paused = true)]
async fn asking_twice_with_one_request_is_asking_once() {
    let world = world();
    let request = person("app");
    let first = world.ask(request.clone()).await.unwrap();
    assert_eq!(world.ask(request).await.unwrap(), first);
    assert_eq!(first.runs.len(), 3);
    assert_eq!(world.journal.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_a_run_and_says_why() {
    let script = Script::default().on("look", Phase::Check, |mut invocation, _| async move {
        let _ = invocation.cancelled.wait_for(|cancelled| *cancelled).await;
        found(Severity::Ok)
    });
    let steps = vec![step("look"), crate::world::home::step_as("again", "look")];
    let world = World::new(home(vec![runbook("watch", steps)]), script);
    let run = world.ask(person("watch")).await.unwrap().runs[0];
    world
        .until("it looks", || (world.script.called().len() == 1).then_some(()))
        .await;
    world.engine.cancel(run, "ada said so").await.unwrap();
    let summary = world.engine.wait(run).await.unwrap();
    assert_eq!(
        (summary.verdict, summary.why.as_str()),
        (Some(Verdict::Cancelled), "ada said so")
    );
    assert_eq!(world.script.called().len(), 1);
    assert!(matches!(
        world.engine.cancel(run, "again").await,
        Err(CancelError::Finished(_))
    ));
    assert!(matches!(
        world.engine.cancel(RunId(99), "?").await,
        Err(CancelError::Unknown(_))
    ));
    assert!(matches!(world.engine.wait(RunId(99)).await, Err(WaitError::Unknown(_))));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_a_run_that_waits_to_be_resumed_says_so() {
    let world = world();
    world.journal.fail_after(0);
    let run = world.ask(person("watch")).await.unwrap().runs[0];
    assert_eq!(world.engine.wait(run).await.unwrap().verdict, None);
    let error = world.engine.cancel(run, "enough").await.unwrap_err();
    assert!(matches!(error, CancelError::NotUnderWay(_)));
    assert_eq!(error.to_string(), "run 1 waits to be resumed; ask again in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_after_the_end_says_that_it_has_finished() {
    let world = world();
    let (engine, mut feed) = (world.engine.clone(), world.engine.follow());
    let told = tokio::spawn(async move {
        while let Ok((run, event)) = feed.recv().await {
            if matches!(event.body, Body::Finished { .. }) {
                return engine.cancel(run, "late").await;
            }
        }
        Ok(())
    });
    world.run("watch").await;
    assert!(matches!(told.await.unwrap(), Err(CancelError::Finished(_))));
}

#[tokio::test(start_paused = true)]
async fn who_follows_sees_every_event_in_order() {
    let world = world();
    let mut feed = world.engine.follow();
    world.run("watch").await;
    let mut told = Vec::new();
    while let Ok((run, event)) = feed.try_recv() {
        assert_eq!(run, RunId(1));
        told.push(event);
    }
    assert_eq!(told, world.journal.all(RunId(1)));
}

#[tokio::test(start_paused = true)]
async fn a_drain_begins_nothing_and_lets_invocations_end() {
    let script = Script::default().on("look", Phase::Check, |_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        found(Severity::Ok)
    });
    let steps = vec![step("look"), crate::world::home::step_as("again", "look")];
    let world = World::new(home(vec![runbook("watch", steps)]), script);
    let run = world.ask(person("watch")).await.unwrap().runs[0];
    world
        .until("it looks", || (world.script.called().len() == 1).then_some(()))
        .await;
    let drained = world.engine.drain(Duration::from_secs(60)).await;
    assert!(drained.abandoned.is_empty());
    assert!(matches!(world.ask(person("watch")).await, Err(RequestError::Draining)));
    assert_eq!(
        world.engine.wait(run).await.unwrap().verdict,
        None,
        "it goes on at the next start"
    );
    assert!(matches!(world.bodies(1).last(), Some(Body::StepFinished { .. })));
    assert_eq!(world.script.called().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_longer_than_it_may() {
    let world = World::new(
        home(vec![watch()]),
        Script::default().on("look", Phase::Check, |_, _| hang()),
    );
    let run = world.ask(person("watch")).await.unwrap().runs[0];
    world
        .until("it looks", || (world.script.called().len() == 1).then_some(()))
        .await;
    let drained = world.engine.drain(Duration::from_secs(5)).await;
    assert_eq!(drained.abandoned, [run]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_journal_fails_is_left_and_changes_nothing_more() {
    let system = System::new(Severity::Critical);
    let makes_no_effect_without_intent = |_, calls: Arc<dyn Calls>| async move {
        calls.intend(0, &call(false)).await.unwrap_err();
        failed(Class::Permanent)
    };
    let script = system.script().on("fix", Phase::Apply, makes_no_effect_without_intent);
    let world = World::new(home(vec![runbook("repair", vec![step("look"), step("fix")])]), script);
    // All up to the intent go together.
    world.journal.fail_after(0);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    let summary = world.engine.wait(run).await.unwrap();
    assert_eq!(summary.verdict, None);
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    assert!(world.engine.under_way().is_empty());
}

/// Unlike yields, these are turns among the tasks that are ready.
async fn take_turns(turns: usize) {
    for _ in 0..turns {
        tokio::spawn(async {}).await.unwrap();
    }
}

/// Whichever of the two is written first: no action begins after a cancel.
#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_just_before_an_action_is_in_time() {
    let mut began = Vec::new();
    for turns in 0..30 {
        let script = Script::default()
            .always("look", Phase::Check, found(Severity::Critical))
            .always("fix", Phase::Plan, plan(&["a", "b"]))
            .on("fix", Phase::Apply, |_, _| async {
                take_turns(10).await;
                applied(true)
            });
        let book = runbook("repair", vec![step("look"), step("fix")]);
        let world = World::new(home(vec![book]), script);
        let (engine, mut feed) = (world.engine.clone(), world.engine.follow());
        tokio::spawn(async move {
            while let Ok((run, event)) = feed.recv().await {
                if matches!(&event.body, Body::Invoked { key, .. } if key.action.as_deref() == Some("a")) {
                    take_turns(turns).await;
                    let _ = engine.cancel(run, "stop").await;
                }
            }
        });
        world.verdict("repair").await;
        let bodies = world.bodies(1);
        let at = |wanted: fn(&Body) -> bool| bodies.iter().position(wanted);
        let cancel = at(|body| matches!(body, Body::CancelRequested { .. }));
        let apply = at(|body| matches!(body, Body::Invoked { key, .. } if key.action.as_deref() == Some("b")));
        if let (Some(cancel), Some(apply)) = (cancel, apply) {
            assert!(apply < cancel, "after {turns} turns");
        }
        began.push(apply.is_some());
    }
    assert!(
        began.contains(&true) && began.contains(&false),
        "both orders were met: {began:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_not_stop_the_look_at_what_was_done() {
    let system = System::new(Severity::Critical);
    let seen = system.severity.clone();
    let script = system.script().on("look", Phase::Check, move |invocation, _| {
        let outcome = found(*seen.lock().unwrap());
        async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(!*invocation.cancelled.borrow());
            outcome
        }
    });
    let book = crate::world::home::healed(
        runbook("repair", vec![step("look"), step("fix")]),
        evenkeel_model::runbook::Otherwise::Undo,
    );
    let world = World::new(home(vec![book]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    world
        .until("it looks again", || (world.script.called().len() == 4).then_some(()))
        .await;
    world.engine.cancel(run, "enough").await.unwrap();
    assert_eq!(world.engine.wait(run).await.unwrap().verdict, Some(Verdict::Repaired));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_of_an_invocation_after_its_end() {
    let late = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = late.clone();
    let script = Script::default().on("look", Phase::Check, move |_, calls| {
        *kept.lock().unwrap() = Some(calls);
        async { found(Severity::Ok) }
    });
    let world = World::new(home(vec![watch()]), script);
    world.run("watch").await;
    let before = world.journal.all(RunId(1));
    let calls = late.lock().unwrap().take().unwrap();
    calls.log(evenkeel_model::call::Level::Info, "still here".into(), vec![]);
    calls.progress(1, "still here".into());
    assert!(calls.intend(0, &crate::world::script::call(true)).await.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.journal.all(RunId(1)), before);
}
