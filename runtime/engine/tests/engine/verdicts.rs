//! One test a line of the table of verdicts.

use std::time::Duration;

use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, StepStatus, Verdict};
use evenkeel_model::runbook::{OnFailure, Otherwise, Runbook};

use crate::world::home::{healed, home, only_when, runbook, step, step_as};
use crate::world::script::{
    Script, System, action, action_of, applied, effect, failed, found, gave_up, intend, plan, stopped,
};
use crate::world::{World, person};

pub(super) fn world(runbook: Runbook, script: Script) -> World {
    World::new(home(vec![runbook]), script)
}

pub(super) fn repair() -> Runbook {
    runbook("repair", vec![step("look"), step("fix")])
}

pub(super) fn escalations(world: &World) -> usize {
    let bodies = world.bodies(1);
    bodies
        .iter()
        .filter(|body| matches!(body, Body::Escalated { .. }))
        .count()
}

pub(super) fn statuses(world: &World) -> Vec<StepStatus> {
    let of = |body: &Body| match body {
        Body::StepFinished { result, .. } => Some(result.status),
        Body::Skipped { .. } => Some(StepStatus::Skipped),
        _ => None,
    };
    world.bodies(1).iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_check_that_finds_nothing_bad_is_healthy() {
    let world = world(
        runbook("watch", vec![step("look")]),
        System::new(Severity::Info).script(),
    );
    assert_eq!(
        world.verdict("watch").await,
        (Verdict::Healthy, "`look`: it is info".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_unhealthy() {
    let world = world(
        runbook("watch", vec![step("look")]),
        System::new(Severity::Warning).script(),
    );
    assert_eq!(
        world.verdict("watch").await,
        (Verdict::Unhealthy, "`look`: it is warning".into())
    );
}

#[tokio::test(start_paused = true)]
async fn the_worst_of_several_checks_counts() {
    let steps = vec![
        step_as("first", "look"),
        step_as("second", "look"),
        step_as("third", "look"),
    ];
    let outcomes = [Severity::Ok, Severity::Critical, Severity::Info].map(found).to_vec();
    let world = world(
        runbook("watch", steps),
        Script::default().in_turn("look", Phase::Check, outcomes),
    );
    assert_eq!(
        world.verdict("watch").await,
        (Verdict::Unhealthy, "`second`: it is critical".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_without_a_look_after_it_is_changed() {
    let world = world(repair(), System::new(Severity::Critical).script());
    assert_eq!(
        world.verdict("repair").await,
        (Verdict::Changed, "`fix`: did it".into())
    );
    assert_eq!(world.script.called(), ["look/check", "fix/plan", "fix/apply a"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_heals_is_repaired() {
    let world = world(
        healed(repair(), Otherwise::Escalate),
        System::new(Severity::Critical).script(),
    );
    assert_eq!(
        world.verdict("repair").await,
        (Verdict::Repaired, "`look`: it is ok".into())
    );
    assert_eq!(escalations(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn healing_is_given_the_time_it_takes() {
    let mut looks = vec![found(Severity::Critical); 4];
    looks.push(found(Severity::Ok));
    let script = System::new(Severity::Critical)
        .script()
        .in_turn("look", Phase::Check, looks);
    let world = world(healed(repair(), Otherwise::Escalate), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Repaired);
    let looks = world
        .script
        .called()
        .iter()
        .filter(|call| *call == "look/check")
        .count();
    assert_eq!(looks, 5);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_not_the_end_of_healing() {
    let looks = vec![found(Severity::Critical), failed(Class::Permanent), found(Severity::Ok)];
    let script = System::new(Severity::Critical)
        .script()
        .in_turn("look", Phase::Check, looks);
    let world = world(healed(repair(), Otherwise::Escalate), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Repaired);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_heal_is_not_repaired_and_escalates() {
    let script = System::new(Severity::Critical)
        .script()
        .always("look", Phase::Check, found(Severity::Critical));
    let world = world(healed(repair(), Otherwise::Escalate), script);
    let began = world.now();
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::NotRepaired, "`look` after 1m: it is critical")
    );
    assert_eq!(escalations(&world), 1);
    assert_eq!(
        (world.now() - began).num_seconds(),
        60,
        "the last look is when the time is up"
    );
}

#[tokio::test(start_paused = true)]
async fn ignoring_does_not_escalate() {
    let script = System::new(Severity::Critical)
        .script()
        .always("look", Phase::Check, found(Severity::Critical));
    let world = world(healed(repair(), Otherwise::Ignore), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::NotRepaired);
    assert_eq!(escalations(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_heal_is_undone_the_last_first() {
    let script = Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always("fix", Phase::Plan, plan(&["a", "b"]))
        .always("more", Phase::Plan, plan(&["c"]))
        .always("fix", Phase::Apply, applied(true))
        .always("more", Phase::Apply, applied(true))
        .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack))
        .always("more", Phase::Rollback, Outcome::Done(Output::RolledBack));
    let steps = vec![step("look"), step("fix"), step("more")];
    let world = world(healed(runbook("repair", steps), Otherwise::Undo), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::NotRepaired);
    assert!(why.ends_with("; 3 actions undone"), "{why}");
    let called = world.script.called();
    assert_eq!(
        called[called.len() - 3..],
        ["more/rollback c", "fix/rollback b", "fix/rollback a"]
    );
    assert_eq!(escalations(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_can_be_undone_and_changed_something_is_undone() {
    let mut fixed = action("fixed", Risk::Low);
    fixed.undo = None;
    let actions = vec![fixed, action("idle", Risk::Low), action("done", Risk::Low)];
    let script = Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always("fix", Phase::Plan, Outcome::Done(Output::Plan(actions)))
        .on("fix", Phase::Apply, |invocation, _| async move {
            applied(action_of(&invocation) != "idle")
        })
        .always("fix", Phase::Rollback, failed(Class::Permanent));
    let world = world(healed(repair(), Otherwise::Undo), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::NotRepaired);
    assert!(
        why.ends_with("nothing was undone; `done` could not be undone: it would not (broken)"),
        "{why}"
    );
    let rollbacks = world
        .script
        .called()
        .into_iter()
        .filter(|call| call.contains("rollback"));
    assert_eq!(rollbacks.collect::<Vec<_>>(), ["fix/rollback done"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_fails_midway_is_rolled_back_without_what_it_would_have_said() {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, calls| async move {
            effect(&*calls, 0, true).await;
            failed(Class::Permanent)
        });
    let world = world(healed(repair(), Otherwise::Undo), script);
    let mut runs = world.run("repair").await;
    let run = runs.remove(0);
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Failed), true));
    assert_eq!(run.why, "step `fix`: `a`: it would not (broken); 1 action undone");
    let rollback = world.script.invocations().pop().unwrap();
    assert!(matches!(rollback.work, evenkeel_engine::port::Work::Rollback(_, None)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_later_steps_from_running() {
    let script = Script::default()
        .always("look", Phase::Check, failed(Class::Permanent))
        .always("fix", Phase::Plan, plan(&[]));
    let world = world(repair(), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::Failed, "step `look`: it would not (broken)")
    );
    assert_eq!(world.script.called(), ["look/check"]);
    assert_eq!(escalations(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_three_times() {
    let script = Script::default().in_turn(
        "look",
        Phase::Check,
        vec![failed(Class::Transient), failed(Class::Transient), found(Severity::Ok)],
    );
    let first = world(runbook("watch", vec![step("look")]), script);
    assert_eq!(first.verdict("watch").await.0, Verdict::Healthy);

    let script = Script::default().always("look", Phase::Check, failed(Class::Transient));
    let second = world(runbook("watch", vec![step("look")]), script);
    assert_eq!(second.verdict("watch").await.0, Verdict::Failed);
    assert_eq!(second.script.called().len(), 3);
    let attempts: Vec<u32> = second
        .script
        .invocations()
        .iter()
        .map(|call| call.key.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_made_an_effect_that_cannot_be_repeated_is_not_tried_again() {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, calls| async move {
            effect(&*calls, 0, false).await;
            failed(Class::Transient)
        });
    let world = world(repair(), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
    assert_eq!(world.script.called().last().unwrap(), "fix/apply a");
    assert_eq!(world.script.called().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_within_an_effect_that_cannot_be_repeated_is_unknown() {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, calls| async move {
            intend(&*calls, 0, false).await;
            stopped(Stop::Deadline)
        });
    let world = world(healed(repair(), Otherwise::Undo), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Unknown);
    assert!(why.contains("interrupted at exec `restart []`"), "{why}");
    assert!(!world.script.called().iter().any(|call| call.contains("rollback")));
    assert_eq!(escalations(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_is_stopped_within_an_effect_is_unknown() {
    let script = System::new(Severity::Critical)
        .script()
        .always("look", Phase::Check, found(Severity::Critical))
        .on("fix", Phase::Rollback, |_, calls| async move {
            intend(&*calls, 0, false).await;
            stopped(Stop::Cpu)
        });
    let world = world(healed(repair(), Otherwise::Undo), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Unknown);
    assert!(why.contains("the rollback of `a` in step `fix`"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_within_a_repeatable_effect_is_failed_and_counts_as_a_change() {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, calls| async move {
            intend(&*calls, 0, true).await;
            stopped(Stop::Memory)
        });
    let world = world(repair(), script);
    let run = world.run("repair").await.remove(0);
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Failed), true));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_a_cancel_stopped_within_an_effect_was_not_left_out() {
    for (repeatable, verdict) in [(false, Verdict::Unknown), (true, Verdict::Failed)] {
        let script = System::new(Severity::Critical)
            .script()
            .on("fix", Phase::Apply, move |_, calls| async move {
                intend(&*calls, 0, repeatable).await;
                calls.answered(0, None, &gave_up(), Duration::ZERO).await.unwrap();
                tokio::time::sleep(Duration::from_secs(30)).await;
                stopped(Stop::Cancelled)
            });
        let world = world(healed(repair(), Otherwise::Escalate), script);
        world.ask(person("repair")).await.unwrap();
        let applying = || (world.script.called().last()? == "fix/apply a").then_some(());
        world.until("it applies", applying).await;
        world.engine.cancel(RunId(1), "enough").await.unwrap();
        let run = world.until_finished(1).await;
        assert_eq!((run.verdict, run.changed), (Some(verdict), true), "{}", run.why);
        assert_eq!(world.escalations(1), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_began_counts_and_is_undone() {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |invocation, calls| async move {
            if invocation.key.attempt > 1 {
                return failed(Class::Permanent);
            }
            effect(&*calls, 0, true).await;
            failed(Class::Transient)
        });
    let mut book = repair();
    book.steps[1].on_failure = OnFailure::Undo;
    let world = world(book, script);
    let run = world.run("repair").await.remove(0);
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Failed), true), "{}", run.why);
    assert_eq!(world.script.called().last().unwrap(), "fix/rollback a");
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_is_judged_by_the_checks() {
    for (severity, verdict) in [
        (Severity::Ok, Verdict::Healthy),
        (Severity::Critical, Verdict::Unhealthy),
    ] {
        let script = System::new(severity).script().always("fix", Phase::Plan, plan(&[]));
        let world = world(healed(repair(), Otherwise::Escalate), script);
        assert_eq!(world.verdict("repair").await.0, verdict);
        assert_eq!(
            world.script.called(),
            ["look/check", "fix/plan"],
            "nothing changed, so nobody looks again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_that_changed_nothing_is_judged_by_the_checks() {
    let script = System::new(Severity::Warning)
        .script()
        .always("fix", Phase::Apply, applied(false));
    let world = world(healed(repair(), Otherwise::Escalate), script);
    let run = world.run("repair").await.remove(0);
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Unhealthy), false));
}

#[tokio::test(start_paused = true)]
async fn a_remedy_that_was_not_needed_leaves_it_healthy() {
    let fix = only_when(step("fix"), "steps.look.severity == 'critical'");
    let book = healed(runbook("repair", vec![step("look"), fix]), Otherwise::Escalate);
    let world = world(book, System::new(Severity::Ok).script());
    assert_eq!(world.verdict("repair").await.0, Verdict::Healthy);
    assert_eq!(statuses(&world), [StepStatus::Ok, StepStatus::Skipped]);
    assert_eq!(world.script.called(), ["look/check"]);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_cannot_be_told_fails_the_step() {
    let fix = only_when(step("fix"), "steps.look.nonsense == 'critical'");
    let world = world(
        runbook("repair", vec![step("look"), fix]),
        System::new(Severity::Ok).script(),
    );
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.starts_with("step `fix`: `when`: "), "{why}");
}
