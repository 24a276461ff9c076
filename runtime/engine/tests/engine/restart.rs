//! What runs, rounds and targets come to over a restart.

use std::time::Duration;

use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{Batch, Runbook, Targets};

use crate::resume::{outcome, repair};
use crate::world::home::{home, runbook, selecting, step};
use crate::world::script::{Script, System, failed, found, hang, intend, plan};
use crate::world::{World, person};

#[tokio::test(start_paused = true)]
async fn a_run_does_not_go_on_with_a_text_that_fits_no_more() {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("fix", Phase::Plan, |_, _| hang());
    let world = World::new(home(vec![repair()]), hangs);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it plans", || (world.script.called().len() == 2).then_some(()))
        .await;
    let edited = Runbook {
        hash: "another".into(),
        ..repair()
    };
    let world = world.crash(home(vec![edited]), system.script());
    world.engine.resume().await.unwrap();
    world.until_finished(1).await;
    let (verdict, why) = outcome(&world);
    assert_eq!(verdict, Verdict::Failed);
    assert!(
        why.starts_with(
            "the runbook `repair` is another one by now, and the text that the run started with fits no more"
        ),
        "{why}"
    );
    assert!(world.script.called().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_its_runbook_or_its_target_is_gone() {
    let app = || selecting(repair(), "asset", "steel-1");
    for gone in ["runbook", "target"] {
        let world = World::new(
            home(vec![app()]),
            Script::default().on("look", Phase::Check, |_, _| hang()),
        );
        world.ask(person("repair")).await.unwrap();
        world
            .until("it looks", || (world.script.called().len() == 1).then_some(()))
            .await;
        let mut left = home(vec![app()]);
        match gone {
            "runbook" => left.runbooks.clear(),
            _ => left.assets.retain(|id, _| id.as_str() != "steel-1"),
        }
        let world = world.crash(left, Script::default());
        world.engine.resume().await.unwrap();
        world.until_finished(1).await;
        let (verdict, why) = outcome(&world);
        assert_eq!(verdict, Verdict::Failed);
        assert!(why.contains(gone) || why.contains("asset `steel-1`"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_had_started_keeps_its_target_over_a_restart() {
    let look = || {
        Script::default().on("look", Phase::Check, |_, _| async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            found(Severity::Ok)
        })
    };
    let watch = || home(vec![runbook("repair", vec![step("look")])]);
    let world = World::new(watch(), look());
    world.ask(person("repair")).await.unwrap();
    world
        .until("it looks", || (world.script.called().len() == 1).then_some(()))
        .await;
    let world = world.crash(watch(), look());
    world.engine.resume().await.unwrap();
    world.run("repair").await;
    let (first, second) = (
        world.journal.summary(RunId(1)).unwrap(),
        world.journal.summary(RunId(2)).unwrap(),
    );
    assert!(second.started_at.unwrap() >= first.finished_at.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_round_goes_on_with_the_batch_where_it_was() {
    let book = || {
        let book = selecting(runbook("repair", vec![step("look")]), "role", "app");
        let targets = Targets {
            batch: Batch::Count(std::num::NonZeroU32::MIN),
            ..book.targets.clone()
        };
        home(vec![Runbook { targets, ..book }])
    };
    let first_two = Script::default().on("look", Phase::Check, |invocation, _| async move {
        if invocation.target.id.as_str() == "paper-1" {
            found(Severity::Ok)
        } else {
            hang().await
        }
    });
    let world = World::new(book(), first_two);
    world.ask(person("repair")).await.unwrap();
    world
        .until("the second looks", || (world.script.called().len() == 2).then_some(()))
        .await;
    let world = world.crash(
        book(),
        Script::default().always("look", Phase::Check, found(Severity::Ok)),
    );
    assert_eq!(world.engine.resume().await.unwrap(), 1);
    assert_eq!(
        world.engine.resume().await.unwrap(),
        0,
        "what is driven is not taken on twice"
    );
    world.until_finished(3).await;
    let targets: Vec<String> = world
        .script
        .invocations()
        .iter()
        .map(|call| call.target.id.to_string())
        .collect();
    assert_eq!(targets, ["steel-1", "steel-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_the_middle_of_a_change_goes_on_although_its_round_has_failed() {
    let book = || {
        let book = selecting(repair(), "customer", "steel");
        let targets = Targets {
            stop_after: std::num::NonZeroU32::MIN,
            ..book.targets.clone()
        };
        home(vec![Runbook { targets, ..book }])
    };
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |invocation, calls| async move {
            if invocation.target.id.as_str() == "steel-1" {
                return failed(Class::Permanent);
            }
            intend(&*calls, 0, false).await;
            hang().await
        });
    let world = World::new(book(), script);
    world.ask(person("repair")).await.unwrap();
    world.until_finished(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let world = world.crash(book(), Script::default());
    world.engine.resume().await.unwrap();
    let second = world.until_finished(2).await;
    assert_eq!((second.verdict, second.changed), (Some(Verdict::Unknown), true));
    let refused = |body: &Body| matches!(body, Body::Refused { .. });
    assert!(!world.bodies(2).iter().any(refused));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_drained_goes_on() {
    let system = System::new(Severity::Critical);
    let slow = system.script().on("fix", Phase::Plan, |_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        plan(&["a"])
    });
    let world = World::new(home(vec![repair()]), slow);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it plans", || (world.script.called().len() == 2).then_some(()))
        .await;
    world.engine.drain(Duration::from_secs(60)).await;
    let world = world.crash(home(vec![repair()]), system.script());
    world.engine.resume().await.unwrap();
    world.until_finished(1).await;
    assert_eq!(outcome(&world).0, Verdict::Changed);
    assert_eq!(world.script.called(), ["fix/apply a"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_left_because_of_the_journal_is_taken_up_again() {
    let system = System::new(Severity::Critical);
    let world = World::new(home(vec![repair()]), system.script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The intent, the outcome, and not the end.
    world.journal.fail_after(2);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    assert_eq!(world.engine.wait(run).await.unwrap().verdict, None);
    world.journal.fail_after(1_000);
    let since = tokio::time::Instant::now();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert!(
        since.elapsed() < Duration::from_secs(20),
        "it is not waited for the next minute"
    );
    let applies = world.script.called().into_iter().filter(|call| call == "fix/apply a");
    assert_eq!(applies.count(), 1);
}

/// A world in which run 1 had started on `steel-1` and run 2 on `steel-2` when the process died.
async fn two_were_at_work(then: Script) -> World {
    let book = || home(vec![selecting(repair(), "customer", "steel")]);
    let world = World::new(book(), Script::default().on("look", Phase::Check, |_, _| hang()));
    world.ask(person("repair")).await.unwrap();
    world
        .until("both look", || (world.script.called().len() == 2).then_some(()))
        .await;
    world.crash(book(), then)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_read_keeps_no_other_from_going_on() {
    let world = two_were_at_work(System::new(Severity::Critical).script()).await;
    world.journal.damage(1);
    world.serve();
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Changed));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.journal.summary(RunId(1)).unwrap().verdict, None);

    world.journal.mend();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_resume_that_failed_is_made_again_in_whole() {
    let world = two_were_at_work(System::new(Severity::Critical).script()).await;
    world.journal.damage(1);
    world.journal.damage(2);
    assert_eq!(world.engine.resume().await.unwrap(), 0);
    assert!(
        world.engine.under_way().is_empty(),
        "nothing waits for a driver that there isn't"
    );
    world.journal.mend();
    assert_eq!(world.engine.resume().await.unwrap(), 1);
    world.until_finished(1).await;
    world.until_finished(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_left_keeps_its_target_until_it_is_taken_up_again() {
    let system = System::new(Severity::Critical);
    let world = World::new(home(vec![repair()]), system.script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.journal.fail_after(2);
    let left = world.ask(person("repair")).await.unwrap().runs[0];
    assert_eq!(world.engine.wait(left).await.unwrap().verdict, None);
    world.journal.fail_after(1_000);
    world.ask(person("repair")).await.unwrap();
    world.until_finished(2).await;
    let (first, second) = (
        world.journal.summary(RunId(1)).unwrap(),
        world.journal.summary(RunId(2)).unwrap(),
    );
    assert_eq!(first.verdict, Some(Verdict::Changed));
    assert!(second.started_at.unwrap() >= first.finished_at.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_taken_up_again_waits_for_the_target_that_another_one_got() {
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let script = Script::default().on("look", Phase::Check, move |_, _| {
        let busy = busy.clone();
        async move {
            use std::sync::atomic::Ordering::SeqCst;
            assert_eq!(busy.fetch_add(1, SeqCst), 0, "two are at work on one target");
            tokio::time::sleep(Duration::from_secs(300)).await;
            busy.fetch_sub(1, SeqCst);
            found(Severity::Ok)
        }
    });
    let book = || home(vec![runbook("repair", vec![step("look")])]);
    let world = World::new(book(), Script::default().on("look", Phase::Check, |_, _| hang()));
    world.ask(person("repair")).await.unwrap();
    world
        .until("it looks", || (!world.script.called().is_empty()).then_some(()))
        .await;
    let world = world.crash(book(), script);
    world.journal.damage(1);
    world.serve();
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.ask(person("repair")).await.unwrap();
    world
        .until("the other looks", || (!world.script.called().is_empty()).then_some(()))
        .await;
    world.journal.mend();
    let (first, second) = (world.until_finished(1).await, world.until_finished(2).await);
    assert_eq!(first.verdict, Some(Verdict::Healthy), "{}", first.why);
    assert!(first.finished_at.unwrap() > second.finished_at.unwrap());
}
