//! Nobody knows what an action did: what that keeps back, and what follows once somebody has looked.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::Calls;
use evenkeel_model::call::Answer;
use evenkeel_model::change::{self, ChangeOutcome};
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{OnFailure, Runbook, Step, Tolerate};

use serde_json::json;

use crate::each::for_each;
use crate::world::home::{home, needing, runbook, running, selecting, step};
use crate::world::script::{Script, action, applied, effect, failed, found, gave_up, hang, intend, plan};
use crate::world::{World, looked, person};

/// Looks at the effect in doubt, and says so.
async fn look(world: &World, done: bool) {
    world.engine.resolve(RunId(1), looked(done)).await.unwrap();
}

async fn verdict(world: &World) -> Verdict {
    world.until_finished(1).await.verdict.unwrap()
}

/// A command that was given up, and an action that fails because of that, after half a minute.
async fn given_up(calls: Arc<dyn Calls>) -> evenkeel_model::invocation::Outcome {
    intend(&*calls, 0, false).await;
    calls.answered(0, None, &gave_up(), Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    failed(Class::Permanent)
}

fn doubtful() -> Script {
    Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, |_, calls| given_up(calls))
}

/// `fix`, which ends in doubt after half a minute, and these steps beside it.
fn beside(steps: Vec<Step>) -> Runbook {
    let ids: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
    let book = runbook("repair", [vec![step("fix")], steps].concat());
    ids.iter().fold(book, |book, id| needing(book, id, &[]))
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_was_answered_was_made_whatever_is_said_of_what_followed() {
    let book = || runbook("repair", vec![step("fix")]);
    let script = || Script::default().always("fix", Phase::Plan, plan(&["a"]));
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        effect(&*calls, 0, false).await;
        hang().await
    });
    let world = World::new(home(vec![book()]), hangs);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut bare = home(vec![book()]);
    bare.plugins.clear();
    let world = world.crash(bare, script());
    world.engine.resume().await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Unknown);

    // It was interrupted after the effect, which is what is not done.
    let again = script().always("fix", Phase::Apply, failed(Class::Transient));
    let world = world.crash(home(vec![book()]), again);
    look(&world, false).await;
    assert_eq!(verdict(&world).await, Verdict::Failed);
    assert!(
        world.journal.summary(RunId(1)).unwrap().changed,
        "the effect is not forgotten"
    );
    assert_eq!(
        world.script.called(),
        ["fix/apply a"],
        "and not made again by another try"
    );
}

/// The last record of a change of run 1.
fn recorded(world: &World) -> ChangeOutcome {
    let events = world.journal.all(RunId(1));
    let records = (1..=events.len()).flat_map(|end| change::of(RunId(1), &events[..end]));
    records.last().expect("there is one").outcome
}

/// What is found done already may be its own doing.
#[tokio::test(start_paused = true)]
async fn an_effect_that_was_made_again_after_a_crash_counts_as_a_change() {
    let mut book = runbook("repair", vec![step("fix")]);
    book.limits.cooldown = Duration::from_secs(600);
    let script = || Script::default().always("fix", Phase::Plan, plan(&["a"]));
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, true).await;
        hang().await
    });
    let world = World::new(home(vec![book.clone()]), hangs);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let finds = script().on("fix", Phase::Apply, |_, calls| async move {
        calls
            .answered(0, None, &Answer::Ok(json!(null)), Duration::ZERO)
            .await
            .unwrap();
        applied(false)
    });
    let world = world.crash(home(vec![book]), finds);
    world.engine.resume().await.unwrap();
    let run = world.until_finished(1).await;
    assert_eq!(
        (run.verdict, run.changed),
        (Some(Verdict::Changed), true),
        "{}",
        run.why
    );
    assert!(run.why.contains("may be its own doing"), "{}", run.why);
    assert_eq!(recorded(&world), ChangeOutcome::Changed);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_began_counts_as_a_change_of_the_next() {
    for (begins, verdict) in [(true, Verdict::Changed), (false, Verdict::Healthy)] {
        let script = Script::default().always("fix", Phase::Plan, plan(&["a"])).on(
            "fix",
            Phase::Apply,
            move |invocation, calls| async move {
                if begins || invocation.key.attempt > 1 {
                    effect(&*calls, 0, true).await;
                }
                match invocation.key.attempt {
                    1 => failed(Class::Transient),
                    _ => applied(false),
                }
            },
        );
        let world = World::new(home(vec![runbook("repair", vec![step("fix")])]), script);
        world.ask(person("repair")).await.unwrap();
        assert_eq!(self::verdict(&world).await, verdict);
        let record = if begins {
            ChangeOutcome::Changed
        } else {
            ChangeOutcome::Unchanged
        };
        assert_eq!(recorded(&world), record);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_below_that_has_begun_is_finished_beside_a_doubt() {
    let below = runbook("below", vec![step("more")]);
    let book = selecting(beside(vec![running("sub", "below")]), "asset", "steel-1");
    let script =
        doubtful()
            .always("more", Phase::Plan, plan(&["x", "y", "z"]))
            .on("more", Phase::Apply, |_, _| async {
                tokio::time::sleep(Duration::from_secs(20)).await;
                applied(true)
            });
    let world = World::new(home(vec![book, below]), script);
    world.ask(person("repair")).await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Unknown);
    assert_eq!(world.journal.summary(RunId(2)).unwrap().verdict, Some(Verdict::Changed));
    let applied = |call: &&String| call.starts_with("more/apply");
    assert_eq!(world.script.called().iter().filter(applied).count(), 3, "all actions");
    look(&world, true).await;
    assert_eq!(verdict(&world).await, Verdict::Changed);
}

/// One item is in doubt after half a minute, another is at work for a whole one, and what is below could begin in between.
#[tokio::test(start_paused = true)]
async fn no_run_is_begun_beside_a_doubt() {
    let fix = for_each(step("fix"), "['a', 'b']", 2, Tolerate::Count(0));
    let book = runbook("repair", vec![fix, step("look"), running("sub", "below")]);
    let book = selecting(needing(book, "look", &[]), "asset", "steel-1");
    let below = runbook("below", vec![step("more")]);
    let script = doubtful()
        .on("fix", Phase::Apply, |invocation, calls| async move {
            if invocation.params["name"] == "a" {
                return given_up(calls).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            applied(true)
        })
        .on("look", Phase::Check, |_, _| async {
            tokio::time::sleep(Duration::from_secs(45)).await;
            found(Severity::Ok)
        })
        .always("more", Phase::Plan, plan(&["x"]))
        .always("more", Phase::Apply, applied(true));
    let world = World::new(home(vec![book, below]), script);
    world.ask(person("repair")).await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Unknown);
    assert_eq!(world.journal.count(), 1, "nothing was begun below");
    look(&world, true).await;
    assert_eq!(verdict(&world).await, Verdict::Changed);
    assert_eq!(world.journal.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_to_be_tried_again_is_once_the_doubt_is_gone() {
    let mut more = step("more");
    more.retry.wait = Duration::from_secs(60);
    let script =
        doubtful()
            .always("more", Phase::Plan, plan(&["x"]))
            .on("more", Phase::Apply, |invocation, calls| async move {
                effect(&*calls, 0, true).await;
                match invocation.key.attempt {
                    1 => failed(Class::Transient),
                    _ => applied(true),
                }
            });
    let world = World::new(home(vec![beside(vec![more])]), script);
    world.ask(person("repair")).await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Unknown);
    look(&world, true).await;
    assert_eq!(verdict(&world).await, Verdict::Changed);
    assert_eq!(world.script.called().last().unwrap(), "more/apply x");
}

#[tokio::test(start_paused = true)]
async fn people_are_asked_again_when_nobody_could_answer_meanwhile() {
    let risky = evenkeel_model::invocation::Outcome::Done(evenkeel_model::invocation::Output::Plan(vec![action(
        "x",
        evenkeel_model::action::Risk::High,
    )]));
    let script = doubtful()
        .always("more", Phase::Plan, risky)
        .always("more", Phase::Apply, applied(true));
    let world = World::new(home(vec![beside(vec![step("more")])]), script);
    world.ask(person("repair")).await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Unknown);
    tokio::time::sleep(Duration::from_secs(40 * 3_600)).await;
    look(&world, true).await;
    world.until("it asks again", || world.engine.pending().pop()).await;
    let asked = |body: &&Body| matches!(body, Body::ApprovalAsked { .. });
    assert_eq!(world.bodies(1).iter().filter(asked).count(), 2);
    let yes = evenkeel_engine::Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    };
    world.engine.decide(RunId(1), None, &yes).await.unwrap();
    assert_eq!(verdict(&world).await, Verdict::Changed);
}

#[tokio::test(start_paused = true)]
async fn the_step_that_is_in_doubt_is_the_one_that_is_named() {
    let early = Step {
        on_failure: OnFailure::Continue,
        ..step("look")
    };
    let script =
        doubtful()
            .always("look", Phase::Check, failed(Class::Permanent))
            .on("report", Phase::Check, |_, _| async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                found(Severity::Ok)
            });
    let book = needing(
        needing(runbook("repair", vec![early, step("fix"), step("report")]), "fix", &[]),
        "report",
        &[],
    );
    let world = World::new(home(vec![book]), script);
    world.ask(person("repair")).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Unknown));
    assert!(summary.why.starts_with("step `fix`"), "{}", summary.why);
    let halted = world.bodies(1).into_iter().find_map(|body| match body {
        Body::Halted { step, .. } => Some(step),
        _ => None,
    });
    assert_eq!(halted.unwrap().as_str(), "fix");
}
