//! What is written when: what need not be on disk goes with what comes next.

use std::time::Duration;

use evenkeel_model::call::Answer;
use evenkeel_model::invocation::{Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Event, Verdict};
use evenkeel_model::runbook::Runbook;

use crate::world::home::{home, runbook, step};
use crate::world::script::{Script, System, call, found, hang};
use crate::world::{World, person};

/// Of what waits to be journaled, as many as there may be.
const MANY: usize = 64;

fn watch() -> Runbook {
    runbook("watch", vec![step("look")])
}

fn is_invoked(event: &Event) -> bool {
    matches!(event.body, Body::Invoked { .. })
}

fn endless() -> Script {
    Script::default().on("look", Phase::Check, |_, _| hang())
}

/// Its first call has begun.
async fn looking(world: &World) -> RunId {
    world.ask(person("watch")).await.unwrap();
    let called = || (world.script.called().len() == 1).then_some(());
    world.until("it looks", called).await;
    RunId(1)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_looks_is_written_in_one_append() {
    let world = World::new(home(vec![watch()]), System::new(Severity::Info).script());
    world.journal.fail_after(1);
    assert_eq!(world.verdict("watch").await.0, Verdict::Healthy);
}

#[tokio::test(start_paused = true)]
async fn what_takes_long_is_journaled_meanwhile() {
    let world = World::new(home(vec![watch()]), endless());
    let run = looking(&world).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(world.journal.all(run).iter().any(is_invoked));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_said_is_journaled_before_the_answer() {
    let world = World::new(home(vec![watch()]), endless());
    let run = looking(&world).await;
    world.engine.cancel(run, "enough").await.unwrap();
    let cancelled = |event: &Event| matches!(event.body, Body::CancelRequested { .. });
    assert!(world.journal.all(run).iter().any(cancelled));
}

#[tokio::test(start_paused = true)]
async fn who_brings_much_waits_for_the_journal() {
    let script = Script::default().on("look", Phase::Check, |_, calls| async move {
        for n in 0.. {
            let answer = Answer::Ok(n.into());
            let recorded = calls.answered(n, Some(&call(true)), &answer, Duration::ZERO).await;
            if recorded.is_err() {
                assert!(
                    (n as usize) <= 2 * MANY,
                    "{n} were taken in beside a journal that fails"
                );
                break;
            }
        }
        found(Severity::Info)
    });
    let world = World::new(home(vec![watch()]), script);
    world.journal.fail_after(1);
    world.ask(person("watch")).await.unwrap();
    let left = || world.engine.under_way().is_empty().then_some(());
    world.until("it is left", left).await;
    let calls = |event: &Event| matches!(event.body, Body::Called { .. });
    let events = world.journal.all(RunId(1));
    let calls = events.iter().filter(|event| calls(event)).count();
    assert!((1..MANY).contains(&calls), "{calls} of them are in the one append");
}

/// It may be what ended the process before, and must be counted.
#[tokio::test(start_paused = true)]
async fn in_a_run_that_was_left_what_begins_is_on_disk_first() {
    let world = World::new(home(vec![watch()]), endless());
    world.ask(person("watch")).await.unwrap();
    let world = world.crash(home(vec![watch()]), endless());
    world.engine.resume().await.unwrap();
    let called = || (world.script.called().len() == 1).then_some(());
    world.until("it looks", called).await;
    let begun = world.journal.all(RunId(1)).into_iter().rfind(is_invoked).unwrap();
    assert!(world.journal.synced(RunId(1)) >= begun.seq);
}
