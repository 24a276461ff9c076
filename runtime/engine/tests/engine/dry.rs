//! Who is asked, and what a dry run tells.

use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Outcome, Output, Phase, Severity};
use evenkeel_model::run::{Body, StepStatus, Verdict};
use evenkeel_model::runbook::{Otherwise, Step};
use serde_json::json;

use crate::verdicts::{repair, statuses, world};
use crate::world::home::{healed, may_restart, only_when, runbook, step, step_as};
use crate::world::script::{Script, System, action, applied, plan, restart_effect};

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
