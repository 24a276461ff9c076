//! What did not repair is tried again while its alert fires, and given up in the end.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::port::gates::Happening;
use evenkeel_engine::trigger;
use evenkeel_model::alert::Change;
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Occurrence, Summary, Verdict};
use evenkeel_model::runbook::Otherwise;

use crate::world::alarms::alert;
use crate::world::home::{cooling, healed, home, on_alert, runbook, step};
use crate::world::script::{Script, System, applied, failed, found, plan};
use crate::world::{World, person};

/// Cools down for 10 minutes, and gives up after three.
fn repairing() -> Home {
    let mut book = runbook("repair", vec![step("look"), step("fix")]);
    book.limits.strikes = NonZeroU32::new(3).unwrap();
    home(vec![cooling(healed(on_alert(book, "Slow"), Otherwise::Escalate), 10)])
}

/// It never helps.
fn in_vain() -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always("fix", Phase::Plan, plan(&["a"]))
        .always("fix", Phase::Apply, applied(true))
}

fn attempt(run: &Summary) -> u32 {
    match run.occurrence {
        Occurrence::Alert { attempt, .. } => attempt,
        _ => panic!("{run:?}"),
    }
}

#[test]
fn the_key_of_a_first_attempt_is_what_it_was_before_there_were_others() {
    let home = repairing();
    let slow = alert("Slow", &[]);
    let key = |attempt| {
        let book = &home.runbooks[&"repair".into()];
        trigger::by_alert(book, &slow, &home, attempt)
            .unwrap()
            .round
            .occurrence
            .key()
    };
    assert!(!key(1).contains("attempt"), "{}", key(1));
    assert!(key(2).contains(r#""attempt":2"#), "{}", key(2));
    let old: Occurrence = serde_json::from_str(&key(1)).unwrap();
    assert_eq!(old.key(), key(1));
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_again_after_each_cool_down_and_given_up_with_one_escalation() {
    let world = World::new(repairing(), in_vain());
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    let mut runs = Vec::new();
    for run in 1..=4 {
        runs.push(world.until_finished(run).await);
    }
    assert_eq!(runs.iter().map(attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for pair in runs[..3].windows(2) {
        assert_eq!(pair[0].verdict, Some(Verdict::NotRepaired));
        let between = pair[1].started_at.unwrap() - pair[0].finished_at.unwrap();
        assert!(between >= TimeDelta::minutes(10), "{between}");
    }
    assert_eq!(world.refusal(4).unwrap().0, "strikes");
    assert_eq!(world.escalations(4), 1);
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.journal.count(), 4, "that was all");

    world.alarms.edge(Change::Fired, &alert("Slow", &[("n", "2")]));
    assert_eq!(world.until_finished(5).await.verdict, Some(Verdict::Rejected));
    assert_eq!(world.escalations(5), 0, "it was said");
}

#[tokio::test(start_paused = true)]
async fn strikes_are_cleared_by_a_person_or_by_a_run_that_repairs() {
    let world = World::new(repairing(), in_vain());
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    world.until_finished(4).await;
    world
        .engine
        .clear_strikes(&"repair".into(), &"local".into(), "ada")
        .await
        .unwrap();
    world.alarms.edge(Change::Fired, &alert("Slow", &[("n", "2")]));
    assert_eq!(world.until_finished(5).await.verdict, Some(Verdict::NotRepaired));
    let wrong = world
        .engine
        .clear_strikes(&"repare".into(), &"local".into(), "ada")
        .await;
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "there is no runbook `repare`; did you mean `repair`?"
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_may_try_what_was_given_up_and_that_it_worked_counts() {
    let world = World::new(repairing(), in_vain());
    world.serve();
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    world.until_finished(4).await;
    tokio::time::sleep(Duration::from_secs(601)).await;
    let world = world.crash(repairing(), System::new(Severity::Critical).script());
    world.serve();
    assert_eq!(world.run_as(person("repair")).await[0].verdict, Some(Verdict::Repaired));
    world.alarms.edge(Change::Fired, &alert("Slow", &[("n", "2")]));
    assert_ne!(world.until_finished(6).await.verdict, Some(Verdict::Rejected));
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_it_changed_anything_is_not_tried_again_at_once() {
    let mut book = on_alert(runbook("repair", vec![step("fix")]), "Slow");
    book.limits.strikes = NonZeroU32::new(2).unwrap();
    let script = Script::default().always("fix", Phase::Plan, failed(Class::Permanent));
    let world = World::new(home(vec![book]), script);
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    let (first, second) = (world.until_finished(1).await, world.until_finished(2).await);
    assert!(!first.changed);
    assert!(second.started_at.unwrap() - first.finished_at.unwrap() >= TimeDelta::seconds(60));
    assert!(
        world.waits(2)[0]
            .1
            .starts_with("run 1 ended as failed; attempt 2 begins 1m later, at ")
    );
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Rejected));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_made_once_whenever_the_process_dies() {
    let world = World::new(repairing(), in_vain());
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    world.until_finished(1).await;
    // Before anybody looked at its end, and again before the next attempt began.
    let world = world.crash(repairing(), in_vain());
    world.serve();
    world.until_waiting(2, "cooldown").await;
    let world = world.crash(repairing(), in_vain());
    world.serve();
    world.until_finished(2).await;
    world.until_waiting(3, "cooldown").await;
    assert_eq!(world.journal.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_tried_again_when_its_alert_does_not_fire_any_more_and_the_record_says_so() {
    let script = in_vain();
    let world = World::new(repairing(), script);
    world.serve();
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    world.alarms.forget(&slow);
    world.alarms.edge(Change::Fired, &slow);
    world
        .until("it begins", || (!world.script.called().is_empty()).then_some(()))
        .await;
    world.alarms.forget(&slow);
    world.until_finished(1).await;
    let noted = world.until("it is noted", || world.journal.noted().pop()).await;
    assert!(matches!(noted.what, Happening::Attempt { run: RunId(1), .. }));
    assert_eq!(noted.why, "its alert `Slow` does not fire any more");
    assert_eq!(world.journal.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_a_rejected_and_a_persons_run_have_no_next_attempt() {
    let world = World::new(repairing(), in_vain());
    world.serve();
    assert_eq!(
        world.run_as(person("repair")).await[0].verdict,
        Some(Verdict::NotRepaired)
    );
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    world.until_waiting(2, "cooldown").await;
    world.engine.cancel(RunId(2), "not wanted").await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.journal.count(), 2);
}
