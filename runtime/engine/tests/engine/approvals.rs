//! Plans that a person has to approve.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::{ApprovalError, Decision};
use evenkeel_model::action::Risk;
use evenkeel_model::home::{Approvers, Home};
use evenkeel_model::invocation::{Outcome, Output, Phase, Severity};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, State, Verdict};
use evenkeel_model::runbook::{Runbook, Step, Tolerate};
use serde_json::json;

use crate::each::for_each;
use crate::world::home::{home, needing, only_when, runbook, selecting, step, step_as};
use crate::world::script::{Script, System, action, applied, found};
use crate::world::{World, noon, person};

pub fn asking(who: Option<&str>) -> Step {
    Step {
        ask: who.map(str::to_owned),
        ..step("fix")
    }
}

pub fn book() -> Runbook {
    runbook(
        "repair",
        vec![step("look"), asking(Some("duty")), step_as("after", "look")],
    )
}

/// `fix` plans two actions; the second is risky.
pub fn risky() -> Script {
    let plan = vec![action("easy", Risk::Low), action("hard", Risk::High)];
    Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always("fix", Phase::Plan, Outcome::Done(Output::Plan(plan)))
        .always("fix", Phase::Apply, applied(true))
}

pub fn yes(who: &str) -> Decision {
    Decision {
        approve: true,
        who: who.into(),
        why: String::new(),
    }
}

pub fn no(who: &str) -> Decision {
    Decision {
        approve: false,
        ..yes(who)
    }
}

/// A run that waits for somebody of `duty`; `ada` asked for it.
pub async fn waiting(home: Home, script: Script) -> World {
    let world = World::new(home, script);
    world.ask(person("repair")).await.unwrap();
    asked(&world, 1).await;
    world
}

async fn asked(world: &World, runs: usize) {
    world
        .until("it asks", || (world.engine.pending().len() == runs).then_some(()))
        .await;
}

async fn end(world: &World) -> (Verdict, String) {
    let summary = world.until_finished(1).await;
    (summary.verdict.unwrap(), summary.why)
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_yes_and_applies_what_was_shown() {
    let world = waiting(home(vec![book()]), risky()).await;
    let pending = world.engine.pending().remove(0);
    assert_eq!((pending.run, pending.risk, pending.need), (RunId(1), Risk::High, 1));
    assert_eq!(pending.people, ["ben", "cleo", "ada"]);
    assert_eq!(pending.until, noon() + TimeDelta::hours(1));
    assert_eq!(pending.actions.len(), 2, "the whole plan is shown");
    assert_eq!(
        world.script.called(),
        ["look/check", "fix/plan"],
        "not even the easy one is applied"
    );
    let other = world.engine.decide(RunId(1), Some("00000000"), &yes("ben")).await;
    assert!(matches!(other, Err(ApprovalError::OtherPlan(_))), "of another plan");
    let short = world.engine.decide(RunId(1), Some(""), &yes("ben")).await;
    assert!(matches!(short, Err(ApprovalError::TooShort)), "of any plan");
    world
        .engine
        .decide(RunId(1), Some(&pending.plan[..12]), &yes("ben"))
        .await
        .unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
    let called = [
        "look/check",
        "fix/plan",
        "look/check",
        "fix/apply easy",
        "fix/apply hard",
        "look/check",
    ];
    assert_eq!(world.script.called(), called, "the check before it is made again");
    let asked: Vec<_> = world
        .bodies(1)
        .into_iter()
        .filter_map(|body| match body {
            Body::Asked { action, risk, who, .. } => Some((action, risk, who)),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [("hard".into(), Risk::High, Some("duty".into()))]);
}

#[tokio::test(start_paused = true)]
async fn a_no_and_nobody_reject_it() {
    let world = waiting(home(vec![book()]), risky()).await;
    let said = Decision {
        why: "not today".into(),
        ..no("cleo")
    };
    world.engine.decide(RunId(1), None, &said).await.unwrap();
    let declined = (Verdict::Rejected, "step `fix`: cleo declined it: not today".to_owned());
    assert_eq!(end(&world).await, declined);
    let world = waiting(home(vec![book()]), risky()).await;
    let nobody = "step `fix`: nobody decided until 2026-11-23T13:00:00Z";
    assert_eq!(end(&world).await, (Verdict::Rejected, nobody.to_owned()));
    let late = world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap_err();
    assert_eq!(late.to_string(), "run 1 waits for nobody's approval");
}

#[tokio::test(start_paused = true)]
async fn only_who_is_asked_may_say_yes_and_nobody_to_their_own() {
    let world = waiting(home(vec![book()]), risky()).await;
    let stranger = world.engine.decide(RunId(1), None, &yes("mallory")).await.unwrap_err();
    assert_eq!(
        stranger.to_string(),
        "mallory is not among those who may approve it: `duty` is ben, cleo, ada"
    );
    let own = world.engine.decide(RunId(1), None, &yes("ada")).await.unwrap_err();
    assert!(matches!(own, ApprovalError::Own { .. }), "{own}");
    world.engine.decide(RunId(1), None, &no("ada")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Rejected, "to one's own one may say no");
    let mut single = home(vec![book()]);
    single.settings.approve_own = true;
    let world = waiting(single, risky()).await;
    world.engine.decide(RunId(1), None, &yes("ada")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
}

#[tokio::test(start_paused = true)]
async fn as_many_people_as_are_needed_have_to_say_yes() {
    let mut two = home(vec![book()]);
    let people = vec!["ben".into(), "cleo".into(), "dan".into()];
    two.settings
        .approvers
        .insert("duty".into(), Approvers { people, need: 2 });
    let world = waiting(two.clone(), risky()).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    let again = world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap_err();
    assert!(matches!(again, ApprovalError::Again { .. }), "{again}");
    assert_eq!(world.engine.pending()[0].approved_by, ["ben"]);
    // A restart forgets nothing.
    let world = world.crash(two, risky());
    world.engine.resume().await.unwrap();
    asked(&world, 1).await;
    world.engine.decide(RunId(1), None, &yes("dan")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
}

#[tokio::test(start_paused = true)]
async fn others_work_on_the_target_while_it_waits() {
    let world = waiting(home(vec![book(), runbook("other", vec![step("look")])]), risky()).await;
    assert_eq!(world.verdict("other").await.0, Verdict::Unhealthy);
    assert_eq!(world.engine.pending().len(), 1);
    let world = world.crash(home(vec![book(), runbook("other", vec![step("look")])]), risky());
    world.engine.resume().await.unwrap();
    assert_eq!(
        world.verdict("other").await.0,
        Verdict::Unhealthy,
        "after a restart, too"
    );
}

/// The check says `then` from the second time on.
pub fn changing(then: Severity) -> (Script, Arc<Mutex<usize>>) {
    let looks = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&looks);
    let script = risky().on("look", Phase::Check, move |_, _| {
        let mut looks = counted.lock().unwrap();
        *looks += 1;
        let outcome = found(if *looks == 1 { Severity::Critical } else { then });
        async { outcome }
    });
    (script, looks)
}

#[tokio::test(start_paused = true)]
async fn when_a_check_says_something_else_it_is_planned_anew() {
    let (script, _) = changing(Severity::Warning);
    let world = waiting(home(vec![book()]), script).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(
        end(&world).await.0,
        Verdict::Changed,
        "the new plan is what was approved"
    );
    let planned = world.script.called().iter().filter(|call| *call == "fix/plan").count();
    assert_eq!(planned, 2);
    assert!(world.bodies(1).iter().any(|body| matches!(body, Body::PlanVoid { .. })));
    let times = |body: &&Body| matches!(body, Body::ApprovalAsked { .. });
    assert_eq!(
        world.bodies(1).iter().filter(times).count(),
        1,
        "nobody is asked twice for the same"
    );
}

fn wanted_when_critical() -> Runbook {
    let mut book = book();
    book.steps[1] = only_when(book.steps[1].clone(), "steps.look.severity == 'critical'");
    book
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wanted_any_more_is_not_applied_whoever_approved_it() {
    let (script, _) = changing(Severity::Ok);
    let world = waiting(home(vec![wanted_when_critical()]), script).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Healthy);
    assert!(!world.script.called().iter().any(|call| call.starts_with("fix/apply")));
    let skipped = |body: &Body| matches!(body, Body::Skipped { step, .. } if step.as_str() == "fix");
    assert!(world.bodies(1).iter().any(skipped));
}

#[tokio::test(start_paused = true)]
async fn a_new_plan_is_made_of_what_the_check_found_again() {
    let (script, _) = changing(Severity::Warning);
    let mut book = book();
    book.steps[1].with = json!({ "name": "{{ steps.look.severity }}" });
    let world = waiting(home(vec![book]), script).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    asked(&world, 1).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
    let planned = world
        .script
        .invocations()
        .into_iter()
        .filter(|call| call.key.phase == Phase::Plan);
    let names: Vec<_> = planned.map(|call| call.params["name"].clone()).collect();
    assert_eq!(names, ["critical", "warning"]);
    let void = |body: &&Body| matches!(body, Body::PlanVoid { .. });
    assert_eq!(
        world.bodies(1).iter().filter(void).count(),
        1,
        "the second time it says the same"
    );
}

/// Two steps were planned by what the same check had found.
#[tokio::test(start_paused = true)]
async fn what_one_step_found_again_makes_no_other_step_s_old_plan_good() {
    let more = Step {
        ask: Some("duty".into()),
        ..only_when(step("more"), "steps.look.severity == 'critical'")
    };
    let book = runbook("repair", vec![step("look"), asking(Some("duty")), more]);
    let book = needing(book, "more", &["look"]);
    let (script, _) = changing(Severity::Warning);
    let plan = Outcome::Done(Output::Plan(vec![action("other", Risk::High)]));
    let script = script
        .always("more", Phase::Plan, plan)
        .always("more", Phase::Apply, applied(true));
    let world = World::new(home(vec![book]), script);
    world.ask(person("repair")).await.unwrap();
    asked(&world, 2).await;
    let pending = world.engine.pending();
    let fix = pending.iter().find(|pending| pending.step.as_str() == "fix").unwrap();
    let decided = world.engine.decide(RunId(1), Some(&fix.plan), &yes("ben")).await;
    decided.unwrap();
    // Nobody has to say anything of the other any more.
    assert_eq!(end(&world).await.0, Verdict::Changed);
    let called = world.script.called();
    assert!(called.iter().any(|call| call == "fix/apply hard"), "{called:?}");
    assert!(!called.iter().any(|call| call.starts_with("more/apply")), "{called:?}");
}

/// Its plan was under way with what the check had found first.
#[tokio::test(start_paused = true)]
async fn a_plan_that_comes_late_is_held_against_what_it_was_made_of() {
    let more = Step {
        with: json!({ "name": "{{ steps.look.severity }}" }),
        timeout: Duration::from_secs(600),
        ..step("more")
    };
    let book = runbook("repair", vec![step("look"), asking(Some("duty")), more]);
    let book = needing(book, "more", &["look"]);
    let (script, _) = changing(Severity::Warning);
    let script = script
        .on("more", Phase::Plan, |_, _| async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Outcome::Done(Output::Plan(vec![action("other", Risk::Low)]))
        })
        .always("more", Phase::Apply, applied(true));
    let world = World::new(home(vec![book]), script);
    world.ask(person("repair")).await.unwrap();
    asked(&world, 1).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
    let invocations = world.script.invocations().into_iter();
    let applied = invocations.filter(|call| call.key.step.as_str() == "more" && call.key.phase == Phase::Apply);
    let names: Vec<_> = applied.map(|call| call.params["name"].clone()).collect();
    assert_eq!(names, ["warning"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_another_one_by_now_is_not_worked_off() {
    let (script, _) = changing(Severity::Warning);
    let mut book = book();
    book.steps[1] = for_each(book.steps[1].clone(), "[steps.look.severity]", 1, Tolerate::Count(0));
    let world = waiting(home(vec![book]), script).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    let (verdict, why) = end(&world).await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.contains("something else by now"), "{why}");
    assert!(!world.script.called().iter().any(|call| call.starts_with("fix/apply")));
}

#[tokio::test(start_paused = true)]
async fn another_plan_has_to_be_approved_again() {
    let plans = Arc::new(Mutex::new(0));
    let (script, _) = changing(Severity::Warning);
    let script = script.on("fix", Phase::Plan, move |_, _| {
        let mut plans = plans.lock().unwrap();
        *plans += 1;
        let plan = vec![action(if *plans == 1 { "hard" } else { "harder" }, Risk::High)];
        async { Outcome::Done(Output::Plan(plan)) }
    });
    let world = waiting(home(vec![book()]), script).await;
    let first = world.engine.pending().remove(0).plan;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    world
        .until("it asks again", || {
            world
                .engine
                .pending()
                .first()
                .filter(|pending| pending.plan != first)
                .map(drop)
        })
        .await;
    assert!(!world.script.called().iter().any(|call| call.starts_with("fix/apply")));
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Changed);
    let applied: Vec<String> = world
        .script
        .called()
        .into_iter()
        .filter(|call| call.contains("apply"))
        .collect();
    assert_eq!(applied, ["fix/apply harder"]);
}

#[tokio::test(start_paused = true)]
async fn a_yes_is_void_when_what_it_may_use_has_changed() {
    let granted = |verb: bool| {
        let fix = Step {
            grant: if verb {
                crate::world::home::may_restart()
            } else {
                vec![]
            },
            ..asking(None)
        };
        let book = selecting(runbook("repair", vec![fix]), "asset", "steel-1");
        // The same text: what changed is the role.
        home(vec![Runbook {
            hash: "same".into(),
            ..book
        }])
    };
    let world = waiting(granted(true), risky()).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    let world = world.crash(granted(false), risky());
    world.engine.resume().await.unwrap();
    asked(&world, 1).await;
    assert!(world.script.called().iter().all(|call| !call.contains("apply")));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait() {
    let world = waiting(home(vec![book()]), risky()).await;
    assert_eq!(world.journal.summary(RunId(1)).unwrap().state, State::Running);
    world.engine.cancel(RunId(1), "enough").await.unwrap();
    assert_eq!(end(&world).await.0, Verdict::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn all_runs_of_a_round_are_approved_at_once() {
    let book = selecting(runbook("repair", vec![asking(Some("duty"))]), "customer", "steel");
    let world = World::new(home(vec![book]), risky());
    world.ask(person("repair")).await.unwrap();
    asked(&world, 2).await;
    let runs = world.engine.decide_round(RoundId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(runs, [RunId(1), RunId(2)]);
    for run in [1, 2] {
        assert_eq!(world.until_finished(run).await.verdict, Some(Verdict::Changed));
    }
    let none = world
        .engine
        .decide_round(RoundId(1), None, &yes("ben"))
        .await
        .unwrap_err();
    assert_eq!(none.to_string(), "round 1 has no run that waits for an approval");
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_begins_before_a_plan_is_due_is_a_system_that_heals_itself() {
    // The check says that all is well by the time of the yes: the plan is made anew, and is empty.
    let system = System::new(Severity::Critical);
    let seen = system.severity.clone();
    let script = system.script().on("fix", Phase::Plan, move |_, _| {
        let sick = *seen.lock().unwrap() == Severity::Critical;
        let plan = if sick { vec![action("hard", Risk::High)] } else { vec![] };
        async { Outcome::Done(Output::Plan(plan)) }
    });
    let world = waiting(home(vec![book()]), script).await;
    *system.severity.lock().unwrap() = Severity::Ok;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    assert_ne!(end(&world).await.0, Verdict::Changed);
    assert!(world.script.called().iter().all(|call| !call.contains("apply")));
}

#[tokio::test(start_paused = true)]
async fn a_round_is_approved_as_it_was_seen_or_not_at_all() {
    let book = selecting(runbook("repair", vec![asking(Some("duty"))]), "customer", "steel");
    let world = World::new(home(vec![book]), risky());
    world.ask(person("repair")).await.unwrap();
    asked(&world, 2).await;
    let seen = world.engine.pending();
    let plans = seen[0].round_plans.clone();
    assert_eq!(seen[1].round_plans, plans);
    let say = async |plans: &str, who: &str| world.engine.decide_round(RoundId(1), Some(plans), &yes(who)).await;
    let refused = async |plans: &str, who: &str| say(plans, who).await.unwrap_err().to_string();
    assert!(refused(&plans[..7], "ben").await.contains("8 or more digits"));
    assert!(
        refused(&seen[0].plan, "ben")
            .await
            .contains("round 1 waits with other plans")
    );
    // Who may not say yes to one of them says it to none.
    assert!(refused(&plans, "dora").await.contains("dora is not among those"));
    world.engine.decide(RunId(2), None, &no("ben")).await.unwrap();
    world.until_finished(2).await;
    assert!(
        refused(&plans, "ben").await.contains("other plans"),
        "one of them waits no more"
    );
    let left = world.engine.pending().remove(0).round_plans;
    assert_eq!(say(&left[..12], "ben").await.unwrap(), [RunId(1)]);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn who_has_approved_some_of_a_round_may_approve_the_rest() {
    let mut book = selecting(runbook("repair", vec![asking(Some("duty"))]), "customer", "steel");
    book.steps[0].ask = Some("duty".into());
    let mut home = home(vec![book]);
    home.settings.approvers.get_mut("duty").unwrap().need = 2;
    let world = World::new(home, risky());
    world.ask(person("repair")).await.unwrap();
    asked(&world, 2).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    let runs = world.engine.decide_round(RoundId(1), None, &yes("ben")).await.unwrap();
    assert_eq!(runs, [RunId(2)]);
    let again = world
        .engine
        .decide_round(RoundId(1), None, &yes("ben"))
        .await
        .unwrap_err();
    assert!(again.to_string().contains("ben has approved run 1 already"), "{again}");
    let runs = world.engine.decide_round(RoundId(1), None, &yes("cleo")).await.unwrap();
    assert_eq!(runs, [RunId(1), RunId(2)]);
}
