//! Steps that run other runbooks.

use std::num::NonZeroU32;
use std::time::Duration;

use evenkeel_engine::UndoRequest;
use evenkeel_engine::decide::ToUndo;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Mode, Occurrence, StepResult, StepStatus, Verdict};
use evenkeel_model::runbook::{Each, Input, InputKind, List, OnFailure, Otherwise, Overlap, Runbook, Step, Tolerate};
use serde_json::json;

use crate::world::home::{cooling, healed, home, needing, on_alert, only_when, runbook, running, selecting, step};
use crate::world::script::{Script, action, applied, effect, failed, found, hang, intend, plan, stopped};
use crate::world::{World, looked, person};

mod stops;
mod undo;

/// `above` looks, and has `repair` run.
fn above(more: Vec<Step>) -> Runbook {
    let mut steps = vec![step("look"), running("repair", "repair")];
    steps.extend(more);
    runbook("above", steps)
}

fn repair() -> Runbook {
    let mut repair = runbook("repair", vec![step("fix")]);
    repair.inputs = vec![Input {
        name: "name".into(),
        summary: None,
        kind: InputKind::String,
        default: Some(json!("it")),
    }];
    repair.steps[0].with = json!({ "name": "{{ input.name }}" });
    repair
}

fn script() -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Ok))
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, |_, calls| async move {
            effect(&*calls, 0, false).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            applied(true)
        })
        .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack))
}

/// Its plan stops when it is told to, as the sandbox makes any.
fn stoppable(script: Script) -> Script {
    script.on("fix", Phase::Plan, |mut invocation, _| async move {
        let _ = invocation.cancelled.wait_for(|cancelled| *cancelled).await;
        stopped(Stop::Cancelled)
    })
}

fn world(books: Vec<Runbook>, script: Script) -> World {
    World::new(home(books), script)
}

fn result(world: &World, run: u64, step: &str) -> StepResult {
    let found = world.bodies(run).into_iter().find_map(|body| match body {
        Body::StepFinished { step: of, result } if of.as_str() == step => Some(result),
        _ => None,
    });
    found.expect("the step has a result")
}

fn verdict(world: &World, run: u64) -> Option<Verdict> {
    world.journal.summary(RunId(run)).unwrap().verdict
}

async fn until_applying(world: &World) {
    let applies = || world.script.called().contains(&"fix/apply a".to_owned()).then_some(());
    world.until("it applies", applies).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_runs_another_runbook_on_the_same_target() {
    let steps = vec![
        Step {
            with: json!({ "name": "{{ steps.look.severity }}" }),
            ..running("repair", "repair")
        },
        only_when(
            step("look"),
            "steps.repair.changed and steps.repair.output.verdict == 'changed'",
        ),
    ];
    let mut book = runbook("above", [vec![step("look")], steps].concat());
    book.steps[2].id = "then".into();
    book.steps = crate::world::home::one_by_one(book.steps);
    let books = [book, repair()].map(|book| selecting(book, "asset", "steel-1"));
    let world = world(books.into(), script());
    let (verdict_of, why) = world.verdict("above").await;
    assert_eq!(verdict_of, Verdict::Changed, "{why}");
    let child = world.journal.summary(RunId(2)).unwrap();
    assert_eq!(child.verdict, Some(Verdict::Changed));
    assert_eq!(child.target, world.journal.summary(RunId(1)).unwrap().target);
    assert!(matches!(&child.occurrence, Occurrence::Step { run: RunId(1), above, .. } if *above == [RunId(1)]));
    let fixes: Vec<_> = world
        .script
        .invocations()
        .into_iter()
        .filter(|call| call.key.step.as_str() == "fix")
        .collect();
    assert!(
        fixes
            .iter()
            .all(|call| call.params == json!({ "name": "ok" }) && call.run == RunId(2))
    );
    let told = result(&world, 1, "repair");
    assert!(told.summary.starts_with("run 2 is changed: "), "{}", told.summary);
    assert_eq!(told.output["run"], 2);
    assert_eq!(told.output["steps"]["fix"]["status"], "ok");
    assert_eq!(result(&world, 1, "then").status, StepStatus::Ok);
}

#[tokio::test(start_paused = true)]
async fn what_came_of_it_is_what_the_step_comes_to() {
    let bad = failed(Class::Permanent);
    let cases = [
        (
            script().always("fix", Phase::Plan, plan(&[])),
            Verdict::Healthy,
            StepStatus::Ok,
        ),
        (
            script().always("fix", Phase::Plan, bad.clone()),
            Verdict::Failed,
            StepStatus::Failed,
        ),
        (
            script().always("fix", Phase::Apply, bad),
            Verdict::Failed,
            StepStatus::Failed,
        ),
    ];
    for (script, wanted, status) in cases {
        let world = world(vec![above(vec![]), repair()], script);
        assert_eq!(world.verdict("above").await.0, wanted);
        assert_eq!(result(&world, 1, "repair").status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_below_that_finds_something_makes_it_unhealthy() {
    let world = world(
        vec![
            runbook("above", vec![running("watch", "watch")]),
            runbook("watch", vec![step("look")]),
        ],
        script().always("look", Phase::Check, found(Severity::Critical)),
    );
    assert_eq!(world.verdict("above").await.0, Verdict::Unhealthy);
    assert_eq!(result(&world, 1, "watch").severity, Some(Severity::Warning));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_runs_it_dry() {
    let world = world(vec![above(vec![]), repair()], script());
    assert_eq!(world.dry_run("above").await.verdict, Some(Verdict::Planned));
    let child = world.journal.summary(RunId(2)).unwrap();
    assert_eq!((child.mode, child.verdict), (Mode::DryRun, Some(Verdict::Planned)));
    assert_eq!(result(&world, 1, "repair").status, StepStatus::Planned);
}

#[tokio::test(start_paused = true)]
async fn its_own_gates_are_asked_and_a_refusal_is_a_rejection() {
    let world = world(vec![above(vec![]), cooling(repair(), 10)], script());
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    let (verdict, why) = world.verdict("above").await;
    assert_eq!(verdict, Verdict::Rejected);
    assert!(why.contains("run 3 is rejected") && why.contains("cool-down"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn whenever_the_process_dies_it_is_run_once() {
    for after in [0, 1, 2, 3, 4] {
        let books = || vec![above(vec![]), repair()];
        let world = World::new(home(books()), script());
        world.ask(person("above")).await.unwrap();
        let count = move |world: &World| world.journal.all(RunId(1)).len() + world.journal.count();
        let begun = count(&world);
        world
            .until("it goes on", || (count(&world) > begun + after).then_some(()))
            .await;
        let mut called = world.script.called();
        let world = world.crash(home(books()), script());
        world.engine.resume().await.unwrap();
        assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
        assert_eq!(world.journal.count(), 2, "there is one run below");
        called.extend(world.script.called());
        let resumed = |run| {
            world
                .bodies(run)
                .iter()
                .filter(|body| matches!(body, Body::Resumed { .. }))
                .count()
        };
        assert_eq!(called.len() - resumed(1) - resumed(2), 3, "{called:?}");
        let opened = world
            .bodies(1)
            .iter()
            .filter(|body| matches!(body, Body::RunOpened { .. }))
            .count();
        assert_eq!(opened, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_one_holds_nothing() {
    // Both want the same target, and only one run may be under way.
    let mut home = home(vec![above(vec![]), repair()]);
    home.settings.runs = 1;
    let world = World::new(home, script());
    assert_eq!(world.verdict("above").await.0, Verdict::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_loop_ends_where_the_budget_does() {
    let book = runbook("again", vec![step("look"), running("once-more", "again")]);
    let world = world(vec![book], script());
    let (verdict, why) = world.verdict("again").await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.contains("run 2 is failed"), "{why}");
    assert_eq!(world.journal.count(), 9, "eight below one another");
    let (_, deepest) = (world.journal.summary(RunId(9)).unwrap().why, world.bodies(9));
    assert!(
        deepest
            .iter()
            .any(|body| matches!(body, Body::RunRefused { why, .. } if why.contains("8 is the deepest")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_tree_has_no_more_runs_than_the_budget() {
    let thousand = |id: &str, runbook: &str| Step {
        each: Some(Each {
            list: List::Expression("range(200) | list".into()),
            concurrency: NonZeroU32::new(20).unwrap(),
            tolerate: Tolerate::Percent(100),
        }),
        ..running(id, runbook)
    };
    let steps = (1..=6).map(|n| thousand(&format!("s{n}"), "watch")).collect();
    let world = world(
        vec![runbook("above", steps), runbook("watch", vec![step("look")])],
        script(),
    );
    assert_eq!(world.verdict("above").await.0, Verdict::Healthy);
    assert_eq!(world.journal.count(), 1_001);
    assert!(result(&world, 1, "s6").summary.contains("200 of 200 items failed"));
}

#[tokio::test(start_paused = true)]
async fn each_item_has_a_run_of_its_own_and_they_do_not_bound_each_other() {
    let each = Step {
        each: Some(Each {
            list: List::Expression("['a', 'b', 'c']".into()),
            concurrency: NonZeroU32::new(3).unwrap(),
            tolerate: Tolerate::Count(0),
        }),
        with: json!({ "name": "{{ item }}" }),
        ..running("repair", "repair")
    };
    let mut repair = cooling(repair(), 10);
    repair.limits.overlap = Overlap::Skip;
    let world = world(vec![runbook("above", vec![each]), repair], script());
    let (verdict, why) = world.verdict("above").await;
    assert_eq!(verdict, Verdict::Changed, "{why}");
    let told = result(&world, 1, "repair");
    assert!(
        told.summary.starts_with("3 items: run 2 is changed"),
        "{}",
        told.summary
    );
    assert_eq!(told.output[2]["item"], "c");
    assert_eq!(told.output[2]["output"]["verdict"], "changed");
    assert_eq!(world.journal.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn healed_above_is_asked_about_what_was_changed_below() {
    let world = world(vec![healed(above(vec![]), Otherwise::Escalate), repair()], script());
    assert_eq!(world.verdict("above").await.0, Verdict::Repaired);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_run_is_said() {
    let mut none = above(vec![]);
    none.steps[1] = running("repair", "gone");
    none.steps[1].needs = vec!["look".into()];
    let mut input = above(vec![]);
    input.steps[1].with = json!({ "nam": "x" });
    let other = selecting(repair(), "asset", "paper-1");
    for (books, wanted) in [
        (vec![none, repair()], "the home has no runbook `gone` any more"),
        (vec![input, repair()], "did you mean `name`?"),
        (vec![above(vec![]), other], "asset"),
    ] {
        let world = world(books, script());
        let (verdict, why) = world.verdict("above").await;
        assert_eq!(verdict, Verdict::Failed);
        assert!(why.contains(wanted), "{why}");
        assert_eq!(world.journal.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_asks_people_lets_both_wait() {
    let risky = Outcome::Done(Output::Plan(vec![action("a", evenkeel_model::action::Risk::High)]));
    let world = world(
        vec![above(vec![]), repair()],
        script().always("fix", Phase::Plan, risky),
    );
    world.ask(person("above")).await.unwrap();
    let pending = world.until("it asks", || world.engine.pending().pop()).await;
    assert_eq!(pending.run, RunId(2));
    let said = evenkeel_engine::Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(RunId(2), None, &said).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

fn yes(who: &str) -> evenkeel_engine::Decision {
    evenkeel_engine::Decision {
        approve: true,
        who: who.into(),
        why: String::new(),
    }
}

fn risky() -> Outcome {
    Outcome::Done(Output::Plan(vec![action("a", evenkeel_model::action::Risk::High)]))
}

#[tokio::test(start_paused = true)]
async fn nobody_approves_below_what_they_asked_for_above() {
    let world = world(
        vec![above(vec![]), repair()],
        script().always("fix", Phase::Plan, risky()),
    );
    let asked = person("above");
    world.ask(asked.clone()).await.unwrap();
    world.until("it asks", || world.engine.pending().pop()).await;
    let own = world.engine.decide(RunId(2), None, &yes(&asked.who)).await;
    assert!(
        matches!(own, Err(evenkeel_engine::ApprovalError::Own { .. })),
        "{own:?}"
    );
    world.engine.decide(RunId(2), None, &yes("ben")).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

/// A round below has something that comes after it, which runs the same again.
#[tokio::test(start_paused = true)]
async fn a_loop_through_what_comes_after_a_round_ends_too() {
    use evenkeel_model::run::Over;
    let mut book = runbook("again", vec![step("look")]);
    book.after = vec![(Over::Round, running("once-more", "again"))];
    let world = world(vec![book], script());
    world.ask(person("again")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let count = world.journal.count();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.journal.count(), count, "it has come to its end");
    assert!(count < 20, "{count}");
}
