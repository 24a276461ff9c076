//! A process dies at some point, and the next one goes on from the journal.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::port::Calls;
use evenkeel_engine::run::Run;
use evenkeel_engine::{Resolution, ResolveError};
use evenkeel_model::invocation::{Class, Key, Phase, Severity, Stop};
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::run::{Body, Event, Verdict};
use evenkeel_model::runbook::{OnFailure, Otherwise, Runbook};

use crate::world::home::{healed, home, pinned, runbook, step};
use crate::world::script::{
    Script, System, applied, call, effect, failed, found, gave_up, hang, intend, plan, stopped,
};
use crate::world::{World, looked, noon, person};

pub(super) fn repair() -> Runbook {
    runbook("repair", vec![step("look"), step("fix")])
}

/// Runs `repair` until `script` has been called for the `calls`th time, and dies.
async fn dies_at(calls: usize, book: Runbook, script: Script, then: Script) -> World {
    let world = World::new(home(vec![book.clone()]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it is there", || (world.script.called().len() == calls).then_some(()))
        .await;
    // What the plugin does at once, it has done.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let world = world.crash(home(vec![book]), then);
    world.engine.resume().await.unwrap();
    world.until_finished(1).await;
    world
}

pub(super) fn outcome(world: &World) -> (Verdict, String) {
    let summary = world.journal.summary(RunId(1)).unwrap();
    (summary.verdict.unwrap(), summary.why)
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_interrupted_is_gone_on_with() {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("look", Phase::Check, |_, _| hang());
    let world = dies_at(1, repair(), hangs, system.script()).await;
    assert_eq!(outcome(&world).0, Verdict::Changed);
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
    let resumed = &world.script.invocations()[0];
    assert_eq!(resumed.key.attempt, 1, "it is the same invocation");
    let resume = resumed.resume.as_ref().expect("with what was recorded of it");
    assert_eq!(resume.given.seed, resumed.seed);
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_not_done_again() {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("fix", Phase::Plan, |_, _| hang());
    let world = dies_at(2, repair(), hangs, system.script()).await;
    assert_eq!(outcome(&world).0, Verdict::Changed);
    assert_eq!(world.script.called(), ["fix/plan", "fix/apply a"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_had_begun_no_effect_is_made_again() {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("fix", Phase::Apply, |_, _| hang());
    let world = dies_at(3, repair(), hangs, system.script()).await;
    assert_eq!(outcome(&world).0, Verdict::Changed);
    assert_eq!(
        world.script.called(),
        ["fix/apply a"],
        "as it was planned, and not planned anew"
    );
}

#[tokio::test(start_paused = true)]
async fn an_effect_without_an_answer_leaves_the_run_unknown() {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let world = dies_at(3, healed(repair(), Otherwise::Undo), hangs, system.script()).await;
    let (verdict, why) = outcome(&world);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(
        why.contains("the apply of `a` in step `fix` was interrupted at exec `restart []`"),
        "{why}"
    );
    assert!(world.script.called().is_empty());
    assert!(
        world
            .bodies(1)
            .iter()
            .any(|body| matches!(body, Body::Escalated { .. }))
    );
    assert!(
        world.journal.summary(RunId(1)).unwrap().changed,
        "it may have been, and that counts"
    );
}

#[tokio::test(start_paused = true)]
async fn an_action_goes_on_at_the_call_that_it_had_come_to() {
    let two = |calls: Arc<dyn Calls>| async move {
        effect(&*calls, 0, false).await;
        effect(&*calls, 1, false).await;
        applied(true)
    };
    let script = || System::new(Severity::Critical).script();
    // Before the second effect, in the middle of it, and after it.
    for repeatable in [None, Some(true), Some(false)] {
        let dies = script().on("fix", Phase::Apply, move |_, calls| async move {
            effect(&*calls, 0, false).await;
            if let Some(repeatable) = repeatable {
                intend(&*calls, 1, repeatable).await;
            }
            hang().await
        });
        let goes_on = script().on("fix", Phase::Apply, move |_, calls| two(calls));
        let world = dies_at(3, repair(), dies, goes_on).await;
        let intents: Vec<u32> = intents(&world);
        match repeatable {
            Some(false) => {
                assert_eq!(outcome(&world).0, Verdict::Unknown);
                assert!(world.script.called().is_empty());
            }
            _ => {
                assert_eq!(outcome(&world).0, Verdict::Changed, "{repeatable:?}");
                assert_eq!(world.script.called(), ["fix/apply a"]);
                assert_eq!(
                    world.script.invocations()[0].spent,
                    [],
                    "it takes from its effects as it did"
                );
            }
        }
        assert_eq!(intents, [0, 1], "each is begun once: {repeatable:?}");
    }
}

fn intents(world: &World) -> Vec<u32> {
    let bodies = world.bodies(1).into_iter();
    let intended = bodies.filter_map(|body| match body {
        Body::Intended { n, .. } => Some(n),
        _ => None,
    });
    intended.collect()
}

/// A run that died at an effect that can't be made twice, and so is `unknown`.
async fn unknown(then: Script) -> World {
    let system = System::new(Severity::Critical);
    let hangs = system.script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let world = dies_at(3, repair(), hangs, then).await;
    assert_eq!(outcome(&world).0, Verdict::Unknown);
    world
}

fn said(done: bool) -> Resolution {
    Resolution {
        done,
        who: "ada".into(),
        why: "I looked".into(),
        of: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_person_saw_lets_a_run_go_on() {
    let system = System::new(Severity::Critical);
    for (done, called) in [(true, vec![]), (false, vec!["fix/apply a"])] {
        let world = unknown(system.script()).await;
        world.engine.resolve(RunId(1), said(done)).await.unwrap();
        world.until_finished(1).await;
        assert_eq!(outcome(&world).0, Verdict::Changed, "done: {done}");
        assert_eq!(world.script.called(), called, "done: {done}");
        let again = world.engine.resolve(RunId(1), said(done)).await.unwrap_err();
        assert!(matches!(again, ResolveError::Known { .. }), "{again}");
    }
    let world = unknown(system.script()).await;
    let other = world.engine.resolve(RunId(7), said(true)).await.unwrap_err();
    assert_eq!(other.to_string(), "there is no run 7");
}

#[tokio::test(start_paused = true)]
async fn an_action_that_ended_in_doubt_and_was_not_done_has_failed() {
    let gives_up = Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, |_, calls| async move {
            intend(&*calls, 0, false).await;
            calls
                .answered(0, None, &gave_up(), Duration::from_secs(1))
                .await
                .unwrap();
            failed(Class::Permanent)
        });
    for (done, verdict) in [(false, Verdict::Failed), (true, Verdict::Changed)] {
        let world = World::new(home(vec![repair()]), gives_up.clone());
        assert_eq!(world.verdict("repair").await.0, Verdict::Unknown);
        world.engine.resolve(RunId(1), said(done)).await.unwrap();
        world.until_finished(1).await;
        assert_eq!(outcome(&world).0, verdict);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_do_the_same_again_is_begun_anew_unless_it_had_changed_something() {
    let diverges = |phase: Phase| {
        System::new(Severity::Critical)
            .script()
            .on("fix", phase, move |invocation, _| async move {
                match (invocation.resume, phase) {
                    (Some(_), _) => stopped(Stop::Diverged),
                    (None, Phase::Plan) => plan(&["a"]),
                    (None, _) => applied(true),
                }
            })
    };
    let hangs = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Plan, |_, _| hang());
    let world = dies_at(2, repair(), hangs, diverges(Phase::Plan)).await;
    assert_eq!(outcome(&world).0, Verdict::Changed);
    assert_eq!(world.script.invocations()[1].key.attempt, 2);
    let hangs = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, calls| async move {
            effect(&*calls, 0, true).await;
            hang().await
        });
    let world = dies_at(3, repair(), hangs, diverges(Phase::Apply)).await;
    assert_eq!(outcome(&world).0, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn healing_is_looked_at_once_more_however_long_nobody_was_there() {
    let system = System::new(Severity::Critical);
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let hangs = system.script().on("look", Phase::Check, move |_, _| {
        let n = looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            if n == 0 {
                found(Severity::Critical)
            } else {
                hang().await
            }
        }
    });
    let book = healed(repair(), Otherwise::Escalate);
    let world = World::new(home(vec![book.clone()]), hangs);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it looks again", || (world.script.called().len() == 4).then_some(()))
        .await;
    let world = world.crash(home(vec![book]), system.script());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    world.engine.resume().await.unwrap();
    world.until_finished(1).await;
    assert_eq!(outcome(&world).0, Verdict::Repaired);
    assert_eq!(world.script.called(), ["look/check"]);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_takes_the_process_down_does_not_do_so_for_ever() {
    let hangs = || Script::default().on("look", Phase::Check, |_, _| hang());
    let book = || home(vec![runbook("repair", vec![step("look")])]);
    let mut world = World::new(book(), hangs());
    world.ask(person("repair")).await.unwrap();
    for _ in 0..3 {
        world
            .until("it looks", || (!world.script.called().is_empty()).then_some(()))
            .await;
        world = world.crash(book(), hangs());
        world.engine.resume().await.unwrap();
    }
    world.until_finished(1).await;
    let (verdict, why) = outcome(&world);
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(why, "step `look`: it was interrupted 3 times in the same place");
    assert!(world.script.called().is_empty());
}

/// An effect that is made again has no other intent: without this nobody could tell that it was, and a plugin that
/// takes the process down at once would be gone on with for ever.
#[tokio::test(start_paused = true)]
async fn it_is_on_disk_that_an_invocation_is_gone_on_with_before_it_is() {
    let dies = || {
        System::new(Severity::Critical)
            .script()
            .on("fix", Phase::Apply, |_, calls| async move {
                intend(&*calls, 0, true).await;
                hang().await
            })
    };
    let again = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, _| hang());
    let world = World::new(home(vec![repair()]), dies());
    world.ask(person("repair")).await.unwrap();
    world
        .until("it applies", || (world.script.called().len() == 3).then_some(()))
        .await;
    let world = world.crash(home(vec![repair()]), again);
    world.engine.resume().await.unwrap();
    world
        .until("it applies again", || (world.script.called().len() == 1).then_some(()))
        .await;
    let events = world.journal.all(RunId(1));
    let resumed = events
        .iter()
        .rfind(|event| matches!(event.body, Body::Resumed { .. }))
        .unwrap();
    assert!(world.journal.synced(RunId(1)) >= resumed.seq, "{events:#?}");
}

/// An action may do a thing at most so often, over all attempts at it.
#[test]
fn what_attempts_began_is_counted_over_all_of_them() {
    let key = |attempt, action: &str| Key {
        step: StepId::new("fix"),
        phase: Phase::Apply,
        action: Some(action.into()),
        attempt,
    };
    let begins = |attempt, action: &str| Body::Invoked {
        key: key(attempt, action),
        plugin: pinned("fix"),
        params: serde_json::Value::Null,
        given: None,
        before: None,
    };
    let intends = |attempt, action: &str, n| Body::Intended {
        key: key(attempt, action),
        n,
        call: call(true),
    };
    let bodies = [
        begins(1, "a"),
        intends(1, "a", 0),
        intends(1, "a", 3),
        begins(2, "a"),
        intends(2, "a", 1),
        begins(3, "a"),
        begins(1, "b"),
    ];
    let events: Vec<Event> = (1..)
        .zip(bodies)
        .map(|(seq, body)| Event {
            seq,
            at: noon() + TimeDelta::seconds(1),
            body,
        })
        .collect();
    let run = Run::fold(&events);
    let spent = |action| {
        let attempt = run.attempt(&StepId::new("fix"), Phase::Apply, Some(action));
        attempt.unwrap().spent()
    };
    assert_eq!(spent("a"), vec![call(true); 3]);
    assert!(spent("b").is_empty(), "another action has a budget of its own");
}

/// An action that had made its first effect is interrupted, and the next process has not the plugin any more.
#[tokio::test(start_paused = true)]
async fn an_action_that_can_not_be_gone_on_with_is_in_doubt_whatever_the_step_says_of_failures() {
    let mut book = runbook("repair", vec![step("fix"), step("more")]);
    book.steps[0].on_failure = OnFailure::Continue;
    let script = || Script::default().always("fix", Phase::Plan, plan(&["a"]));
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        effect(&*calls, 0, true).await;
        hang().await
    });
    let world = World::new(home(vec![book.clone()]), hangs);
    world.ask(person("repair")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut bare = home(vec![book.clone()]);
    bare.plugins.retain(|plugin| plugin.manifest.name.as_str() != "fix");
    let world = world.crash(bare, script());
    world.engine.resume().await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(summary.verdict, Some(Verdict::Unknown), "{}", summary.why);
    assert!(summary.why.contains("is not installed any more"), "{}", summary.why);
    assert!(world.script.called().is_empty(), "`more` is not begun beside that");

    // It is there again, and a person has looked.
    let again = script()
        .always("fix", Phase::Apply, applied(true))
        .always("more", Phase::Plan, plan(&[]));
    let world = world.crash(home(vec![book]), again);
    world.engine.resolve(RunId(1), looked(false)).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert_eq!(world.script.called(), ["fix/apply a", "more/plan"]);
}
