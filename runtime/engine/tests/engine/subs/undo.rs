//! What a step had run is undone with the run.

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
