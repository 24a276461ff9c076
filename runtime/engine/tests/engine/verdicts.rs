//! One test a line of the table of verdicts.

use evenkeel_model::action::Risk;
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::run::{Body, StepStatus, Verdict};
use evenkeel_model::runbook::{Otherwise, Runbook, Step};
use serde_json::json;

use crate::world::World;
use crate::world::home::{healed, home, may_restart, only_when, runbook, step, step_as};
use crate::world::script::{
    Script, System, action, action_of, applied, call, effect, failed, found, gave_up, intend, plan, restart_effect,
    stopped,
};

fn world(runbook: Runbook, script: Script) -> World {
    World::new(home(vec![runbook]), script)
}

fn repair() -> Runbook {
    runbook("repair", vec![step("look"), step("fix")])
}

fn escalations(world: &World) -> usize {
    let bodies = world.bodies(1);
    bodies
        .iter()
        .filter(|body| matches!(body, Body::Escalated { .. }))
        .count()
}

fn statuses(world: &World) -> Vec<StepStatus> {
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

// ---- asking ------------------------------------------------------------------------------

fn risky(risk: Risk) -> Script {
    let actions = vec![action("easy", Risk::Low), action("hard", risk)];
    System::new(Severity::Critical)
        .script()
        .always("fix", Phase::Plan, Outcome::Done(Output::Plan(actions)))
}

#[tokio::test(start_paused = true)]
async fn the_operators_risk_counts_too() {
    let mut restart = action("restart", Risk::Low);
    restart.effects = vec![restart_effect()];
    let script =
        System::new(Severity::Critical)
            .script()
            .always("fix", Phase::Plan, Outcome::Done(Output::Plan(vec![restart])));
    let fix = Step {
        grant: may_restart(),
        ..step("fix")
    };
    let book = crate::world::home::selecting(runbook("repair", vec![fix]), "asset", "steel-1");
    let world = world(book, script);
    assert_eq!(
        world.verdict("repair").await.0,
        Verdict::Rejected,
        "nobody says anything"
    );
    let risk = world.bodies(1).into_iter().find_map(|body| match body {
        Body::Planned { risk, .. } => Some(risk),
        _ => None,
    });
    assert_eq!(risk, Some(Risk::Medium));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_below_the_threshold_or_without_one() {
    for ask_from in [Some(Risk::High), None] {
        let risk = if ask_from.is_some() { Risk::Medium } else { Risk::High };
        let fix = Step {
            ask_from,
            ..step("fix")
        };
        let world = world(runbook("repair", vec![step("look"), fix]), risky(risk));
        assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_rejection_leaves_what_earlier_steps_did() {
    let script =
        risky(Risk::High)
            .always("more", Phase::Plan, plan(&["c"]))
            .always("more", Phase::Apply, applied(true));
    let world = world(
        runbook(
            "repair",
            vec![
                step("more"),
                Step {
                    ask: Some("duty".into()),
                    ..step("fix")
                },
            ],
        ),
        script,
    );
    let run = world.run("repair").await.remove(0);
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Rejected), true));
    assert_eq!(world.script.called(), ["more/plan", "more/apply c", "fix/plan"]);
}

// ---- dry runs ----------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_dry_run_stops_in_front_of_the_first_action() {
    let world = world(
        healed(repair(), Otherwise::Undo),
        System::new(Severity::Critical).script(),
    );
    let run = world.dry_run("repair").await;
    assert_eq!((run.verdict, run.changed), (Some(Verdict::Planned), false));
    assert_eq!(run.why, "`fix`: 1 action planned, risk low");
    assert_eq!(world.script.called(), ["look/check", "fix/plan"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_plans_nothing_is_judged_by_the_checks() {
    let script = System::new(Severity::Ok).script().always("fix", Phase::Plan, plan(&[]));
    let world = world(repair(), script);
    assert_eq!(world.dry_run("repair").await.verdict, Some(Verdict::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_that_a_person_would_be_asked() {
    let world = world(repair(), risky(Risk::High));
    let run = world.dry_run("repair").await;
    assert_eq!(run.verdict, Some(Verdict::Planned));
    assert_eq!(
        run.why,
        "`fix`: 2 actions planned, risk high; a person would have to approve it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_does_not_guess_what_hangs_on_a_change() {
    let steps = vec![
        step("fix"),
        only_when(step_as("if-changed", "look"), "steps.fix.changed"),
        only_when(step_as("either-way", "look"), "steps.fix.changed or true"),
        Step {
            with: json!({ "n": "{{ steps.fix.output.count }}" }),
            ..step_as("with-output", "look")
        },
    ];
    let world = world(runbook("repair", steps), System::new(Severity::Ok).script());
    assert_eq!(world.dry_run("repair").await.verdict, Some(Verdict::Planned));
    use StepStatus::{Ok, Planned, Skipped};
    assert_eq!(statuses(&world), [Planned, Skipped, Ok, Skipped]);
    let why = world.bodies(1).into_iter().find_map(|body| match body {
        Body::Skipped { why, .. } => Some(why),
        _ => None,
    });
    assert_eq!(
        why.unwrap(),
        "a dry run can't tell what comes after `fix`: `when` is `steps.fix.changed`"
    );
}

// ---- what a plugin may answer and must not -----------------------------------------------

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_kind_fails_the_step() {
    let script = System::new(Severity::Ok)
        .script()
        .always("look", Phase::Check, plan(&[]));
    let first = world(runbook("watch", vec![step("look")]), script);
    assert_eq!(first.verdict("watch").await.0, Verdict::Failed);

    let script = System::new(Severity::Ok)
        .script()
        .always("fix", Phase::Apply, found(Severity::Ok));
    let second = world(runbook("repair", vec![step("fix")]), script);
    assert_eq!(second.verdict("repair").await.0, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_one_id_twice_fails_the_step() {
    let script = System::new(Severity::Ok)
        .script()
        .always("fix", Phase::Plan, plan(&["a", "a"]));
    let world = world(runbook("repair", vec![step("fix")]), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::Failed, "step `fix`: its plan has two actions with the id `a`")
    );
}

#[tokio::test(start_paused = true)]
async fn a_monitor_is_no_step() {
    let world = world(runbook("repair", vec![step("meter")]), Script::default());
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_the_schema_rejects_fail_the_step() {
    let look = Step {
        with: json!("{{ target.id }}"),
        ..step("look")
    };
    let world = world(runbook("watch", vec![look]), Script::default());
    let (verdict, why) = world.verdict("watch").await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.starts_with("step `look`: `with`: "), "{why}");
}

// ---- what steps and plugins see ----------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn later_steps_see_what_earlier_ones_found_and_did() {
    let more = Step {
        with: json!({
            "severity": "{{ steps.look.severity }}",
            "subject": "{{ steps.look.findings[0].subject }}",
            "output": "{{ steps.fix.output }}",
            "action": "{{ steps.fix.actions[0].id }}",
            "target": "{{ target.id }} of {{ customer.id }}",
        }),
        ..step("more")
    };
    let script = System::new(Severity::Critical)
        .script()
        .always("more", Phase::Plan, plan(&[]));
    let world = world(runbook("repair", vec![step("look"), step("fix"), more]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    let last = world.script.invocations().pop().unwrap();
    let wanted = json!({
        "severity": "critical",
        "subject": "it",
        "output": { "done": true },
        "action": "a",
        "target": "local of local",
    });
    assert_eq!(last.params, wanted);
    let names: Vec<&String> = last.input.keys().collect();
    assert_eq!(names, ["customer", "steps.fix", "steps.look", "target"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_applied_has_the_parameters_that_it_was_planned_with() {
    let fix = Step {
        with: json!({ "severity": "{{ steps.look.severity }}" }),
        ..step("fix")
    };
    let world = world(
        runbook("repair", vec![step("look"), fix]),
        System::new(Severity::Critical).script(),
    );
    world.verdict("repair").await;
    let params: Vec<_> = world.script.invocations().into_iter().map(|call| call.params).collect();
    assert_eq!(params[1], params[2]);
}

#[tokio::test(start_paused = true)]
async fn log_lines_and_progress_stand_where_they_were_written() {
    let script = Script::default().on("look", Phase::Check, |_, calls| async move {
        calls.log(Level::Info, "looking".into(), vec![]);
        calls.progress(500, "half".into());
        calls.progress(501, "too soon to be told".into());
        effect(&*calls, 0, true).await;
        calls.log(Level::Info, "done".into(), vec![]);
        calls.logs_dropped(3);
        found(Severity::Ok)
    });
    let world = world(runbook("watch", vec![step("look")]), script);
    world.verdict("watch").await;
    let told: Vec<_> = world
        .bodies(1)
        .iter()
        .map(|body| serde_json::to_value(body).unwrap())
        .map(|value| match value {
            serde_json::Value::String(name) => name,
            value => value.as_object().unwrap().keys().next().unwrap().clone(),
        })
        .collect();
    let wanted = [
        "requested",
        "started",
        "invoked",
        "logged",
        "progressed",
        "intended",
        "called",
        "logged",
        "logs-dropped",
        "ended",
        "step-finished",
        "finished",
    ];
    assert_eq!(told, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_long_within_is_not_looked_at_every_ten_seconds() {
    let mut book = healed(repair(), Otherwise::Escalate);
    if let Some(healed) = &mut book.healed {
        healed.within = std::time::Duration::from_secs(24 * 3_600);
    }
    let script = System::new(Severity::Critical)
        .script()
        .always("look", Phase::Check, found(Severity::Critical));
    let world = world(book, script);
    let began = world.now();
    assert_eq!(world.verdict("repair").await.0, Verdict::NotRepaired);
    assert_eq!((world.now() - began).num_hours(), 24, "it has all its time");
    let looks = world.script.called().into_iter().filter(|call| call == "look/check");
    let looks = looks.count();
    assert!((20..60).contains(&looks), "{looks}");
}

// ---- answers that leave it open ----------------------------------------------------------

fn post() -> Call {
    Call {
        capability: Capability::Http,
        operation: "send".into(),
        subject: "POST app:/restart".into(),
        ..call(false)
    }
}

/// `fix` makes `call`, is answered so, and then ends with `outcome`.
async fn answered(call: Call, error: serde_json::Value, outcome: Outcome) -> (Verdict, String, World) {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, move |_, calls| {
            let (call, error, outcome) = (call.clone(), error.clone(), outcome.clone());
            async move {
                calls.intend(0, &call).await.unwrap();
                let message = "no answer in time".into();
                let answer = Answer::Err { error, message };
                let took = std::time::Duration::from_secs(1);
                calls.answered(0, None, &answer, took).await.unwrap();
                outcome
            }
        });
    let world = world(repair(), script);
    let (verdict, why) = world.verdict("repair").await;
    (verdict, why, world)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_and_had_no_answer_leaves_the_run_unknown() {
    for error in [json!("timed-out"), json!({ "other": "the connection was closed" })] {
        let (verdict, why, world) = answered(post(), error, failed(Class::Permanent)).await;
        assert_eq!(verdict, Verdict::Unknown);
        let named = "the apply of `a` in step `fix` was given up at http `POST app:/restart` (no answer in time)";
        assert!(why.contains(named), "{why}");
        assert_eq!(escalations(&world), 1);
        assert!(world.journal.summary(evenkeel_model::name::RunId(1)).unwrap().changed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_killed_because_it_took_too_long_leaves_the_run_unknown() {
    let Answer::Err { error, .. } = gave_up() else { panic!() };
    let (verdict, why, _) = answered(call(false), error, failed(Class::Transient)).await;
    assert_eq!(verdict, Verdict::Unknown, "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_fails() {
    for error in [json!("connect"), json!("dns"), json!({ "tls": "expired" })] {
        let (verdict, why, _) = answered(post(), error, failed(Class::Permanent)).await;
        assert_eq!(verdict, Verdict::Failed, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_that_may_be_sent_again_fails() {
    let put = Call {
        repeatable: true,
        ..post()
    };
    let (verdict, ..) = answered(put, json!("timed-out"), failed(Class::Permanent)).await;
    assert_eq!(verdict, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_found_out_what_came_of_its_request_is_believed() {
    let (verdict, ..) = answered(post(), json!("timed-out"), applied(true)).await;
    assert_eq!(verdict, Verdict::Changed);
}
