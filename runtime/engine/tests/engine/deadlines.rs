//! A run has a deadline.

use std::time::Duration;

use evenkeel_engine::Decision;
use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Mode, Verdict};
use evenkeel_model::runbook::{OnFailure, Otherwise, Runbook, Step, Tolerate};

use crate::each::for_each;
use crate::world::home::{healed, home, runbook, step};
use crate::world::script::{Script, System, applied, effect, found, hang, intend, plan};
use crate::world::{World, looked, person};

fn bounded(book: Runbook, minutes: u64) -> Runbook {
    let mut book = book;
    book.limits.deadline = Some(Duration::from_secs(minutes * 60));
    for step in &mut book.steps {
        step.timeout = Duration::from_secs(3_600);
    }
    book
}

fn repair() -> Runbook {
    bounded(runbook("repair", vec![step("look"), step("fix")]), 10)
}

/// A plugin that stops when it is told to, as the sandbox makes any.
fn stoppable(script: Script, plugin: &str) -> Script {
    script.on(plugin, Phase::Check, |mut invocation, _| async move {
        let _ = invocation.cancelled.wait_for(|cancelled| *cancelled).await;
        crate::world::script::stopped(evenkeel_model::invocation::Stop::Cancelled)
    })
}

#[tokio::test(start_paused = true)]
async fn a_check_is_interrupted_when_the_deadline_is_over() {
    let world = World::new(
        home(vec![repair()]),
        stoppable(System::new(Severity::Critical).script(), "look"),
    );
    let began = world.now();
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!((world.now() - began).num_minutes(), 10);
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(why, "its deadline of 10m was over at 2026-11-23T12:10:00Z");
    assert_eq!(world.script.called(), ["look/check"], "nothing further begins");
    assert_eq!(world.escalations(1), 1);
}

#[tokio::test(start_paused = true)]
async fn an_action_is_finished_and_undone_if_the_runbook_says_so() {
    let slow = System::new(Severity::Critical)
        .script()
        .always("fix", Phase::Plan, plan(&["a", "b"]))
        .on("fix", Phase::Apply, |_, calls| async move {
            effect(&*calls, 0, false).await;
            tokio::time::sleep(Duration::from_secs(900)).await;
            applied(true)
        });
    let book = healed(repair(), Otherwise::Undo);
    let world = World::new(home(vec![book]), slow);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed, "{why}");
    assert!(why.ends_with("; 1 action undone"), "{why}");
    assert_eq!(
        world.script.called(),
        ["look/check", "fix/plan", "fix/apply a", "fix/rollback a"],
        "`a` is finished, and `b` never begins"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_left_out_step_says_of_its_failure_holds_for_the_deadline() {
    for (on_failure, undone) in [(OnFailure::Undo, 1), (OnFailure::Stop, 0)] {
        let script = Script::default()
            .always("fix", Phase::Plan, plan(&["a"]))
            .on("fix", Phase::Apply, |_, _| async {
                tokio::time::sleep(Duration::from_secs(900)).await;
                applied(true)
            })
            .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack))
            .always("more", Phase::Plan, plan(&["b"]));
        let mut more = step("more");
        more.on_failure = on_failure;
        let mut book = runbook("repair", vec![step("fix"), more]);
        book.steps[0].timeout = Duration::from_secs(3_600);
        book.limits.deadline = Some(Duration::from_secs(600));
        let world = World::new(home(vec![book]), script);
        assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
        let rollbacks = world
            .script
            .called()
            .iter()
            .filter(|call| call.contains("rollback"))
            .count();
        assert_eq!(rollbacks, undone, "{on_failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_that_was_to_be_tried_again_is_left_by_the_deadline() {
    let script = Script::default()
        .always("fix", Phase::Plan, plan(&["a", "b"]))
        .on("fix", Phase::Apply, |invocation, _| async move {
            match invocation.key.action.as_deref() {
                Some("b") => crate::world::script::failed(Class::Transient),
                _ => applied(true),
            }
        })
        .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack));
    let mut fix = step("fix");
    fix.on_failure = OnFailure::Undo;
    fix.retry.wait = Duration::from_secs(3_000);
    fix.retry.longest = Duration::from_secs(3_000);
    let world = World::new(home(vec![bounded(runbook("repair", vec![fix]), 10)]), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed, "{why}");
    assert!(why.ends_with("1 action undone"), "{why}");
}

/// One item failed for good and is tolerated, the other is under way at the deadline and ends well.
#[tokio::test(start_paused = true)]
async fn a_step_that_did_all_it_could_has_nothing_undone_by_the_deadline() {
    let script = Script::default().always("fix", Phase::Plan, plan(&["a"])).on(
        "fix",
        Phase::Apply,
        |invocation, _| async move {
            if invocation.params["name"] == "bad" {
                return crate::world::script::failed(Class::Permanent);
            }
            tokio::time::sleep(Duration::from_secs(900)).await;
            applied(true)
        },
    );
    let mut fix = for_each(step("fix"), "['bad', 'good']", 1, Tolerate::Count(1));
    fix.on_failure = OnFailure::Undo;
    let world = World::new(home(vec![bounded(runbook("repair", vec![fix]), 10)]), script);
    let (_, why) = world.verdict("repair").await;
    assert!(
        !world.script.called().iter().any(|call| call.contains("rollback")),
        "{why}"
    );
}

/// An item that failed was tolerated, long before the deadline.
#[tokio::test(start_paused = true)]
async fn a_step_that_ended_in_time_has_nothing_undone_by_the_deadline() {
    let script = Script::default()
        .always("fix", Phase::Plan, plan(&["a", "b"]))
        .on("fix", Phase::Apply, |invocation, _| async move {
            match invocation.params["name"] == "bad" {
                true => crate::world::script::failed(Class::Permanent),
                false => applied(true),
            }
        })
        .on("more", Phase::Plan, |_, _| async {
            tokio::time::sleep(Duration::from_secs(900)).await;
            plan(&["c"])
        });
    let mut fix = for_each(step("fix"), "['bad', 'good']", 1, Tolerate::Count(1));
    fix.on_failure = OnFailure::Undo;
    let world = World::new(
        home(vec![bounded(runbook("repair", vec![fix, step("more")]), 10)]),
        stoppable(script, "more"),
    );
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed, "{why}");
    assert!(
        !world.script.called().iter().any(|call| call.contains("rollback")),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_wait_between_two_tries_ends_with_it() {
    let fails = System::new(Severity::Critical).script().always(
        "look",
        Phase::Check,
        crate::world::script::failed(evenkeel_model::invocation::Class::Transient),
    );
    let mut book = repair();
    book.steps[0].retry.wait = Duration::from_secs(3_000);
    book.steps[0].retry.longest = Duration::from_secs(3_000);
    let world = World::new(home(vec![book]), fails);
    let began = world.now();
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
    assert_eq!((world.now() - began).num_minutes(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_time_is_none_of_its_business() {
    let world = World::new(home(vec![repair()]), System::new(Severity::Critical).script());
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let said = |body: &Body| matches!(body, Body::Overdue { .. });
    assert!(!world.bodies(1).iter().any(said));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_has_the_same() {
    let world = World::new(
        home(vec![repair()]),
        stoppable(System::new(Severity::Ok).script(), "look"),
    );
    let run = world.dry_run("repair").await;
    assert_eq!((run.mode, run.verdict), (Mode::DryRun, Some(Verdict::Failed)));
    assert_eq!(world.escalations(1), 0);
}

#[tokio::test(start_paused = true)]
async fn people_may_take_their_time() {
    let fix = Step {
        ask_from: Some(Risk::Low),
        expires: Duration::from_secs(24 * 3_600),
        ..step("fix")
    };
    let book = bounded(runbook("repair", vec![step("look"), fix]), 10);
    let world = World::new(home(vec![book]), System::new(Severity::Critical).script());
    world.ask(person("repair")).await.unwrap();
    world
        .until("it asks", || (!world.engine.pending().is_empty()).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_secs(5 * 3_600)).await;
    let yes = Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(RunId(1), None, &yes).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn the_time_without_a_daemon_does_not_count_for_what_was_interrupted() {
    let hangs = System::new(Severity::Critical)
        .script()
        .on("look", Phase::Check, |_, _| hang());
    let world = World::new(home(vec![repair()]), hangs);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it hangs", || (world.script.called().len() == 1).then_some(()))
        .await;
    let slow = System::new(Severity::Critical)
        .script()
        .on("look", Phase::Check, |_, _| async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            found(Severity::Ok)
        });
    let world = world.crash(home(vec![repair()]), slow.always("fix", Phase::Plan, plan(&[])));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Healthy));
}

#[tokio::test(start_paused = true)]
async fn the_time_until_somebody_has_looked_at_a_doubt_is_not_counted() {
    let steps = vec![step("fix"), step("look")];
    let books = || vec![bounded(runbook("repair", steps.clone()), 10)];
    let script = || {
        Script::default()
            .always("fix", Phase::Plan, plan(&["a"]))
            .always("look", Phase::Check, found(Severity::Ok))
    };
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let world = World::new(home(books()), hangs);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let world = world.crash(home(books()), script());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Unknown));
    tokio::time::sleep(Duration::from_secs(8 * 3_600)).await;
    world.engine.resolve(RunId(1), looked(true)).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Changed), "{}", summary.why);
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_after_it_when_the_target_is_free_at_last() {
    let fix = Step {
        ask_from: Some(Risk::Low),
        expires: Duration::from_secs(24 * 3_600),
        ..step("fix")
    };
    let script = Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .always("fix", Phase::Apply, applied(true))
        .on("look", Phase::Check, |_, _| async {
            tokio::time::sleep(Duration::from_secs(3_000)).await;
            found(Severity::Ok)
        });
    let slow = bounded(runbook("slow", vec![step("look")]), 600);
    let world = World::new(home(vec![bounded(runbook("repair", vec![fix]), 10), slow]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it asks", || (!world.engine.pending().is_empty()).then_some(()))
        .await;
    // It lets its target go meanwhile, and another run takes it.
    world.ask(person("slow")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let yes = Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(RunId(1), None, &yes).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Failed), "{}", summary.why);
    assert!(summary.why.contains("deadline"), "{}", summary.why);
    assert!(!world.script.called().contains(&"fix/apply a".to_owned()));
    assert!(
        world.journal.summary(RunId(2)).unwrap().finished_at.is_none(),
        "and it is said in time"
    );
}
