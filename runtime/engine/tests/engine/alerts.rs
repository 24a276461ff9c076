//! An alert's edges start rounds and stop runs.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::trigger;
use evenkeel_model::alert::Change;
use evenkeel_model::invocation::{Phase, Severity, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Occurrence, State, Verdict};
use evenkeel_model::runbook::{On, Otherwise, Runbook};

use crate::world::World;
use crate::world::alarms::alert;
use crate::world::home::{healed, home, on_alert, runbook, selecting, selector, step};
use crate::world::script::{Script, System, action_of, applied, found, plan, stopped};

fn repair() -> Runbook {
    on_alert(runbook("repair", vec![step("look"), step("fix")]), "Slow")
}

async fn settle(world: &World) {
    world
        .until("the edges are acted on", || world.alarms.settled().then_some(()))
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_starts_a_round_on_the_asset_that_it_names() {
    let home = home(vec![selecting(repair(), "role", "app")]);
    let world = World::new(home, System::new(Severity::Critical).script());
    world.serve();
    world
        .alarms
        .edge(Change::Fired, &alert("Slow", &[("instance", "10.0.0.1:9100")]));
    let run = world.until_finished(1).await;
    assert_eq!(run.verdict, Some(Verdict::Changed));
    assert_eq!(
        run.target.unwrap().as_str(),
        "steel-1",
        "and not the asset of `paper` with the same address"
    );
    let seen = &world.script.invocations()[0].input["alert"];
    assert_eq!(seen["name"], "Slow");
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_starts_one_round_however_often_it_is_said() {
    let world = World::new(home(vec![repair()]), System::new(Severity::Critical).script());
    world.serve();
    let slow = alert("Slow", &[]);
    for _ in 0..3 {
        world.alarms.edge(Change::Fired, &slow);
        settle(&world).await;
    }
    world.until_finished(1).await;
    assert_eq!(world.journal.count(), 1);

    let mut again = slow.clone();
    again.starts_at += TimeDelta::hours(1);
    world.alarms.edge(Change::Fired, &again);
    world.until_finished(2).await;
    assert_eq!(world.journal.count(), 2);
}

#[test]
fn two_triggers_of_a_runbook_that_match_are_one_round() {
    let book = on_alert(repair(), "Slow");
    assert_eq!(book.on.len(), 2);
    let home = home(vec![book]);
    assert_eq!(trigger::from_alert(&alert("Slow", &[]), &home).len(), 1);
}

#[test]
fn each_runbook_that_matches_has_a_round_of_its_own() {
    let mut other = repair();
    other.name = "other".into();
    let mut picky = repair();
    picky.name = "picky".into();
    picky.on = vec![On::Alert {
        name: "Slow".into(),
        matching: selector("severity", "critical"),
        on_resolve_continue: false,
    }];
    let home = home(vec![repair(), other, picky]);
    let names = |labels: &[(&str, &str)]| -> Vec<String> {
        let starts = trigger::from_alert(&alert("Slow", labels), &home);
        let keys: BTreeSet<String> = starts.iter().map(|start| start.round.occurrence.key()).collect();
        assert_eq!(keys.len(), starts.len());
        starts.iter().map(|start| start.round.runbook.to_string()).collect()
    };
    assert_eq!(names(&[]), ["other", "repair"]);
    assert_eq!(names(&[("severity", "critical")]), ["other", "picky", "repair"]);
    assert!(trigger::from_alert(&alert("Fast", &[]), &home).is_empty());
}

#[test]
fn an_alert_that_names_two_assets_starts_nothing_and_names_them() {
    let book = selecting(repair(), "role", "app");
    let mut home = home(vec![book.clone()]);
    let mut twin = (*home.assets[&"steel-2".into()]).clone();
    twin.address = Some("10.0.0.1".into());
    home.assets.insert("steel-2".into(), std::sync::Arc::new(twin));
    let alert = alert("Slow", &[("instance", "10.0.0.1")]);
    let why = trigger::named(&book, &alert, &home).unwrap_err();
    assert_eq!(
        why,
        "the alert's labels (instance=\"10.0.0.1\") name 2 assets: `steel-1`, `steel-2`; a run wants exactly one"
    );
    assert_eq!(trigger::from_alert(&alert, &home)[0].round.targets[0].target, None);
}

// ---- resolved ----------------------------------------------------------------------------

/// Plans for a minute, unless it is cancelled; then applies `a` and `b`, half a minute each.
fn slow() -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .on("fix", Phase::Plan, |mut invocation, _| async move {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(60)) => plan(&["a", "b"]),
                _ = invocation.cancelled.wait_for(|cancelled| *cancelled) => stopped(Stop::Cancelled),
            }
        })
        .on("fix", Phase::Apply, |invocation, _| async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(!*invocation.cancelled.borrow(), "an action is never interrupted");
            applied(action_of(&invocation) == "a")
        })
}

async fn resolve_after(book: Runbook, script: Script, seconds: u64) -> World {
    let world = World::new(home(vec![book]), script);
    world.serve();
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    world.alarms.edge(Change::Resolved, &slow);
    world.until_finished(1).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_resolve_before_apply_cancels_the_run() {
    let world = resolve_after(repair(), slow(), 30).await;
    let run = world.journal.summary(RunId(1)).unwrap();
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Cancelled), false));
    assert_eq!(run.why, "its alert `Slow` resolved");
    assert_eq!(world.script.called(), ["look/check", "fix/plan"]);
}

#[tokio::test(start_paused = true)]
async fn a_resolve_during_apply_finishes_the_action_and_stops() {
    let world = resolve_after(repair(), slow(), 75).await;
    let run = world.journal.summary(RunId(1)).unwrap();
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Changed), true));
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    assert!(
        run.why
            .contains("stopped after 1 of 2 actions, cancelled: its alert `Slow` resolved"),
        "{}",
        run.why
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_is_looked_at_although_the_alert_resolved() {
    let system = System::new(Severity::Critical);
    let seen = system.severity.clone();
    let script = system.script().on("fix", Phase::Apply, move |_, _| {
        let severity = seen.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            *severity.lock().unwrap() = Severity::Ok;
            applied(true)
        }
    });
    let world = resolve_after(healed(repair(), Otherwise::Undo), script, 15).await;
    let run = world.journal.summary(RunId(1)).unwrap();
    assert_eq!(run.verdict, Some(Verdict::Repaired), "{}", run.why);
}

#[tokio::test(start_paused = true)]
async fn a_runbook_may_go_on_although_its_alert_resolved() {
    let mut book = repair();
    book.on = vec![On::Alert {
        name: "Slow".into(),
        matching: Default::default(),
        on_resolve_continue: true,
    }];
    let world = resolve_after(book, slow(), 30).await;
    let run = world.journal.summary(RunId(1)).unwrap();
    assert_eq!(run.verdict, Some(Verdict::Changed));
    assert!(
        !world
            .bodies(1)
            .iter()
            .any(|body| matches!(body, Body::CancelRequested { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_expires_stops_nothing_that_has_begun() {
    let world = World::new(home(vec![repair()]), slow());
    world.serve();
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.alarms.edge(Change::Expired, &slow);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

/// Run 2 waits for the cool-down of run 1; meanwhile its alert expires.
async fn expires_while_it_waits() -> World {
    let world = World::new(home(vec![crate::world::home::cooling(repair(), 10)]), slow());
    world.serve();
    world.verdict("repair").await;
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    settle(&world).await;
    world.alarms.edge(Change::Expired, &slow);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.journal.summary(RunId(2)).unwrap().state, State::Waiting);
    let waiting = |body: &Body| matches!(body, Body::Waiting { gate, .. } if gate == "alert");
    assert!(world.bodies(2).iter().any(waiting), "it says what it waits for");
    world
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_whose_alert_expires_starts_when_it_is_heard_again() {
    let world = expires_while_it_waits().await;
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Changed));
    assert_eq!(world.journal.count(), 2, "it is the same occurrence");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_whose_alert_expires_starts_after_a_restart_too() {
    let world = expires_while_it_waits().await;
    let book = home(vec![crate::world::home::cooling(repair(), 10)]);
    let world = world.crash(book, slow());
    world.serve();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_resolve_ends_what_waits_for_an_alert_that_expired() {
    let world = expires_while_it_waits().await;
    world.alarms.edge(Change::Resolved, &alert("Slow", &[]));
    let run = world.until_finished(2).await;
    assert_eq!(run.verdict, Some(Verdict::Cancelled));
    assert_eq!(run.why, "its alert `Slow` resolved");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_whose_alert_fires_anew_leaves_it_to_the_new_round() {
    let world = expires_while_it_waits().await;
    let mut anew = alert("Slow", &[]);
    anew.starts_at += TimeDelta::hours(1);
    world.alarms.edge(Change::Fired, &anew);
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Changed));
    let run = world.until_finished(2).await;
    assert_eq!(run.verdict, Some(Verdict::Cancelled));
    assert!(run.why.contains("fired anew"), "{}", run.why);
}

#[tokio::test(start_paused = true)]
async fn an_edge_whose_round_can_not_be_written_is_acted_on_again() {
    let world = expires_while_it_waits().await;
    let mut anew = alert("Slow", &[]);
    anew.starts_at += TimeDelta::hours(1);
    world.journal.fail_edges(3);
    world.alarms.edge(Change::Fired, &anew);
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Cancelled));
    assert!(world.journal.count() == 2 && !world.alarms.settled());
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Changed));
    assert!(world.journal.count() == 3 && world.alarms.settled());
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_wait_for_ever_for_an_alert_that_is_not_heard_of() {
    let world = expires_while_it_waits().await;
    tokio::time::sleep(Duration::from_secs(12 * 3_600)).await;
    let book = home(vec![crate::world::home::cooling(repair(), 10)]);
    let world = world.crash(book, slow());
    world.serve();
    tokio::time::sleep(Duration::from_secs(12 * 3_600)).await;
    let run = world.until_finished(2).await;
    assert_eq!(run.verdict, Some(Verdict::Cancelled));
    assert_eq!(run.why, "its alert `Slow` was not heard of for 24 hours");
    assert!(
        (run.finished_at.unwrap() - run.requested_at).num_hours() < 25,
        "a restart does not begin the day anew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resolve_does_not_touch_runs_that_something_else_started() {
    let world = World::new(home(vec![repair()]), slow());
    world.serve();
    let mut request = crate::world::person("repair");
    let slow = alert("Slow", &[]);
    request.alert = Some(slow.clone());
    let runs = world.ask(request).await.unwrap().runs;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.alarms.edge(Change::Resolved, &slow);
    let run = world.engine.wait(runs[0]).await.unwrap();
    assert!(matches!(run.occurrence, Occurrence::Person { .. }));
    assert_eq!(run.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_has_resolved_by_the_time_it_is_acted_on_starts_nothing() {
    let world = World::new(home(vec![repair()]), slow());
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    world.alarms.edge(Change::Resolved, &slow);
    world.serve();
    let run = world.until_finished(1).await;
    assert_eq!(run.verdict, Some(Verdict::Cancelled));
    assert!(world.script.called().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_resolve_does_not_touch_what_fired_since() {
    let world = World::new(home(vec![repair()]), slow());
    world.serve();
    let old = alert("Slow", &[]);
    let mut new = old.clone();
    new.starts_at += TimeDelta::seconds(1);
    world.alarms.edge(Change::Fired, &new);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.alarms.edge(Change::Resolved, &old);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_asks_again_whether_its_alert_fires_after_a_restart() {
    let book = || home(vec![crate::world::home::cooling(repair(), 10)]);
    let world = World::new(book(), slow());
    world.serve();
    world.verdict("repair").await;
    let alert = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &alert);
    settle(&world).await;
    let world = world.crash(book(), slow());
    world.alarms.forget(&alert);
    world.serve();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.journal.summary(RunId(2)).unwrap().state, State::Waiting);
}
