//! `[healed]` by what a source of metrics says.

use std::time::Duration;

use evenkeel_model::invocation::{Phase, Severity};
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{Otherwise, Runbook};

use crate::world::home::{asking, healed, home, runbook, selecting, step};
use crate::world::script::System;
use crate::world::{World, person};

fn repair(otherwise: Otherwise) -> Runbook {
    let book = healed(runbook("repair", vec![step("look"), step("fix")]), otherwise);
    selecting(asking(book), "asset", "steel-1")
}

async fn repaired(otherwise: Otherwise, answers: &[Option<f64>]) -> (World, Verdict, String) {
    let script = System::new(Severity::Critical).script().answers(answers);
    let world = World::new(home(vec![repair(otherwise)]), script);
    let (verdict, why) = world.verdict("repair").await;
    (world, verdict, why)
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_until_the_answer_holds() {
    let began = tokio::time::Instant::now();
    let (world, verdict, why) = repaired(Otherwise::Escalate, &[None, Some(0.0), Some(1.0), Some(0.0)]).await;
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::Repaired, "the query: 1 of 1 value hold: 1")
    );
    let asked = world.script.asked();
    assert_eq!(asked, ["http://prometheus.example: up{job=\"steel-1\"} == bool 1"; 3]);
    assert_eq!(began.elapsed().as_secs(), 3, "after one second, and two more");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_hold_in_time_is_not_repaired_and_undone() {
    let (world, verdict, why) = repaired(Otherwise::Undo, &[Some(f64::NAN); 100]).await;
    assert_eq!(verdict, Verdict::NotRepaired);
    assert!(
        why.starts_with("the query after 1m: 0 of 1 value hold: NaN; 1 action undone"),
        "{why}"
    );
    assert_eq!(world.script.called().last().map(String::as_str), Some("fix/rollback a"));
    assert_eq!(world.escalations(1), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_there_has_not_said_that_it_is_healed() {
    let (_, verdict, why) = repaired(Otherwise::Escalate, &[None; 100]).await;
    assert_eq!(verdict, Verdict::NotRepaired);
    assert!(why.contains("the source can't say: the connection failed"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_about_a_run_that_changed_nothing() {
    let script = System::new(Severity::Ok)
        .script()
        .always("fix", Phase::Plan, crate::world::script::plan(&[]));
    let world = World::new(home(vec![repair(Otherwise::Escalate)]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Healthy);
    assert!(world.script.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_is_not_asked_again_after_a_crash() {
    let script = System::new(Severity::Critical).script().answers(&[Some(0.0)]);
    let world = World::new(home(vec![repair(Otherwise::Escalate)]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it was asked", || (world.script.asked().len() == 1).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let next = System::new(Severity::Ok).script().answers(&[Some(1.0)]);
    let world = world.crash(home(vec![repair(Otherwise::Escalate)]), next);
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Repaired));
    assert_eq!(world.script.asked().len(), 1);
    assert!(world.script.called().is_empty(), "nothing is done again");
    let asked = world
        .bodies(1)
        .into_iter()
        .filter(|body| matches!(body, Body::Queried { .. }));
    assert_eq!(asked.count(), 2);
}
