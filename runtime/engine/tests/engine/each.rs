//! A step for each item of a list.

use std::num::NonZeroU32;
use std::time::Duration;

use evenkeel_engine::recording::recordings;
use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, StepResult, StepStatus, Verdict};
use evenkeel_model::runbook::{Each, List, Otherwise, Runbook, Step, Tolerate};
use serde_json::{Value, json};

use crate::world::home::{healed, home, only_when, runbook, step, step_as};
use crate::world::script::{Script, action, applied, effect, failed, found, hang, intend, plan};
use crate::world::{World, person};

pub fn for_each(step: Step, list: &str, concurrency: u32, tolerate: Tolerate) -> Step {
    Step {
        each: Some(Each {
            list: List::Expression(list.into()),
            concurrency: NonZeroU32::new(concurrency).unwrap(),
            tolerate,
        }),
        with: json!({ "name": "{{ item }}", "at": "{{ index }}" }),
        ..step
    }
}

fn five(concurrency: u32, tolerate: Tolerate) -> Step {
    for_each(step("fix"), "['a', 'b', 'c', 'd', 'e']", concurrency, tolerate)
}

const NONE: Tolerate = Tolerate::Count(0);

/// A remedy of two actions an item, which takes three seconds each; those of `bad` fail.
fn installs(bad: &'static [&'static str]) -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Ok))
        .always("fix", Phase::Plan, plan(&["get", "put"]))
        .on("fix", Phase::Apply, move |invocation, calls| async move {
            effect(&*calls, 0, false).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            match bad.contains(&invocation.params["name"].as_str().unwrap()) {
                true => failed(Class::Permanent),
                false => applied(true),
            }
        })
        .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack))
}

fn result(world: &World, step: &str) -> StepResult {
    let found = world.bodies(1).into_iter().find_map(|body| match body {
        Body::StepFinished { step: of, result } if of.as_str() == step => Some(result),
        _ => None,
    });
    found.expect("the step has a result")
}

fn statuses(result: &StepResult) -> Vec<&str> {
    let items = result.output.as_array().unwrap();
    items.iter().map(|item| item["status"].as_str().unwrap()).collect()
}

/// What was called of `fix`, by phase: the names of the items.
fn called(world: &World, phase: Phase) -> Vec<String> {
    let calls = world.script.invocations().into_iter();
    let calls = calls.filter(|call| call.key.step.as_str() == "fix" && call.key.phase == phase);
    calls
        .map(|call| call.params["name"].as_str().unwrap().to_owned())
        .collect()
}

fn seconds(world: &World) -> i64 {
    let summary = world.journal.summary(RunId(1)).unwrap();
    (summary.finished_at.unwrap() - summary.started_at.unwrap()).num_seconds()
}

#[tokio::test(start_paused = true)]
async fn every_item_is_planned_and_applied_with_its_own_parameters() {
    for (concurrency, took) in [(1, 30), (2, 18), (5, 6)] {
        let world = World::new(
            home(vec![runbook("repair", vec![five(concurrency, NONE)])]),
            installs(&[]),
        );
        assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
        assert_eq!(seconds(&world), took, "{concurrency} at once");
        let calls = world.script.invocations();
        assert!(calls.iter().all(|call| call.input["item"] == call.params["name"]));
        let of = |name: &str| {
            calls
                .iter()
                .filter(|call| call.params["name"] == name)
                .collect::<Vec<_>>()
        };
        let c = of("c");
        assert_eq!(
            c.iter().map(|call| call.params["at"].clone()).collect::<Vec<_>>(),
            [json!(2), json!(2), json!(2)]
        );
        let actions: Vec<_> = c.iter().map(|call| call.key.action.as_deref().unwrap()).collect();
        assert_eq!(actions, ["2", "2/get", "2/put"]);
        let result = result(&world, "fix");
        assert_eq!(statuses(&result), ["ok"; 5]);
        assert!(result.summary.starts_with("5 items: "), "{}", result.summary);
        assert_eq!(result.output[3]["item"], "d");
        assert_eq!(result.output[3]["changed"], true);
    }
}

#[tokio::test(start_paused = true)]
async fn the_plugin_knows_its_action_by_its_own_name_and_is_replayed_so() {
    let world = World::new(home(vec![runbook("repair", vec![five(1, NONE)])]), installs(&[]));
    world.verdict("repair").await;
    let recorded = recordings(RunId(1), &world.journal.all(RunId(1)));
    let of = |key: &str| {
        let found = recorded.iter().find(|(of, _)| of.action.as_deref() == Some(key));
        format!("{:?}", found.unwrap().1.as_ref().unwrap().work)
    };
    assert!(of("2/get").contains("id: \"get\""), "{}", of("2/get"));
    assert_eq!(of("2"), "Plan");
    let live = world
        .script
        .invocations()
        .into_iter()
        .find(|call| call.key.action.as_deref() == Some("2/get"));
    assert_eq!(format!("{:?}", live.unwrap().work), of("2/get"));
}

#[tokio::test(start_paused = true)]
async fn more_failures_than_are_tolerated_stop_the_rest() {
    let world = World::new(
        home(vec![runbook("repair", vec![five(1, Tolerate::Count(1))])]),
        installs(&["b", "c"]),
    );
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(
        called(&world, Phase::Apply),
        ["a", "a", "b", "c"],
        "nothing after the second failure"
    );
    assert!(why.contains("2 of 5 items failed: 1: `1/get`"), "{why}");
    assert_eq!(
        statuses(&result(&world, "fix")),
        ["ok", "failed", "failed", "skipped", "skipped"]
    );
}

#[tokio::test(start_paused = true)]
async fn tolerated_failures_are_told_and_the_step_is_done() {
    for tolerate in [Tolerate::Count(2), Tolerate::Percent(40), Tolerate::Percent(59)] {
        let steps = vec![
            five(2, tolerate),
            only_when(step("look"), "steps.fix.output[1].status == 'failed'"),
        ];
        let world = World::new(home(vec![runbook("repair", steps)]), installs(&["b", "c"]));
        assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
        let fix = result(&world, "fix");
        assert_eq!(fix.status, StepStatus::Ok);
        assert!(
            fix.summary.contains("2 of 5 items failed: 1: `1/get`"),
            "{}",
            fix.summary
        );
        assert_eq!(statuses(&fix), ["ok", "failed", "failed", "ok", "ok"]);
        assert_eq!(result(&world, "look").status, StepStatus::Ok, "later steps see which");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_with_each_is_undone_item_by_item_the_last_first() {
    let mut fix = five(2, NONE);
    fix.on_failure = evenkeel_model::runbook::OnFailure::Undo;
    let world = World::new(home(vec![runbook("repair", vec![fix])]), installs(&["d"]));
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
    // The failed action of `d` had begun an effect, and the second of `c` was not begun any more.
    assert_eq!(called(&world, Phase::Rollback), ["d", "c", "b", "b", "a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_tolerates_what_is_in_doubt() {
    let book = || runbook("repair", vec![five(2, Tolerate::Percent(100))]);
    let script = installs(&[]).on("fix", Phase::Apply, |invocation, calls| async move {
        if invocation.params["name"] == "a" {
            intend(&*calls, 0, false).await;
            return hang().await;
        }
        effect(&*calls, 0, false).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        applied(true)
    });
    let world = World::new(home(vec![book()]), script);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let world = world.crash(home(vec![book()]), installs(&[]));
    world.engine.resume().await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Unknown), "{}", summary.why);
    assert!(summary.why.contains("apply of `0/get`"), "{}", summary.why);
    assert_eq!(
        called(&world, Phase::Apply),
        ["b"],
        "what had begun is finished, and nothing else is begun"
    );
}

#[tokio::test(start_paused = true)]
async fn an_action_of_every_item_is_made_once_whenever_the_process_dies() {
    for seconds in [1, 4, 7, 13, 16] {
        let book = || runbook("repair", vec![five(2, NONE)]);
        let world = World::new(home(vec![book()]), installs(&[]));
        world.ask(person("repair")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let mut before = called(&world, Phase::Apply);
        let world = world.crash(home(vec![book()]), installs(&[]));
        world.engine.resume().await.unwrap();
        assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
        let resumed = world
            .bodies(1)
            .iter()
            .filter(|body| matches!(body, Body::Resumed { .. }))
            .count();
        before.extend(called(&world, Phase::Apply));
        assert_eq!(before.len() - resumed, 10, "{before:?}");
        assert_eq!(resumed, if seconds < 13 { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn one_plan_of_all_items_is_approved() {
    let script = installs(&[]).always(
        "fix",
        Phase::Plan,
        Outcome::Done(Output::Plan(vec![action("get", Risk::High)])),
    );
    let world = World::new(home(vec![runbook("repair", vec![five(5, NONE)])]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    let pending = world.until("it asks", || world.engine.pending().pop()).await;
    let ids: Vec<_> = pending.actions.iter().map(|action| action.id.as_str()).collect();
    assert_eq!(ids, ["0/get", "1/get", "2/get", "3/get", "4/get"]);
    let said = evenkeel_engine::Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(run, Some(&pending.plan), &said).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert_eq!(world.engine.pending().len(), 0);
}

/// Looks at three things, of which one is bad until `fix` is through.
fn looking() -> (Runbook, Script) {
    let look = for_each(step("look"), "['a', 'b', 'c']", 3, NONE);
    let fix = only_when(
        step("fix"),
        "steps.look.severity == 'critical' and steps.look.findings | length == 3",
    );
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = well.clone();
    let script = installs(&[])
        .on("look", Phase::Check, move |invocation, _| {
            let well = seen.load(std::sync::atomic::Ordering::SeqCst);
            let bad = invocation.params["name"] == "b" && !well;
            async move { found(if bad { Severity::Critical } else { Severity::Ok }) }
        })
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, move |_, _| {
            well.store(true, std::sync::atomic::Ordering::SeqCst);
            async { applied(true) }
        });
    (healed(runbook("repair", vec![look, fix]), Otherwise::Escalate), script)
}

#[tokio::test(start_paused = true)]
async fn healed_is_what_all_items_say_in_one_go() {
    let (book, script) = looking();
    let world = World::new(home(vec![book]), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Repaired, "{why}");
    let looks: Vec<_> = world
        .script
        .called()
        .into_iter()
        .filter(|call| call.starts_with("look"))
        .collect();
    assert_eq!(looks.len(), 6, "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_never_well_is_not_healed() {
    let (book, script) = looking();
    let script = script.on("fix", Phase::Apply, |_, _| async { applied(true) });
    let world = World::new(home(vec![book]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::NotRepaired);
}

#[tokio::test(start_paused = true)]
async fn the_checks_of_all_items_are_made_again_before_an_approved_plan() {
    let (mut book, script) = looking();
    book.healed = None;
    let script = script.always(
        "fix",
        Phase::Plan,
        Outcome::Done(Output::Plan(vec![action("a", Risk::High)])),
    );
    let world = World::new(home(vec![book]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    world
        .until("it asks", || (!world.engine.pending().is_empty()).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let said = evenkeel_engine::Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(run, None, &said).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    let looks = world
        .script
        .called()
        .iter()
        .filter(|call| call.starts_with("look"))
        .count();
    assert_eq!(looks, 6);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_none_or_too_long_fails_the_step_in_words() {
    for (list, wanted) in [
        ("'abc'", "`each` is no array: \"abc\""),
        (
            "range(257) | list",
            "`each` has 257 items, and a step is done for 256 at most",
        ),
        ("alert.labels.nodes", "`each`: "),
    ] {
        let book = runbook("repair", vec![for_each(step("fix"), list, 1, NONE)]);
        let world = World::new(home(vec![book]), installs(&[]));
        let (verdict, why) = world.verdict("repair").await;
        assert_eq!(verdict, Verdict::Failed);
        assert!(why.contains(wanted), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_nothing_to_do() {
    for of in [step("fix"), step("look")] {
        let id = of.id.to_string();
        let book = runbook("repair", vec![for_each(of, "[]", 3, NONE)]);
        let world = World::new(home(vec![book]), installs(&[]));
        assert_eq!(world.verdict("repair").await.0, Verdict::Healthy);
        assert!(world.script.called().is_empty());
        assert_eq!(result(&world, &id).output, Value::Array(vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_plans_every_item_and_can_not_tell_what_comes_of_them() {
    let then = for_each(step_as("then", "more"), "steps.fix.output", 1, NONE);
    let book = runbook("repair", vec![five(2, NONE), then]);
    let world = World::new(home(vec![book]), installs(&[]));
    let summary = world.dry_run("repair").await;
    assert_eq!(summary.verdict, Some(Verdict::Planned));
    assert_eq!(called(&world, Phase::Plan).len(), 5);
    assert!(called(&world, Phase::Apply).is_empty());
    assert!(summary.why.contains("10 actions planned"), "{}", summary.why);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_finishes_the_actions_under_way_and_begins_no_other() {
    let world = World::new(home(vec![runbook("repair", vec![five(2, NONE)])]), installs(&[]));
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.engine.cancel(run, "enough").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert_eq!(called(&world, Phase::Apply), ["a", "b"]);
    let fix = result(&world, "fix");
    assert!(
        fix.summary
            .starts_with("stopped after 2 of 10 actions, cancelled: enough"),
        "{}",
        fix.summary
    );
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_of_one_item_is_tried_again_while_others_go_on() {
    let first = std::sync::Mutex::new(true);
    let script = installs(&[]).on("fix", Phase::Plan, move |invocation, _| {
        let fails = invocation.params["name"] == "b" && std::mem::replace(&mut *first.lock().unwrap(), false);
        async move {
            if fails {
                failed(Class::Transient)
            } else {
                plan(&["get"])
            }
        }
    });
    let world = World::new(home(vec![runbook("repair", vec![five(1, NONE)])]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    assert_eq!(called(&world, Phase::Plan), ["a", "b", "b", "c", "d", "e"]);
    assert_eq!(called(&world, Phase::Apply).len(), 5);
}
