//! What becomes of a run when something of it fails, or somebody ends it at once.

use std::num::NonZeroU32;
use std::time::Duration;

use evenkeel_engine::CancelError;
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{OnFailure, Otherwise, Retry, Step};

use crate::world::home::{healed, home, runbook, step, step_as};
use crate::world::script::{Script, System, applied, effect, failed, found, hang, intend, plan};
use crate::world::{World, person};

fn retrying(times: u32, wait: u64) -> Step {
    Step {
        retry: Retry {
            times: NonZeroU32::new(times).unwrap(),
            wait: Duration::from_secs(wait),
            longest: Duration::from_secs(60),
        },
        ..step("look")
    }
}

fn begun(world: &World) -> Vec<chrono::DateTime<chrono::Utc>> {
    let events = world.journal.all(RunId(1)).into_iter();
    let begun = events.filter(|event| matches!(event.body, Body::Invoked { .. }));
    begun.map(|event| event.at).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_transient_is_tried_again_with_longer_and_longer_waits() {
    let script = Script::default().always("look", Phase::Check, failed(Class::Transient));
    let world = World::new(home(vec![runbook("repair", vec![retrying(9, 10)])]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
    let begun = begun(&world);
    assert_eq!(begun.len(), 9);
    let waits: Vec<i64> = begun
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).num_milliseconds())
        .collect();
    for (wait, longest) in waits.iter().zip([10, 20, 40, 60, 60, 60, 60, 60]) {
        assert!((longest * 800..=longest * 1_000).contains(wait), "{waits:?}");
    }
    assert!(
        waits[3..].windows(2).any(|pair| pair[0] != pair[1]),
        "with some jitter: {waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_permanent_or_retried_once_is_not() {
    for (class, times) in [(Class::Permanent, 9), (Class::Denied, 9), (Class::Transient, 1)] {
        let script = Script::default().always("look", Phase::Check, failed(class));
        let world = World::new(home(vec![runbook("repair", vec![retrying(times, 1)])]), script);
        assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
        assert_eq!(world.script.called().len(), 1, "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_is_tried_again_only_if_all_that_it_did_may_be_done_again() {
    for (repeatable, times) in [(true, 3), (false, 1)] {
        let script = Script::default().always("fix", Phase::Plan, plan(&["a"])).on(
            "fix",
            Phase::Apply,
            move |_, calls| async move {
                effect(&*calls, 0, repeatable).await;
                failed(Class::Transient)
            },
        );
        let world = World::new(home(vec![runbook("repair", vec![step("fix")])]), script);
        assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
        let applies = world
            .script
            .called()
            .iter()
            .filter(|call| call.contains("apply"))
            .count();
        assert_eq!(applies, times, "repeatable: {repeatable}");
    }
}

/// `look` fails, and `fix` and `after` would follow.
fn failing(on_failure: OnFailure) -> Vec<Step> {
    let look = Step {
        on_failure,
        ..step("look")
    };
    vec![step("fix"), look, step_as("after", "more")]
}

fn script() -> Script {
    Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .always("fix", Phase::Apply, applied(true))
        .always(
            "fix",
            Phase::Rollback,
            evenkeel_model::invocation::Outcome::Done(evenkeel_model::invocation::Output::RolledBack),
        )
        .always("look", Phase::Check, failed(Class::Permanent))
        .always("more", Phase::Plan, plan(&["b"]))
        .always("more", Phase::Apply, applied(true))
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_stops_the_run_is_gone_on_without_or_has_all_undone() {
    let cases = [
        (OnFailure::Stop, vec!["fix/plan", "fix/apply a", "look/check"]),
        (
            OnFailure::Continue,
            vec!["fix/plan", "fix/apply a", "look/check", "more/plan", "more/apply b"],
        ),
        (
            OnFailure::Undo,
            vec!["fix/plan", "fix/apply a", "look/check", "fix/rollback a"],
        ),
    ];
    for (on_failure, called) in cases {
        let world = World::new(home(vec![runbook("repair", failing(on_failure))]), script());
        assert_eq!(world.verdict("repair").await.0, Verdict::Failed, "{on_failure:?}");
        assert_eq!(world.script.called(), called, "{on_failure:?}");
        assert!(
            world
                .bodies(1)
                .iter()
                .any(|body| matches!(body, Body::Escalated { .. }))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn healed_may_say_that_it_is_well_although_a_step_failed() {
    let steps = || {
        let more = Step {
            on_failure: OnFailure::Continue,
            ..step("more")
        };
        vec![step("look"), more, step("fix")]
    };
    for severity in [Severity::Ok, Severity::Critical] {
        let script = script().always("look", Phase::Check, found(severity)).always(
            "more",
            Phase::Plan,
            failed(Class::Permanent),
        );
        let book = healed(runbook("repair", steps()), Otherwise::Escalate);
        let world = World::new(home(vec![book]), script);
        let (verdict, why) = world.verdict("repair").await;
        let expected = if severity == Severity::Ok {
            Verdict::Repaired
        } else {
            Verdict::Failed
        };
        assert_eq!(verdict, expected, "{why}");
        assert!(why.contains("step `more`"), "{why}");
    }
}

// ---- killed ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_killed_run_ends_at_once_and_says_what_it_was_at() {
    let ends = [
        (None, Verdict::Cancelled),
        (Some((true, true)), Verdict::Failed),
        (Some((false, true)), Verdict::Failed),
        (Some((false, false)), Verdict::Unknown),
    ];
    for (done, verdict) in ends {
        let script = System::new(Severity::Critical)
            .script()
            .on("fix", Phase::Apply, move |_, calls| async move {
                match done {
                    Some((repeatable, true)) => effect(&*calls, 0, repeatable).await,
                    Some((repeatable, false)) => intend(&*calls, 0, repeatable).await,
                    None => {}
                }
                hang().await
            });
        let book = healed(runbook("repair", vec![step("look"), step("fix")]), Otherwise::Undo);
        let world = World::new(home(vec![book]), script);
        world.ask(person("repair")).await.unwrap();
        world
            .until("it applies", || (world.script.called().len() == 3).then_some(()))
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.engine.kill(RunId(1), "ada", "it eats the disk").await.unwrap();
        let end = world.until_finished(1).await;
        assert_eq!(end.verdict, Some(verdict), "{done:?}: {}", end.why);
        assert!(end.why.starts_with("killed by ada: it eats the disk"), "{}", end.why);
        assert_eq!(world.script.called().len(), 3, "nothing is looked at or undone");
        let again = world.engine.kill(RunId(1), "ada", "").await.unwrap_err();
        assert!(matches!(again, CancelError::Finished(_)), "{again}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_was_recorded_holds_after_a_crash() {
    let script = || {
        Script::default()
            .always("fix", Phase::Plan, plan(&["a"]))
            .on("fix", Phase::Apply, |_, _| hang())
    };
    let books = || home(vec![runbook("repair", vec![step("fix")])]);
    let world = World::new(books(), script());
    world.ask(person("repair")).await.unwrap();
    world
        .until("it applies", || (world.script.called().len() == 2).then_some(()))
        .await;
    world.engine.kill(RunId(1), "ada", "").await.unwrap();
    let world = world.crash(books(), script());
    world.engine.resume().await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert!(world.script.called().is_empty());
}
