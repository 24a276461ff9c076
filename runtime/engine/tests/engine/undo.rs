//! What a finished run changed is taken back because a person wants it.

use evenkeel_engine::decide::ToUndo;
use evenkeel_engine::{UndoError, UndoRequest};
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::Verdict;
use evenkeel_model::runbook::Runbook;

use crate::world::home::{home, runbook, step};
use crate::world::script::{Script, System, applied, effect, failed, hang, plan};
use crate::world::{World, looked, person};

fn repair() -> Runbook {
    runbook("repair", vec![step("look"), step("fix"), step("more")])
}

/// Two actions of `fix`, and one of `more`.
fn script() -> Script {
    let makes = |script: Script, plugin| {
        script
            .on(plugin, Phase::Apply, |_, calls| async move {
                effect(&*calls, 0, false).await;
                applied(true)
            })
            .always(plugin, Phase::Rollback, Outcome::Done(Output::RolledBack))
    };
    let script = System::new(Severity::Critical).script();
    makes(makes(script, "fix"), "more")
        .always("fix", Phase::Plan, plan(&["a", "b"]))
        .always("more", Phase::Plan, plan(&["c"]))
}

async fn repaired(script: Script) -> World {
    let world = World::new(home(vec![repair()]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    world
}

fn asked() -> UndoRequest {
    UndoRequest {
        who: "ada".into(),
        why: "it was wrong".into(),
        ..UndoRequest::default()
    }
}

fn rollbacks(world: &World) -> Vec<String> {
    let called = world.script.called().into_iter();
    called.filter(|call| call.contains("rollback")).collect()
}

#[tokio::test(start_paused = true)]
async fn all_of_it_is_rolled_back_the_last_first_and_once() {
    let world = repaired(script()).await;
    let shown = world.engine.undoable(RunId(1), &asked()).await.unwrap();
    let ids: Vec<_> = shown
        .iter()
        .map(|undo| match undo {
            ToUndo::Action { action, .. } => action.id.as_str(),
            ToUndo::Run { .. } => "a run",
        })
        .collect();
    assert_eq!(ids, ["c", "b", "a"]);
    assert!(rollbacks(&world).is_empty());

    world.engine.undo(RunId(1), asked()).await.unwrap();
    let run = world.engine.wait(RunId(1)).await.unwrap();

    assert_eq!(run.verdict, Some(Verdict::Undone));
    assert_eq!(run.why, "ada had it undone (it was wrong): 3 actions undone");
    assert_eq!(
        rollbacks(&world),
        ["more/rollback c", "fix/rollback b", "fix/rollback a"]
    );
    assert_eq!(world.escalations(1), 0);
    let again = world.engine.undo(RunId(1), asked()).await.unwrap_err();
    assert!(
        matches!(
            again,
            UndoError::Nothing {
                why: "it was undone already",
                ..
            }
        ),
        "{again}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_rolled_back_escalates_and_can_be_tried_again() {
    let done = || Outcome::Done(Output::RolledBack);
    let fails = script().in_turn("fix", Phase::Rollback, vec![failed(Class::Permanent), done(), done()]);
    let world = repaired(fails).await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    let run = world.engine.wait(RunId(1)).await.unwrap();
    assert_eq!(run.verdict, Some(Verdict::Failed));
    assert!(
        run.why.contains("2 actions undone; `b` could not be undone"),
        "{}",
        run.why
    );
    assert_eq!(world.escalations(1), 1);

    world.engine.undo(RunId(1), asked()).await.unwrap();
    let run = world.engine.wait(RunId(1)).await.unwrap();
    assert_eq!(run.verdict, Some(Verdict::Undone), "{}", run.why);
    assert_eq!(rollbacks(&world).len(), 4, "only the one that failed was tried again");
    assert_eq!(rollbacks(&world)[3], "fix/rollback b");
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_two_rollbacks_repeats_neither() {
    let hangs = script().on("fix", Phase::Rollback, |_, _| hang());
    let world = repaired(hangs).await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    world
        .until("the second hangs", || (rollbacks(&world).len() == 2).then_some(()))
        .await;
    let world = world.crash(home(vec![repair()]), script());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Undone));
    assert_eq!(
        rollbacks(&world),
        ["fix/rollback b", "fix/rollback a"],
        "`c` was rolled back before"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_was_cut_off_in_an_effect_is_in_doubt_until_somebody_looked() {
    let dies = script().on("fix", Phase::Rollback, |_, calls| async move {
        crate::world::script::intend(&*calls, 0, false).await;
        hang().await
    });
    let world = repaired(dies).await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    world
        .until("the second hangs", || (rollbacks(&world).len() == 2).then_some(()))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let world = world.crash(home(vec![repair()]), script());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Unknown));
    assert!(rollbacks(&world).is_empty());
    let refused = world.engine.undo(RunId(1), asked()).await.unwrap_err();
    assert!(matches!(refused, UndoError::InDoubt(_)), "{refused}");

    world.engine.resolve(RunId(1), looked(true)).await.unwrap();
    let run = world.engine.wait(RunId(1)).await.unwrap();
    assert_eq!(run.verdict, Some(Verdict::Undone), "{}", run.why);
    assert_eq!(rollbacks(&world), ["fix/rollback a"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_it_between_two_rollbacks() {
    let slow = script().on("more", Phase::Rollback, |_, _| async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Outcome::Done(Output::RolledBack)
    });
    let world = repaired(slow).await;
    world.engine.undo(RunId(1), asked()).await.unwrap();
    world
        .until("it has begun", || (rollbacks(&world).len() == 1).then_some(()))
        .await;
    world.engine.cancel(RunId(1), "not now").await.unwrap();
    let run = world.engine.wait(RunId(1)).await.unwrap();
    assert_eq!(run.verdict, Some(Verdict::Failed), "{}", run.why);
    assert_eq!(rollbacks(&world), ["more/rollback c"]);
    assert_eq!(world.engine.undoable(RunId(1), &asked()).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_changed_nothing_is_not_undone() {
    let world = World::new(
        home(vec![repair()]),
        script()
            .always("fix", Phase::Plan, plan(&[]))
            .always("more", Phase::Plan, plan(&[])),
    );
    world.run_as(person("repair")).await;
    let refused = world.engine.undo(RunId(1), asked()).await.unwrap_err();
    assert_eq!(refused.to_string(), "run 1 can't be undone: it changed nothing");
}
