//! Steps that don't wait for each other go on side by side.

use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::{ApprovalError, Decision, ResolveError};
use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, StepStatus, Verdict};
use evenkeel_model::runbook::{OnFailure, Overlap, Runbook};

use crate::world::home::{home, needing, runbook, step, step_as};
use crate::world::script::{Script, action, applied, effect, failed, found, gave_up, hang, intend, plan};
use crate::world::{World, looked, person};

/// Seconds on the world's clock, and then this.
async fn after(seconds: u64, outcome: Outcome) -> Outcome {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    outcome
}

/// `look` and `fix` at once, and `end` after both.
fn two() -> Runbook {
    let steps = vec![step("look"), step("fix"), step_as("end", "look")];
    needing(needing(runbook("repair", steps), "fix", &[]), "end", &["look", "fix"])
}

fn slow() -> Script {
    Script::default()
        .on("look", Phase::Check, |_, _| after(10, found(Severity::Ok)))
        .on("fix", Phase::Plan, |_, _| after(1, plan(&["a", "b"])))
        .on("fix", Phase::Apply, |_, _| after(3, applied(true)))
}

fn began(world: &World, step: &str, phase: Phase) -> i64 {
    let events = world.journal.all(RunId(1));
    let begun = events.iter().find(
        |event| matches!(&event.body, Body::Invoked { key, .. } if key.step.as_str() == step && key.phase == phase),
    );
    (begun.unwrap().at - events[0].at).num_seconds()
}

fn result(world: &World, step: &str) -> Option<(StepStatus, String)> {
    world.bodies(1).into_iter().find_map(|body| match body {
        Body::StepFinished { step: of, result } if of.as_str() == step => Some((result.status, result.summary)),
        Body::Skipped { step: of, why } if of.as_str() == step => Some((StepStatus::Skipped, why)),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_step_begins_when_what_it_needs_has_ended() {
    let world = World::new(home(vec![two()]), slow());
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    assert_eq!(began(&world, "look", Phase::Check), 0);
    assert_eq!(began(&world, "fix", Phase::Plan), 0);
    assert_eq!(began(&world, "fix", Phase::Apply), 1);
    assert_eq!(began(&world, "end", Phase::Check), 10);
    let calls = world.script.invocations();
    let seen = |step: &str| {
        let call = calls.iter().find(|call| call.key.step.as_str() == step).unwrap();
        let steps = call.input.keys().filter(|name| name.starts_with("steps."));
        steps.cloned().collect::<Vec<_>>()
    };
    assert_eq!(seen("end"), ["steps.fix", "steps.look"]);
    assert!(seen("fix").is_empty(), "it sees what it waits for, and nothing else");
}

#[tokio::test(start_paused = true)]
async fn no_more_at_once_than_parallel_says() {
    let mut book = two();
    book.limits.parallel = std::num::NonZeroU32::MIN;
    let world = World::new(home(vec![book]), slow());
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    assert_eq!(began(&world, "fix", Phase::Plan), 10);
    assert_eq!(began(&world, "end", Phase::Check), 17);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_stops_the_others_between_their_actions() {
    let fails = slow().on("look", Phase::Check, |_, _| after(3, failed(Class::Permanent)));
    let world = World::new(home(vec![two()]), fails);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.starts_with("step `look`: "), "{why}");
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    let (status, summary) = result(&world, "fix").unwrap();
    assert_eq!(status, StepStatus::Ok);
    assert!(
        summary.starts_with("stopped after 1 of 2 actions, step `look` failed"),
        "{summary}"
    );
    assert_eq!(result(&world, "end"), None, "it never began");
    let halts = world
        .bodies(1)
        .into_iter()
        .filter(|body| matches!(body, Body::Halted { .. }));
    assert_eq!(halts.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_may_fail_stops_nothing() {
    let mut book = two();
    book.steps[0].on_failure = OnFailure::Continue;
    let fails = slow().in_turn(
        "look",
        Phase::Check,
        vec![failed(Class::Permanent), found(Severity::Ok)],
    );
    let world = World::new(home(vec![book]), fails);
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed, "in the end it has");
    assert_eq!(world.script.called().len(), 5, "and all was done");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_all_of_them() {
    let world = World::new(home(vec![two()]), slow());
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.engine.cancel(run, "enough").await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Changed), "one action was finished");
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    assert_eq!(
        result(&world, "end"),
        Some((StepStatus::Skipped, "cancelled: enough".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_both_goes_on_with_both() {
    let world = World::new(home(vec![two()]), slow());
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    let world = world.crash(home(vec![two()]), slow());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    let mut resumed = world.script.called();
    resumed.truncate(2);
    assert_eq!(resumed, ["look/check", "fix/apply a"]);
    let resumes = world
        .bodies(1)
        .into_iter()
        .filter(|body| matches!(body, Body::Resumed { .. }));
    assert_eq!(resumes.count(), 2);
}

fn risky(id: &str) -> Outcome {
    Outcome::Done(Output::Plan(vec![action(id, Risk::High)]))
}

/// Two remedies at once, and both ask.
fn both_ask() -> Runbook {
    let steps = vec![step("fix"), step_as("more", "fix")];
    let mut book = needing(runbook("repair", steps), "more", &[]);
    book.limits.overlap = Overlap::Queue;
    book
}

fn yes(who: &str) -> Decision {
    Decision {
        approve: true,
        who: who.into(),
        why: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn plans_that_wait_side_by_side_are_named_by_their_hashes() {
    let script = Script::default()
        .in_turn("fix", Phase::Plan, vec![risky("a"), risky("b")])
        .always("fix", Phase::Apply, applied(true));
    let world = World::new(home(vec![both_ask()]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    let pending = world
        .until("both ask", || Some(world.engine.pending()).filter(|all| all.len() == 2))
        .await;
    let unnamed = world.engine.decide(run, None, &yes("ben")).await;
    assert!(matches!(unnamed, Err(ApprovalError::Several(_))), "{unnamed:?}");
    world
        .engine
        .decide(run, Some(&pending[1].plan), &yes("ben"))
        .await
        .unwrap();
    world
        .until("the other waits", || (world.engine.pending().len() == 1).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let applies = |world: &World| {
        world
            .script
            .called()
            .iter()
            .filter(|call| call.contains("apply"))
            .count()
    };
    assert_eq!(applies(&world), 1, "what is approved does not wait for the other");
    world.engine.decide(run, None, &yes("ben")).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert_eq!(applies(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_people_take_is_counted_once_for_all_that_they_are_asked() {
    let mut book = both_ask();
    book.limits.deadline = Some(Duration::from_secs(60));
    let script = Script::default()
        .in_turn("fix", Phase::Plan, vec![risky("a"), risky("b")])
        .on("fix", Phase::Apply, |_, _| after(25, applied(true)));
    let world = World::new(home(vec![book]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    let pending = world
        .until("both ask", || Some(world.engine.pending()).filter(|all| all.len() == 2))
        .await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    for pending in pending {
        world
            .engine
            .decide(run, Some(&pending.plan), &yes("ben"))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Changed), "{}", summary.why);
    let took = summary.finished_at.unwrap() - summary.started_at.unwrap();
    assert!(took > TimeDelta::seconds(630), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_people_and_works_keeps_its_target() {
    let steps = vec![step("look"), step("fix")];
    let book = needing(runbook("repair", steps), "fix", &[]);
    let script = Script::default()
        .on("look", Phase::Check, |_, _| after(100, found(Severity::Ok)))
        .always("fix", Phase::Plan, risky("a"));
    let other = runbook("other", vec![step("look")]);
    let world = World::new(home(vec![book, other]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it asks", || (!world.engine.pending().is_empty()).then_some(()))
        .await;
    world.ask(person("other")).await.unwrap();
    world.until_waiting(2, "target-lock").await;
    let second = world.until_finished(2).await;
    let waited = second.finished_at.unwrap() - second.requested_at;
    assert!(waited > TimeDelta::seconds(90), "{waited}");
    assert!(
        !world.engine.pending().is_empty(),
        "the first still waits, and nothing else of it is under way"
    );
}

/// The second effect of an action is in doubt.
fn doubtful() -> Script {
    slow().on("fix", Phase::Apply, |_, calls| async move {
        effect(&*calls, 0, false).await;
        intend(&*calls, 1, false).await;
        hang().await
    })
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_declined_does_not_hide_what_another_step_left_in_doubt() {
    let steps = vec![step("fix"), step("more")];
    let book = needing(runbook("repair", steps), "more", &[]);
    let script = doubtful()
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, |_, calls| async move {
            intend(&*calls, 0, false).await;
            calls.answered(0, None, &gave_up(), Duration::ZERO).await.unwrap();
            tokio::time::sleep(Duration::from_secs(30)).await;
            failed(Class::Permanent)
        })
        .always("more", Phase::Plan, risky("b"));
    let world = World::new(home(vec![book]), script);
    let run = world.ask(person("repair")).await.unwrap().runs[0];
    world.until("it asks", || world.engine.pending().pop()).await;
    let no = Decision {
        approve: false,
        ..yes("ben")
    };
    world.engine.decide(run, None, &no).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Unknown), "{}", summary.why);
    assert_eq!(world.escalations(1), 1);
}

#[tokio::test(start_paused = true)]
async fn two_effects_in_doubt_are_resolved_one_by_one_and_both_actions_are_made() {
    let steps = vec![step("fix"), step_as("more", "fix")];
    let books = || vec![needing(runbook("repair", steps.clone()), "more", &[])];
    let plans = |script: Script| script.always("fix", Phase::Plan, plan(&["a"]));
    let world = World::new(home(books()), plans(doubtful()));
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let world = world.crash(home(books()), plans(slow()));
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Unknown));
    for of in [None, Some("fix/b"), Some("fix/a"), Some("more/a")] {
        let said = evenkeel_engine::Resolution {
            done: false,
            who: "ben".into(),
            why: String::new(),
            of: of.map(str::to_owned),
        };
        assert!(
            world.script.called().is_empty(),
            "nothing goes on while another one is in doubt"
        );
        let answer = world.engine.resolve(RunId(1), said).await;
        match of {
            None => assert!(matches!(answer, Err(ResolveError::Several { .. })), "{answer:?}"),
            Some("fix/b") => assert!(matches!(answer, Err(ResolveError::NotAsked { .. })), "{answer:?}"),
            _ => answer.unwrap(),
        }
        world.until_finished(1).await;
    }
    assert_eq!(world.journal.summary(RunId(1)).unwrap().verdict, Some(Verdict::Changed));
    assert_eq!(world.script.called(), ["fix/apply a", "fix/apply a"]);
}

#[tokio::test(start_paused = true)]
async fn what_another_step_left_in_doubt_keeps_no_step_from_being_done_once_that_is_known() {
    let steps = vec![step("look"), step("fix"), step_as("last", "look")];
    let book = needing(needing(runbook("repair", steps), "fix", &[]), "last", &["look", "fix"]);
    // `look` is to be tried again in a while when the process dies.
    let script =
        doubtful()
            .always("fix", Phase::Plan, plan(&["a"]))
            .always("look", Phase::Check, failed(Class::Transient));
    let world = World::new(home(vec![book.clone()]), script);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let world = world.crash(home(vec![book]), slow());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Unknown));
    world.engine.resolve(RunId(1), looked(true)).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Changed), "{}", summary.why);
    assert_eq!(
        world.script.called(),
        ["look/check", "look/check"],
        "`look`, and `last` after it"
    );
}
