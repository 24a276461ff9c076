//! What a step had run is undone with the run.

use std::sync::Arc;

use evenkeel_model::window::{Freeze, Span};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_step_ran_is_undone_with_the_run() {
    let bad = Step {
        on_failure: OnFailure::Undo,
        ..step("more")
    };
    let world = world(
        vec![above(vec![bad]), repair()],
        script().always("more", Phase::Plan, failed(Class::Permanent)),
    );
    let (verdict_of, why) = world.verdict("above").await;
    assert_eq!(verdict_of, Verdict::Failed);
    assert!(why.ends_with("run 2 undone"), "{why}");
    assert_eq!(verdict(&world, 2), Some(Verdict::Undone));
    assert_eq!(world.script.called().last().unwrap(), "fix/rollback a");
}

fn asked() -> UndoRequest {
    UndoRequest {
        who: "ben".into(),
        ..UndoRequest::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_undoes_the_whole_tree() {
    let world = world(
        vec![
            runbook("top", vec![running("above", "above")]),
            above(vec![step("fix")]),
            repair(),
        ],
        script(),
    );
    assert_eq!(world.verdict("top").await.0, Verdict::Changed);
    let left = world.engine.undoable(RunId(1), &asked()).await.unwrap();
    assert!(
        matches!(left.as_slice(), [ToUndo::Run { run: RunId(2), .. }]),
        "{left:?}"
    );
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Undone), "{}", summary.why);
    assert_eq!(
        (verdict(&world, 2), verdict(&world, 3)),
        (Some(Verdict::Undone), Some(Verdict::Undone))
    );
    let rolled_back = world
        .script
        .invocations()
        .into_iter()
        .filter(|call| call.key.phase == Phase::Rollback);
    let runs: Vec<RunId> = rolled_back.map(|call| call.run).collect();
    assert_eq!(runs, [RunId(2), RunId(3)], "the last first");
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_below_can_be_asked_for_again() {
    let rolls_back = |outcomes| script().in_turn("fix", Phase::Rollback, outcomes);
    let outcomes = vec![failed(Class::Permanent), Outcome::Done(Output::RolledBack)];
    let world = world(vec![above(vec![]), repair()], rolls_back(outcomes));
    world.verdict("above").await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Failed), "{}", summary.why);
    assert!(summary.why.contains("run 2 could not be undone"), "{}", summary.why);
    world.engine.undo(RunId(1), asked()).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Undone));
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_it_is_undone_below_undoes_it_once() {
    let slow = || {
        script().on("fix", Phase::Rollback, |_, calls| async move {
            effect(&*calls, 0, false).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            Outcome::Done(Output::RolledBack)
        })
    };
    let books = || vec![above(vec![]), repair()];
    let world = World::new(home(books()), slow());
    world.verdict("above").await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    world
        .until("it rolls back", || {
            world
                .script
                .called()
                .contains(&"fix/rollback a".to_owned())
                .then_some(())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let world = world.crash(home(books()), slow());
    world.engine.resume().await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Undone), "{}", summary.why);
    let asked = world
        .bodies(2)
        .iter()
        .filter(|body| matches!(body, Body::UndoRequested { .. }))
        .count();
    assert_eq!(asked, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_below_already_is_undone_with_the_run() {
    let mut below = healed(runbook("repair", vec![step("look"), step("fix")]), Otherwise::Undo);
    below.steps[1].when = None;
    let mut book = above(vec![]);
    book.steps[1].on_failure = OnFailure::Undo;
    let world = world(
        vec![book, below],
        script().always("look", Phase::Check, found(Severity::Critical)),
    );
    let (verdict_of, why) = world.verdict("above").await;
    assert_eq!(verdict_of, Verdict::Failed);
    assert!(why.ends_with("run 2 undone"), "{why}");
    assert_eq!(verdict(&world, 2), Some(Verdict::NotRepaired));
    let rollbacks = world
        .script
        .called()
        .iter()
        .filter(|call| call.contains("rollback"))
        .count();
    assert_eq!(rollbacks, 1);
}

/// `repair` below `above` has changed something and is being undone with it, which takes ten seconds.
async fn being_undone() -> World {
    let slow = script().on("fix", Phase::Rollback, |_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Outcome::Done(Output::RolledBack)
    });
    let world = world(vec![above(vec![]), repair()], slow);
    world.verdict("above").await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let rolls_back = || world.script.called().contains(&"fix/rollback a".to_owned());
    world.until("it rolls back", || rolls_back().then_some(())).await;
    world
}

fn is_known_above(world: &World) -> bool {
    let bodies = world.bodies(1);
    bodies.iter().any(|body| matches!(body, Body::RunUndone { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_kill_while_it_is_undone_below_ends_that_too_and_waits_for_it() {
    let world = being_undone().await;
    let began = world.now();
    world.engine.kill(RunId(1), "ben", "now").await.unwrap();
    let summary = world.until_finished(1).await;
    assert!((world.now() - began).num_seconds() < 10, "at once");
    assert_eq!(summary.verdict, Some(Verdict::Failed), "{}", summary.why);
    assert!(is_known_above(&world), "what came of it below is known above");
    assert_eq!(verdict(&world, 2), Some(Verdict::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_it_is_undone_below_waits_for_the_rollback_that_has_begun() {
    let world = being_undone().await;
    world.engine.cancel(RunId(1), "enough").await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(
        verdict(&world, 2),
        Some(Verdict::Undone),
        "its only rollback was finished"
    );
    assert_eq!(summary.verdict, Some(Verdict::Undone), "{}", summary.why);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_well_stays_so_when_its_undoing_is_known() {
    let hangs = script().on("fix", Phase::Rollback, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let books = || vec![above(vec![]), repair()];
    let world = world(books(), hangs);
    world.verdict("above").await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let rolls_back = || world.script.called().contains(&"fix/rollback a".to_owned());
    world.until("it rolls back", || rolls_back().then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.engine.kill(RunId(1), "ben", "now").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Unknown));
    for run in [2, 1] {
        world.engine.resolve(RunId(run), looked(true)).await.unwrap();
        world.until_finished(run).await;
    }
    let failed = world
        .bodies(1)
        .into_iter()
        .any(|body| matches!(&body, Body::StepFinished { result, .. } if result.status == StepStatus::Failed));
    assert!(!failed, "what its step had come to is not touched by that");
    assert_ne!(verdict(&world, 1), Some(Verdict::Unknown));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_undo_learns_that_a_run_below_waits_for_a_person() {
    let gives_up = script().on("fix", Phase::Rollback, |_, calls| async move {
        intend(&*calls, 0, false).await;
        let took = Duration::ZERO;
        calls
            .answered(0, None, &crate::world::script::gave_up(), took)
            .await
            .unwrap();
        failed(Class::Permanent)
    });
    let world = world(vec![above(vec![]), repair()], gives_up);
    world.verdict("above").await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(verdict(&world, 2), Some(Verdict::Unknown));
    let waiting = world.engine.waits_for_people(RunId(1)).await.unwrap();
    assert_eq!(waiting, Some(RunId(2)));
}

#[tokio::test(start_paused = true)]
async fn what_overrides_a_freeze_does_so_for_what_is_undone_below() {
    let mut home = home(vec![above(vec![]), repair()]);
    let world = World::new(home.clone(), script());
    world.verdict("above").await;
    let now = world.now();
    home.settings.windows.freezes.push(Freeze {
        name: "year-end".into(),
        select: None,
        span: Span {
            from: now,
            until: now + chrono::TimeDelta::days(1),
        },
        except: None,
    });
    world.engine.reload(Arc::new(home));
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Failed), "it is frozen: {}", summary.why);
    let overriding = UndoRequest {
        override_freeze: Some("it was wrong".into()),
        ..asked()
    };
    world.engine.undo(RunId(1), overriding).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Undone), "{}", summary.why);
}
